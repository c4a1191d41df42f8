"""Leases: an execution belongs to one worker at a time.

Safety does not hang on clocks: every write of a worker is refused once another has taken the execution (`owned`). The
time of a lease only says when one may be taken from a worker of whom nothing can be seen.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from context_plane.errors import Conflict
from context_plane.store.state.database import Database, insert_absent
from context_plane.store.state.tables import metadata
from context_plane.store.state.workers import Worker

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Row, Table


class Leases:
    """The leases of one worker. Safe for threads."""

    def __init__(self, database: Database, worker: Worker, seconds: float) -> None:
        self._database = database
        self.worker = worker
        self._seconds = seconds
        self._mine: dict[tuple[str, str], int] = {}
        """Tokens that were taken and are in use. A lease of this worker's of which there is none here is free: it was
        given back, and that could not be written."""

    def take(self, tenant: str, execution: str) -> int:
        """Takes an execution and returns the token that its writes carry.

        Raises `Conflict` where another worker lives and has it, or this one does.
        """
        if self.worker.enter():
            self._bury_others()
        token, last = 0, ""
        try:
            with self._database.write() as connection:
                token, last = self._take(connection, tenant, execution)
                # Here before the commit, so that no other thread can find the lease and take it for a free one.
                self._mine[tenant, execution] = token
        except BaseException:
            self._forget(tenant, execution, token)
            raise
        if last:
            self.worker.bury(last)
        return token

    def renew(self, tenant: str, execution: str, token: int) -> bool:
        """Holds an execution for longer; whether it still is this worker's."""
        from sqlalchemy import update

        with self._database.write() as connection:
            until = _now(connection) + self._seconds
            done = connection.execute(update(_leases()).where(owned(tenant, execution, token)).values(until=until))
            return bool(done.rowcount)

    def give_back(self, tenant: str, execution: str, token: int) -> None:
        """Ends a lease, if it still is this worker's. Where that cannot be written, this worker can take it anew."""
        from sqlalchemy import update

        self._forget(tenant, execution, token)
        with self._database.write() as connection:
            connection.execute(update(_leases()).where(owned(tenant, execution, token)).values(worker="", until=0.0))

    def orphaned(self, tenant: str, execution: str) -> bool:
        """Whether nobody runs an execution: there is no lease, or its worker is gone."""
        from sqlalchemy import select

        with self._database.read() as connection:
            held = connection.execute(select(_leases()).where(_of(tenant, execution))).first()
            return held is None or self._free(connection, held)

    def _take(self, connection: Connection, tenant: str, execution: str) -> tuple[int, str]:
        """The new token, and the worker who had the last one."""
        from sqlalchemy import select, update

        mine = _of(tenant, execution)
        query = select(_leases()).where(mine).with_for_update()
        values = {"worker": self.worker.id, "until": _now(connection) + self._seconds, "seconds": self._seconds}
        held = connection.execute(query).first()
        if held is None:
            first = {"tenant": tenant, "execution": execution, "token": 1, **values}
            if connection.execute(insert_absent(connection, _leases()).values(first)).rowcount:
                return 1, ""
            held = connection.execute(query).one()  # another was faster
        if not self._free(connection, held):
            raise Conflict(
                f"execution {execution} is being run by another worker", where=f"tenant {tenant}",
                remedy="wait for it, or cancel it (cortex process cancel)",
            )  # fmt: skip
        connection.execute(update(_leases()).where(mine).values(token=held.token + 1, **values))
        return int(held.token) + 1, held.worker

    def _free(self, connection: Connection, held: Row[Any]) -> bool:
        if held.worker == self.worker.id:
            return (held.tenant, held.execution) not in self._mine
        lives = self.worker.lives(held.worker) if held.worker else False
        if lives is not None:
            return not lives
        now = _now(connection)
        # The machine's clock may have been set back, and must not keep a lease for longer than it was given; how long
        # that was is its worker's to say, whose settings may be others. A lease of an older release does not say.
        set_back = _own_clock(connection) and held.seconds is not None and held.until > now + 2 * held.seconds
        return bool(held.until <= now or set_back)

    def _forget(self, tenant: str, execution: str, token: int) -> None:
        if self._mine.get((tenant, execution)) == token:
            del self._mine[tenant, execution]

    def _bury_others(self) -> None:
        """Removes the files of workers who ended without `leave`; that of one who still has a lease is left, so that
        everybody sees that he is gone."""
        from sqlalchemy import select

        gone = self.worker.gone()
        if gone:
            worker = _leases().c.worker
            with self._database.read() as connection:
                holders = connection.execute(select(worker).where(worker.in_(gone))).scalars()
                gone = gone.difference(holders)
        for each in gone:
            self.worker.bury(each)


def owned(tenant: str, execution: str, token: int) -> ColumnElement[bool]:
    """The condition that a lease still is the one that was given."""
    leases = _leases()
    return _of(tenant, execution) & (leases.c.token == token) & (leases.c.worker != "")


def _of(tenant: str, execution: str) -> ColumnElement[bool]:
    leases = _leases()
    return (leases.c.tenant == tenant) & (leases.c.execution == execution)


def _leases() -> Table:
    return metadata().tables["leases"]


def _own_clock(connection: Connection) -> bool:
    """Whether the clock is this machine's: a server has one of its own."""
    return connection.dialect.name == "sqlite"


def _now(connection: Connection) -> float:
    """Seconds since 1970 by the one clock that all workers share: the server's, or the machine's."""
    if _own_clock(connection):
        return time.time()
    from sqlalchemy import extract, func, select

    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())
