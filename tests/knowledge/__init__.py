"""Tests of `context_plane.knowledge`."""
