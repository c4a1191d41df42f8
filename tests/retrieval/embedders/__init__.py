"""Tests of `context_plane.retrieval.embedders`."""
