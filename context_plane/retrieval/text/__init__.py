"""Text: what of an event is indexed, and the terms that are made of it."""
