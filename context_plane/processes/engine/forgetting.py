"""Forgetting: dropping from the operational state what the log has for good.

Here belong the records of executions that have been over for a week. Their heads stay, so that lists are complete, and
so do their leases, whose tokens must not be given twice; whoever asks for the records gets them out of the log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from context_plane.processes.engine.heads import executions_table, of
from context_plane.processes.engine.state import OVER
from context_plane.store.state.database import Database
from context_plane.store.state.tables import metadata

if TYPE_CHECKING:
    from sqlalchemy import Select

_KEPT: Final = 7 * 86_400_000_000
"""Microseconds: for so long most of who looks at a run, or resumes one that failed, spares the way to the log."""
_EVERY: Final = 3_600_000_000
_AT_ONCE: Final = 50
"""Executions: other writers wait for one transaction."""


class Forgetting:
    """Looks once in a while for what to drop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._next = 0

    def look(self, now: int) -> int:
        """Drops the records of some executions, the oldest first, if it is time; of how many. Safe beside workers who
        go on with one: they have its lease, or wait for it until the records are gone."""
        if now < self._next or not self._database.exists():
            return 0
        with self._database.read() as connection:
            found = connection.execute(_droppable(now).limit(_AT_ONCE)).all()
        count = sum(self._drop(now, tenant, id) for tenant, id in found)
        self._next = now if len(found) == _AT_ONCE else now + _EVERY
        return count

    def _drop(self, now: int, tenant: str, id: str) -> bool:
        from sqlalchemy import delete, select, update

        leases, records = metadata().tables["leases"], metadata().tables["records"]
        lease = select(leases.c.token).where((leases.c.tenant == tenant) & (leases.c.execution == id))
        with self._database.write() as connection:
            # Who has it locked is about to go on with the execution; who comes now waits for the end of this.
            if connection.execute(lease.with_for_update(skip_locked=True)).first() is None:
                return False
            if connection.execute(_droppable(now).where(of(tenant, id))).first() is None:
                return False
            connection.execute(delete(records).where((records.c.tenant == tenant) & (records.c.execution == id)))
            connection.execute(update(executions_table()).where(of(tenant, id)).values(whole=0))
        return True


def _droppable(now: int) -> Select[Any]:
    """Executions that are over for long, of which the log has everything and nobody has the lease."""
    from sqlalchemy import exists, select, text

    executions, records, leases = executions_table(), metadata().tables["records"], metadata().tables["leases"]
    before = now - _KEPT
    mine = (leases.c.tenant == executions.c.tenant) & (leases.c.execution == executions.c.id)
    # A worker of whom nothing was heard for as long is gone, though nobody has taken what he had.
    free = (leases.c.worker == "") | (leases.c.until < before / 1e6)
    missing = exists().where(
        (records.c.tenant == executions.c.tenant) & (records.c.execution == executions.c.id) & (records.c.sealed != 1)
    )
    # Not by the index of the status: nearly all are over, and of most the records were dropped long ago.
    over = executions.c.status.concat("").in_(OVER)
    return (
        select(executions.c.tenant, executions.c.id)
        .join(leases, mine)
        .where(text("executions.whole = 1"))  # as the index says it, so that it is used
        .where((executions.c.created < before) & (executions.c.updated < before))
        .where(over & free & ~missing)
        .order_by(executions.c.created)
    )
