"""Shards: the files of a period, their layout and their bytes."""
