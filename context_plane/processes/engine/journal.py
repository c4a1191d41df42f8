"""The journal: records and heads of executions in the operational state.

Here belongs every statement of SQL about executions. Records of one call are one transaction: a step's output and what
is next are durable together or not at all. Writing needs the lease's token, so that a worker who lost an execution
cannot add to it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from context_plane.errors import Conflict
from context_plane.processes.engine.forgetting import Forgetting
from context_plane.processes.engine.heads import Head, Heads, executions_table, of, select_heads
from context_plane.processes.engine.identity import CAUSE
from context_plane.processes.engine.records import Record
from context_plane.store.faults import reach
from context_plane.store.state.database import Database, insert_absent
from context_plane.store.state.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Insert, Select, Table, Update

__all__ = ["Head", "Journal"]
_MOST_UNSEALED: Final = 8 << 20
"""Characters of records that are read to be sealed at once, and one record more."""


class Journal(Heads):
    """The executions of one operational state."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.forgetting = Forgetting(database)

    def create(self, head: Head, records: Sequence[Record]) -> tuple[Head, bool]:
        """Adds an execution with its first records where there is none yet of its cause; the one that is there, and
        whether it was added. One transaction: whoever comes at the same time gets the same one."""
        cause, executions = _cause(head.id), executions_table()
        with self._database.write() as connection:
            if not _add(connection, head, cause):
                mine = (executions.c.tenant == head.tenant) & (executions.c.cause == cause)
                return Head(*connection.execute(select_heads().where(mine)).one()), False
            connection.execute(_statements().add, _rows(head, records))
            reach("execution.accepted-written")
        reach("execution.accepted")
        return head, True

    def restore(self, head: Head, token: int) -> Head:
        """Brings back an execution that only the log has, if nobody else has; its records stay there until somebody
        goes on with it (`bring_back`). `token` is the last that a worker may have had."""
        leases = metadata().tables["leases"]
        with self._database.write() as connection:
            # An older release may have made two for a cause. The first that is found is the cause's.
            if not _add(connection, head, _cause(head.id), whole=0):
                _add(connection, head, None, whole=0)
            lease = {"tenant": head.tenant, "execution": head.id, "token": token, "worker": "", "until": 0.0}
            connection.execute(insert_absent(connection, leases).values(lease))
            return Head(*connection.execute(select_heads().where(of(head.tenant, head.id))).one())

    def bring_back(self, tenant: str, id: str, records: Sequence[Record]) -> None:
        """Adds the records that the log has of an execution of which none are here, so that more can follow them. Only
        for who has its lease."""
        from sqlalchemy import update

        with self._database.write() as connection:
            head = Head(*connection.execute(select_heads().where(of(tenant, id))).one())
            connection.execute(_statements().add, _rows(head, records, sealed=1))
            connection.execute(update(executions_table()).where(of(tenant, id)).values(whole=1))

    def append(self, head: Head, token: int, records: Sequence[Record], status: str) -> str:
        """Adds records and the state after them, in one transaction; returns what somebody wants of the execution.

        Raises `Conflict` where the lease is another's or the records do not follow those that are there, `Infeasible`
        where there is no room."""
        statements = _statements()
        mine = {"of_tenant": head.tenant, "of_id": head.id}
        with self._database.write() as connection:
            found = connection.execute(statements.look, mine | {"by_token": token}).first()
            if found is None:
                raise Conflict(
                    f"execution {head.id} was taken over by another worker", where=f"tenant {head.tenant}",
                    remedy="nothing is lost: it goes on there",
                )  # fmt: skip
            if found.following != records[0].seq:
                what = f"record {records[0].seq} of execution {head.id} cannot follow record {found.following - 1}"
                remedy = "what came between could not be written: resume the execution, and it goes on from there"
                raise Conflict(what, where=f"tenant {head.tenant}", remedy=remedy)
            connection.execute(statements.move, mine | {"to_status": status, "to_updated": records[-1].at})
            connection.execute(statements.add, _rows(head, records))
            wanted: str = found.wanted
            reach("execution.record-written")
        reach("execution.record-durable")
        return wanted

    def records(self, tenant: str, id: str) -> list[Record]:
        """All records of an execution, in order."""
        from sqlalchemy import select

        if not self._database.exists():
            return []
        records = _records()
        query = select(records.c.seq, records.c.body).where(_mine(records, tenant, id)).order_by(records.c.seq)
        with self._database.read() as connection:
            return [Record.of(seq, body) for seq, body in connection.execute(query)]

    def unsealed(self, limit: int, besides: Collection[str] = ()) -> list[tuple[Head, list[Record]]]:
        """Executions with records that are not in the log yet, in order of tenant, at most so many records and some
        8 MB. `besides` are tenants that are left out."""
        from sqlalchemy import select

        records = _records()
        query = (
            select(records.c.tenant, records.c.execution, records.c.seq, records.c.body)
            .where((records.c.sealed == 0) & records.c.tenant.not_in(list(besides)))
            .order_by(records.c.tenant, records.c.execution, records.c.seq)
            .limit(limit)
        )
        found: dict[tuple[str, str], list[Record]] = {}
        with self._database.read() as connection:
            size = 0
            for tenant, execution, seq, body in connection.execute(query):
                found.setdefault((tenant, execution), []).append(Record.of(seq, body))
                if (size := size + len(body)) > _MOST_UNSEALED:
                    break
            heads: dict[tuple[str, str], Head] = {}
            for key in found:
                for row in connection.execute(select_heads().where(of(*key))):
                    heads[key] = Head(*row)
        return [(heads[key], each) for key, each in found.items() if key in heads]

    def waiting(self) -> int:
        """How many records are not in the log yet."""
        return self._count(_records().c.sealed == 0)

    def _count(self, which: ColumnElement[bool]) -> int:
        from sqlalchemy import func, select

        if not self._database.exists():
            return 0
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).where(which)).scalar_one())

    def seal(self, tenant: str, id: str, upto: int) -> None:
        """Takes down that records up to a number are in the log."""
        from sqlalchemy import update

        records = _records()
        with self._database.write() as connection:
            fresh = _mine(records, tenant, id) & (records.c.seq <= upto) & (records.c.sealed == 0)
            connection.execute(update(records).where(fresh).values(sealed=1))

    def put_aside(self, tenant: str, id: str, seq: int) -> None:
        """Takes down that the log refuses a record: it stays here, and is not tried again."""
        from sqlalchemy import update

        records = _records()
        with self._database.write() as connection:
            query = update(records).where(_mine(records, tenant, id) & (records.c.seq == seq)).values(sealed=2)
            connection.execute(query)

    def aside(self) -> int:
        """How many records were put aside."""
        return self._count(_records().c.sealed == 2)


