"""Models: which there are, which of them a step asks and why, and the gateway that asks it."""
