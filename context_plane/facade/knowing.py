"""Knowledge: topics from files, as they are known at a view."""

from __future__ import annotations

from context_plane.facade.searching import Searching


class Knowing(Searching):
    """Knowledge topics."""
