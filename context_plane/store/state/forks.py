"""Forks: what a child must not share with the process that it was forked from.

A child has its parent's open files, locks and connections. A lock on a file that it keeps open outlives its parent, a
connection that both use is garbled. Here belongs letting go of them as the child begins.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something that a child lets go of."""

    def forked(self) -> None:
        """Called in the child, in which no other thread runs. Must not touch what the parent goes on using."""


_ALL: weakref.WeakSet[Forked] = weakref.WeakSet()


def let_go(of: Forked) -> None:
    """Has `forked` called in every child from now on."""
    _ALL.add(of)


def _in_child() -> None:
    for each in list(_ALL):
        each.forked()


os.register_at_fork(after_in_child=_in_child)
