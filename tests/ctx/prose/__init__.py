"""The prose half of CTX."""
