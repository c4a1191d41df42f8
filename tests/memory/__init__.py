"""Tests of `context_plane.memory`."""