class _Statements(NamedTuple):
    """What every record needs, built once: building takes longer than running."""

    look: Select[Any]
    move: Update
    add: Insert


@cache
def _statements() -> _Statements:
    from sqlalchemy import bindparam, func, insert, select, update

    executions, records, leases = executions_table(), _records(), metadata().tables["leases"]
    mine = (executions.c.tenant == bindparam("of_tenant")) & (executions.c.id == bindparam("of_id"))
    following = select(func.coalesce(func.max(records.c.seq) + 1, 0)).where(
        (records.c.tenant == bindparam("of_tenant")) & (records.c.execution == bindparam("of_id"))
    )
    look = (
        select(executions.c.wanted, following.scalar_subquery().label("following"))
        .join(leases, (leases.c.tenant == executions.c.tenant) & (leases.c.execution == executions.c.id))
        .where(mine & (leases.c.token == bindparam("by_token")) & (leases.c.worker != ""))
        # Shared until the end: otherwise another could take the lease, and read what there is, before this commits.
        .with_for_update(read=True, of=leases)
    )
    move = update(executions).where(mine)
    values: dict[str, Any] = {"status": bindparam("to_status"), "updated": bindparam("to_updated")}
    return _Statements(look, move.values(**values), insert(records))


def _add(connection: Connection, head: Head, cause: str | None, whole: int = 1) -> bool:
    """Adds a head if there is none of its id and none of its cause; whether it was added."""
    query = insert_absent(connection, executions_table()).values(**vars(head), cause=cause, whole=whole)
    return bool(connection.execute(query).rowcount)


def _cause(id: str) -> str:
    return id.partition(".")[2][:CAUSE]


def _mine(table: Table, tenant: str, id: str) -> ColumnElement[bool]:
    return (table.c.tenant == tenant) & (table.c.execution == id)


def _rows(head: Head, records: Sequence[Record], sealed: int = 0) -> list[dict[str, Any]]:
    return [
        {"tenant": head.tenant, "execution": head.id, "seq": each.seq, "body": each.text(), "sealed": sealed}
        for each in records
    ]


def _records() -> Table:
    return metadata().tables["records"]
