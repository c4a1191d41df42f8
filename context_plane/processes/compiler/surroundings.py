"""Surroundings: what a process refers to that no process file declares.

Here belong the ports; the façade fills them in.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from context_plane.processes.registry.handler import Action, Gate


class Registry(Protocol):
    """The actions and gates that Python registered."""

    @property
    def actions(self) -> Mapping[str, Action]: ...

    @property
    def gates(self) -> Mapping[str, Gate]: ...


@dataclass(frozen=True)
class Surroundings:
    """What can be referred to."""

    registry: Registry
    topics: Callable[[str], str | None]
    """The topic, as the store calls it, that a reference means, such as ``engineering/testing`` for
    ``engineering.testing``; `None` where there is none."""
    topic_names: Sequence[str] = ()
    """Those that there are, for suggestions."""
    packages: Collection[str] = ()
    models: bool = True
    """Whether any model is configured."""
    fingerprint: str = ""
    """Changes whenever something of these does: what was compiled in other surroundings is compiled again."""
