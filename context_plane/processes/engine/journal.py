"""The journal: records and heads of executions in the operational state.

Here belongs every statement of SQL about executions. Records of one call are one transaction: a step's output and what
is next are durable together or not at all. Writing needs the lease's token, so that a worker who lost an execution
cannot add to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from context_plane.errors import Conflict, NotFound
from context_plane.processes.engine.records import Record
from context_plane.store.faults import reach
from context_plane.store.state.database import Database
from context_plane.store.state.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Insert, Select, Table, Update


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


class Journal:
    """The executions of one operational state."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, head: Head, records: Sequence[Record], sealed: int = 0) -> bool:
        """Adds an execution with its first records, if it is not there yet; whether it was added.

        `sealed` is 1 for records that come out of the log."""
        from sqlalchemy import insert

        try:
            with self._database.write() as connection:
                connection.execute(insert(_executions()).values(**vars(head)))
                connection.execute(insert(_records()), _rows(head, records, sealed))
                reach("execution.accepted-written")
        except Conflict:
            return False
        reach("execution.accepted")
        return True

    def append(self, head: Head, token: int, records: Sequence[Record], status: str) -> str:
        """Adds records and the state after them, in one transaction; returns what somebody wants of the execution.

        Raises `Conflict` where the lease is another's, `Infeasible` where there is no room."""
        statements = _statements()
        mine = {"of_tenant": head.tenant, "of_id": head.id}
        values = {"to_status": status, "to_updated": records[-1].at, "by_token": token}
        with self._database.write() as connection:
            if not connection.execute(statements.move, mine | values).rowcount:
                raise Conflict(
                    f"execution {head.id} was taken over by another worker", where=f"tenant {head.tenant}",
                    remedy="nothing is lost: it goes on there",
                )  # fmt: skip
            connection.execute(statements.add, _rows(head, records, 0))
            wanted: str = connection.execute(statements.wanted, mine).scalar_one()
            reach("execution.record-written")
        reach("execution.record-durable")
        return wanted

    def head(self, tenant: str, id: str) -> Head | None:
        """The head of an execution, `None` for one that is not here."""
        from sqlalchemy import select

        if not self._database.exists():
            return None
        executions = _executions()
        with self._database.read() as connection:
            mine = (executions.c.tenant == tenant) & (executions.c.id == id)
            row = connection.execute(select(executions).where(mine)).mappings().first()
            return None if row is None else Head(**row)

    def like(self, tenant: str, prefix: str) -> Head | None:
        """An execution whose id begins so: of the same event and process, whatever the version."""
        from sqlalchemy import select

        if not self._database.exists():
            return None
        executions = _executions()
        with self._database.read() as connection:
            mine = (executions.c.tenant == tenant) & executions.c.id.between(prefix, prefix + "g")
            row = connection.execute(select(executions).where(mine).limit(1)).mappings().first()
            return None if row is None else Head(**row)

    def heads(
        self, tenant: str | None = None, statuses: Iterable[str] | None = None, process: str | None = None,
        limit: int | None = None,
    ) -> list[Head]:  # fmt: skip
        """Heads, the newest first."""
        from sqlalchemy import select

        if not self._database.exists():
            return []
        executions = _executions()
        query = select(executions).order_by(executions.c.created.desc(), executions.c.id)
        if tenant is not None:
            query = query.where(executions.c.tenant == tenant)
        if statuses is not None:
            query = query.where(executions.c.status.in_(list(statuses)))
        if process is not None:
            query = query.where(executions.c.process == process)
        with self._database.read() as connection:
            return [Head(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def records(self, tenant: str, id: str) -> list[Record]:
        """All records of an execution, in order."""
        from sqlalchemy import select

        if not self._database.exists():
            return []
        records = _records()
        query = select(records.c.seq, records.c.body).where(_mine(records, tenant, id)).order_by(records.c.seq)
        with self._database.read() as connection:
            return [Record.of(seq, body) for seq, body in connection.execute(query)]

    def want(self, tenant: str, id: str, what: str) -> None:
        """Asks whoever runs an execution for something: ``cancelled``, ``paused``, or nothing any more.

        Raises `NotFound`."""
        from sqlalchemy import update

        executions = _executions()
        mine = (executions.c.tenant == tenant) & (executions.c.id == id)
        with self._database.write() as connection:
            if not connection.execute(update(executions).where(mine).values(wanted=what)).rowcount:
                remedy = "cortex process list --runs TENANT shows those that there are"
                raise NotFound(f"there is no execution {id}", where=f"tenant {tenant}", remedy=remedy)

    def wanted(self, tenant: str, id: str) -> str:
        """What somebody asked for."""
        head = self.head(tenant, id)
        return "" if head is None else head.wanted

    def unsealed(self, limit: int) -> list[tuple[Head, list[Record]]]:
        """Executions with records that are not in the log yet, the oldest records first, at most so many records."""
        from sqlalchemy import select

        records, executions = _records(), _executions()
        query = (
            select(records.c.tenant, records.c.execution, records.c.seq, records.c.body)
            .where(records.c.sealed == 0)
            .order_by(records.c.tenant, records.c.execution, records.c.seq)
            .limit(limit)
        )
        found: dict[tuple[str, str], list[Record]] = {}
        with self._database.read() as connection:
            for tenant, execution, seq, body in connection.execute(query):
                found.setdefault((tenant, execution), []).append(Record.of(seq, body))
            heads: dict[tuple[str, str], Head] = {}
            for key in found:
                mine = (executions.c.tenant == key[0]) & (executions.c.id == key[1])
                for row in connection.execute(select(executions).where(mine)).mappings():
                    heads[key] = Head(**row)
        return [(heads[key], each) for key, each in found.items() if key in heads]

    def waiting(self) -> int:
        """How many records are not in the log yet."""
        from sqlalchemy import func, select

        if not self._database.exists():
            return 0
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).where(_records().c.sealed == 0)).scalar_one())

    def seal(self, tenant: str, id: str, upto: int) -> None:
        """Takes down that records up to a number are in the log."""
        from sqlalchemy import update

        records = _records()
        with self._database.write() as connection:
            query = update(records).where(_mine(records, tenant, id) & (records.c.seq <= upto)).values(sealed=1)
            connection.execute(query)


