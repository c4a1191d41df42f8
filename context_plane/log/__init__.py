"""The log: events checked and normalised, segments, numbered commits, and how batches get into it."""
