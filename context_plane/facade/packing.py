"""Packages: what is compiled from chains, topics and queries, and composed into one context."""

from __future__ import annotations

from context_plane.facade.remembering import Remembering


class Packing(Remembering):
    """Packages."""
