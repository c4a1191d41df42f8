"""The engine of processes."""
