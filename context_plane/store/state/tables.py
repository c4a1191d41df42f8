"""The tables of the operational state. All keys begin with the tenant."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import MetaData

VERSION: Final = 2
"""Of the tables; `migrations` brings a database of an older one here, one of a newer is refused."""
TENANT: Final = 64
EXECUTION: Final = 96
"""Characters of an execution's id: a tenant's name of up to 63, a dot and 24 digits. SQLite does not count them."""


@cache
def metadata() -> MetaData:
    """The tables, as SQLAlchemy knows them: imported when the first database is opened, which most commands never do.

    `executions`
        The head of each: what it runs and where it stands. A projection of its records. `cause` is what set it off, an
        event or a key, and makes it the only one; none for a second one that an older release made for the same cause.
        `whole` is 1 while its records are here, 0 where only the log has them.
    `records`
        What happened, numbered from 0 without gaps; `sealed` once the log has it.
    `leases`
        Which worker an execution belongs to, until when, and for how many seconds it was given; without a worker it is
        free. `token` counts up with every owner, so that one who lost it cannot write: a lease is never deleted.
    """
    from sqlalchemy import (
        BigInteger,
        Column,
        Float,
        Index,
        Integer,
        MetaData,
        PrimaryKeyConstraint,
        String,
        Table,
        Text,
        text,
    )

    found = MetaData()
    executions = Table(
        "executions", found,
        Column("tenant", String(TENANT), nullable=False),
        Column("id", String(EXECUTION), nullable=False),
        Column("process", String(128), nullable=False),
        Column("version", Integer, nullable=False),
        Column("digest", String(80), nullable=False),
        Column("entity", Text, nullable=False),
        Column("status", String(16), nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("updated", BigInteger, nullable=False),
        Column("wanted", String(16), nullable=False, default=""),
        Column("cause", String(24)),
        Column("whole", Integer, nullable=False, default=1, server_default="1"),
        PrimaryKeyConstraint("tenant", "id"),
    )  # fmt: skip
    Index("executions_status", executions.c.status, executions.c.tenant)
    Index("executions_cause", executions.c.tenant, executions.c.cause, unique=True)
    whole = text("whole = 1")
    Index("executions_whole", executions.c.created, sqlite_where=whole, postgresql_where=whole)
    records = Table(
        "records", found,
        Column("tenant", String(TENANT), nullable=False),
        Column("execution", String(EXECUTION), nullable=False),
        Column("seq", Integer, nullable=False),
        Column("body", Text, nullable=False),
        Column("sealed", Integer, nullable=False, default=0),
        PrimaryKeyConstraint("tenant", "execution", "seq"),
    )  # fmt: skip
    Index(
        "records_unsealed", records.c.tenant, sqlite_where=records.c.sealed == 0, postgresql_where=records.c.sealed == 0
    )
    Table(
        "leases", found,
        Column("tenant", String(TENANT), nullable=False),
        Column("execution", String(EXECUTION), nullable=False),
        Column("worker", String(64), nullable=False),
        Column("token", Integer, nullable=False),
        Column("until", Float, nullable=False),
        Column("seconds", Float),
        PrimaryKeyConstraint("tenant", "execution"),
    )  # fmt: skip
    return found
