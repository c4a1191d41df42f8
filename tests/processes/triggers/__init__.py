"""Triggers of processes."""
