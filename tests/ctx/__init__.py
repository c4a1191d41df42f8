"""Tests of `context_plane.ctx`."""