class _Statements(NamedTuple):
    """What every record needs, built once: building takes longer than running."""

    move: Update
    add: Insert
    wanted: Select[Any]


@cache
def _statements() -> _Statements:
    from sqlalchemy import bindparam, insert, select, update

    executions, leases = _executions(), metadata().tables["leases"]
    mine = (executions.c.tenant == bindparam("of_tenant")) & (executions.c.id == bindparam("of_id"))
    lease = (
        select(leases.c.token)
        .where(leases.c.tenant == bindparam("of_tenant"), leases.c.execution == bindparam("of_id"))
        .where(leases.c.token == bindparam("by_token"), leases.c.worker != "")
    )
    move = update(executions).where(mine & lease.exists())
    values: dict[str, Any] = {"status": bindparam("to_status"), "updated": bindparam("to_updated")}
    return _Statements(move.values(**values), insert(_records()), select(executions.c.wanted).where(mine))


def _mine(table: Table, tenant: str, id: str) -> ColumnElement[bool]:
    return (table.c.tenant == tenant) & (table.c.execution == id)


def _rows(head: Head, records: Sequence[Record], sealed: int) -> list[dict[str, Any]]:
    return [
        {"tenant": head.tenant, "execution": head.id, "seq": each.seq, "body": each.text(), "sealed": sealed}
        for each in records
    ]


def _executions() -> Table:
    return metadata().tables["executions"]


def _records() -> Table:
    return metadata().tables["records"]
