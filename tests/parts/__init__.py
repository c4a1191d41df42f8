"""Tests of `context_plane.parts`."""
