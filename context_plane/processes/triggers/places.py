"""Places: how far the processes of a tenant were held against its log.

A caller keeps one number: up to it, everything was looked at for every process. A process that cannot go on for the
moment (it does not compile, the state does not answer) stays behind and holds that number back; how far the others are
is remembered beside it, so that nothing is read twice. Whoever does not remember it reads again, and finds the
executions that there are.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from context_plane.errors import ContextPlaneError, Infeasible, InputError, NotFound
from context_plane.instants import DAY, parse_instant

if TYPE_CHECKING:
    from context_plane.log.history import History

MISSED: Final = 7 * DAY
"""How long what a process missed is waited with: an event while it did not compile, a time while nobody looked."""


@dataclass(frozen=True)
class Place:
    """How far a tenant's log was looked at."""

    number: int
    """Up to here for every process."""
    ahead: Mapping[str, int] = field(default_factory=dict)
    """Processes that are further."""

    def of(self, name: str) -> int:
        """How far it was looked at for a process."""
        return self.ahead.get(name, self.number)

    @property
    def furthest(self) -> int:
        """Where a process that comes now begins: what came before was there before it."""
        return max(self.ahead.values(), default=self.number)

    def moved(self, names: Iterable[str], reached: int, behind: Mapping[str, int], head: int) -> Place:
        """The place after a look that reached a number for all processes but those that stayed behind."""
        now = {name: max(reached, self.of(name)) for name in names} | dict(behind)
        number = min(now.values(), default=head)
        return Place(number, {name: each for name, each in now.items() if each > number})


def lasting(error: ContextPlaneError) -> bool:
    """Whether the same thing will meet the same error the next time, so that it is not waited for. A disk that is full
    and a state that cannot be opened are told as `Infeasible` and `InputError` too; somebody will see to these."""
    from sqlalchemy.exc import SQLAlchemyError

    outside = isinstance(error.__cause__, (OSError, ImportError, SQLAlchemyError))
    return isinstance(error, (InputError, NotFound, Infeasible)) and not outside


def older(history: History, instant: int) -> int:
    """The number of the last commit before an instant."""
    return bisect_left(history.records(), instant, key=lambda record: parse_instant(record.time))
