"""Leases: an execution belongs to one worker at a time.

Safety does not hang on clocks: every write of a worker is refused once another has taken the execution (`owned`). The
time of a lease only says when one may be taken from a worker of whom nothing can be seen.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from context_plane.errors import Conflict
from context_plane.store.state.database import Database
from context_plane.store.state.tables import metadata
from context_plane.store.state.workers import Worker

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection


class Leases:
    """The leases of one worker."""

    def __init__(self, database: Database, worker: Worker, seconds: float) -> None:
        self._database = database
        self.worker = worker
        self._seconds = seconds

    def take(self, tenant: str, execution: str) -> int:
        """Takes an execution and returns the token that its writes carry.

        Raises `Conflict` where another worker lives and has it, or this one does.
        """
        from sqlalchemy import insert, select, update

        self.worker.enter()
        leases = metadata().tables["leases"]
        mine = (leases.c.tenant == tenant) & (leases.c.execution == execution)
        with self._database.write() as connection:
            now = _now(connection)
            held = connection.execute(select(leases).where(mine).with_for_update()).first()
            values = {"worker": self.worker.id, "until": now + self._seconds}
            if held is None:
                connection.execute(insert(leases).values(tenant=tenant, execution=execution, token=1, **values))
                return 1
            if held.worker and not self._free(held.worker, held.until, now):
                raise Conflict(
                    f"execution {execution} is being run by another worker", where=f"tenant {tenant}",
                    remedy="wait for it, or cancel it (cortex process cancel)",
                )  # fmt: skip
            connection.execute(update(leases).where(mine).values(token=held.token + 1, **values))
        self.worker.bury(held.worker)
        return int(held.token) + 1

    def renew(self, tenant: str, execution: str, token: int) -> bool:
        """Holds an execution for longer; whether it still is this worker's."""
        from sqlalchemy import update

        leases = metadata().tables["leases"]
        with self._database.write() as connection:
            until = _now(connection) + self._seconds
            done = connection.execute(update(leases).where(owned(tenant, execution, token)).values(until=until))
            return bool(done.rowcount)

    def give_back(self, tenant: str, execution: str, token: int) -> None:
        """Ends a lease, if it still is this worker's."""
        from sqlalchemy import update

        leases = metadata().tables["leases"]
        with self._database.write() as connection:
            connection.execute(update(leases).where(owned(tenant, execution, token)).values(worker="", until=0.0))

    def orphaned(self, tenant: str, execution: str) -> bool:
        """Whether nobody runs an execution: there is no lease, or its worker is gone."""
        from sqlalchemy import select

        leases = metadata().tables["leases"]
        with self._database.read() as connection:
            mine = (leases.c.tenant == tenant) & (leases.c.execution == execution)
            held = connection.execute(select(leases).where(mine)).first()
            return held is None or not held.worker or self._free(held.worker, held.until, _now(connection))

    def _free(self, worker: str, until: float, now: float) -> bool:
        lives = self.worker.lives(worker)
        if lives is None:
            # A clock that was set back must not keep a lease for longer than it was given.
            return until <= now or until > now + 2 * self._seconds
        return not lives


def owned(tenant: str, execution: str, token: int) -> ColumnElement[bool]:
    """The condition that a lease still is the one that was given."""
    leases = metadata().tables["leases"]
    return (
        (leases.c.tenant == tenant)
        & (leases.c.execution == execution)
        & (leases.c.token == token)
        & (leases.c.worker != "")
    )


def _now(connection: Connection) -> float:
    """Seconds since 1970 by the one clock that all workers share: the server's, or the machine's."""
    if connection.dialect.name == "sqlite":
        return time.time()
    from sqlalchemy import extract, func, select

    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())
