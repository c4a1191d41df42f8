"""Triggers: which events, times and callers start a run of which process."""
