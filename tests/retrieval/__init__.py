"""Tests of `context_plane.log`."""
