"""Heads: where executions stand, as the operational state has it.

Here belong looking for executions and what somebody wants of one. A head is a projection of an execution's records and
moves with them (`journal`); it stays when they are dropped (`forgetting`), so that lists are complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from context_plane.errors import NotFound
from context_plane.processes.engine.identity import CAUSE
from context_plane.store.state.database import Database
from context_plane.store.state.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select, Table

_FIELDS: Final = (
    "tenant", "id", "process", "version", "digest", "entity", "status", "created", "updated", "wanted",
)  # fmt: skip


@dataclass(frozen=True)
class Head:
    """Where an execution stands."""

    tenant: str
    id: str
    process: str
    version: int
    digest: str
    entity: str
    status: str
    created: int
    updated: int
    wanted: str = ""
    """What somebody asked for: ``cancelled`` or ``paused``."""


class Heads:
    """The heads in one operational state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self, tenant: str, id: str) -> Head | None:
        """The head of an execution, `None` for one that is not here."""
        return self._first(select_heads().where(of(tenant, id)))

    def like(self, tenant: str, start: str) -> Head | None:
        """The execution of an id; or, where only the first part of one is given, that of an event or a key, whatever
        the version."""
        cause = start.partition(".")[2]
        if len(cause) != CAUSE:
            return self.head(tenant, start)
        executions = executions_table()
        return self._first(select_heads().where((executions.c.tenant == tenant) & (executions.c.cause == cause)))

    def heads(
        self, tenant: str | None = None, statuses: Iterable[str] | None = None, process: str | None = None,
        limit: int | None = None,
    ) -> list[Head]:  # fmt: skip
        """Heads, the newest first."""
        if not self._database.exists():
            return []
        executions = executions_table()
        query = select_heads().order_by(executions.c.created.desc(), executions.c.id)
        if tenant is not None:
            query = query.where(executions.c.tenant == tenant)
        if statuses is not None:
            query = query.where(executions.c.status.in_(list(statuses)))
        if process is not None:
            query = query.where(executions.c.process == process)
        with self._database.read() as connection:
            return [Head(*row) for row in connection.execute(query.limit(limit))]

    def want(self, tenant: str, id: str, what: str) -> None:
        """Asks whoever runs an execution for something: ``cancelled``, ``paused``, or nothing any more.

        Raises `NotFound`."""
        from sqlalchemy import update

        with self._database.write() as connection:
            query = update(executions_table()).where(of(tenant, id)).values(wanted=what)
            if not connection.execute(query).rowcount:
                remedy = "cortex process list --runs TENANT shows those that there are"
                raise NotFound(f"there is no execution {id}", where=f"tenant {tenant}", remedy=remedy)

    def wanted(self, tenant: str, id: str) -> str:
        """What somebody asked for."""
        head = self.head(tenant, id)
        return "" if head is None else head.wanted

    def _first(self, query: Select[Any]) -> Head | None:
        if not self._database.exists():
            return None
        with self._database.read() as connection:
            row = connection.execute(query).first()
            return None if row is None else Head(*row)


@cache
def select_heads() -> Select[Any]:
    """The columns of a head, in its order."""
    from sqlalchemy import select

    executions = executions_table()
    return select(*(executions.c[name] for name in _FIELDS))


def of(tenant: str, id: str) -> ColumnElement[bool]:
    """The condition that a head is that of an execution."""
    executions = executions_table()
    return (executions.c.tenant == tenant) & (executions.c.id == id)


def executions_table() -> Table:
    """The table of heads."""
    return metadata().tables["executions"]
