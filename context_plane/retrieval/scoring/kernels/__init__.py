"""Kernels: the loops of search, in numpy at first and compiled once a process has searched enough to pay for it.

Loading numba and the compiled loops takes about a second, a search in numpy some milliseconds at most: a command that
searches once should not wait for the former, a server not pay for the latter.
"""

from __future__ import annotations

import os
import threading
from importlib import import_module
from types import ModuleType
from typing import Final

PATIENCE: Final = 24
"""Searches in numpy before the compiled loops are loaded, in a thread of their own."""
VARIABLE: Final = "CONTEXT_PLANE_KERNELS"
"""``plain`` or ``compiled`` fixes the choice."""


class Choice:
    """Which kernels a process uses. Safe for threads."""

    def __init__(self) -> None:
        self._compiled: ModuleType | None = None
        self._searches = 0
        self._lock = threading.Lock()

    def current(self) -> ModuleType:
        """The kernels for one search."""
        if self._compiled is not None:
            return self._compiled
        fixed = os.environ.get(VARIABLE)
        if fixed == "compiled":
            return self.load()
        self._searches += 1
        if self._searches == PATIENCE and fixed != "plain":
            threading.Thread(target=self.load, name="kernels", daemon=True).start()
        return import_module("context_plane.retrieval.scoring.kernels.plain")

    def load(self) -> ModuleType:
        """The compiled kernels, ready to be called, when they are; those in numpy where numba does not load.

        Takes a second where an earlier process has left them compiled, some twenty where none has.
        """
        with self._lock:
            if self._compiled is None:
                try:
                    loops = import_module("context_plane.retrieval.scoring.kernels.compiled")
                    import_module("context_plane.retrieval.scoring.exercise").exercise(loops)
                except (ImportError, RuntimeError):  # the latter where numba finds no folder to keep them in
                    loops = import_module("context_plane.retrieval.scoring.kernels.plain")
                self._compiled = loops
            return self._compiled


choice: Final = Choice()
