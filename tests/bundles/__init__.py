"""Tests of `context_plane.bundles`."""
