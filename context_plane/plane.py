"""`ContextPlane`: the façade a user holds. Doors translate protocols to calls on it and do nothing else.

Its methods are in `context_plane.facade`, one concept a file. `AsyncContextPlane` has the same names.
"""

from __future__ import annotations

from context_plane.facade.building import Building
from context_plane.facade.reacting import Reacting
from context_plane.facade.reading import Events

__all__ = ["ContextPlane", "Events"]


class ContextPlane(Reacting, Building):
    """A plane over one home. Safe for threads; processes may share the home or store."""
