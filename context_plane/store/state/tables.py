"""The tables of the operational state. All keys begin with the tenant."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sqlalchemy import MetaData

VERSION: Final = 1
"""Of the tables; a database of another one is refused."""


@cache
def metadata() -> MetaData:
    """The tables, as SQLAlchemy knows them: imported when the first database is opened, which most commands never do.

    `executions`
        The head of each: what it runs and where it stands. A projection of its records.
    `records`
        What happened, numbered from 0 without gaps; `sealed` once the log has it.
    `leases`
        Which worker an execution belongs to. `token` counts up with every owner, so that one who lost it cannot write.
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
    )

    found = MetaData()
    executions = Table(
        "executions", found,
        Column("tenant", String(64), nullable=False),
        Column("id", String(64), nullable=False),
        Column("process", String(128), nullable=False),
        Column("version", Integer, nullable=False),
        Column("digest", String(80), nullable=False),
        Column("entity", Text, nullable=False),
        Column("status", String(16), nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("updated", BigInteger, nullable=False),
        Column("wanted", String(16), nullable=False, default=""),
        PrimaryKeyConstraint("tenant", "id"),
    )  # fmt: skip
    Index("executions_status", executions.c.status, executions.c.tenant)
    records = Table(
        "records", found,
        Column("tenant", String(64), nullable=False),
        Column("execution", String(64), nullable=False),
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
        Column("tenant", String(64), nullable=False),
        Column("execution", String(64), nullable=False),
        Column("worker", String(64), nullable=False),
        Column("token", Integer, nullable=False),
        Column("until", Float, nullable=False),
        PrimaryKeyConstraint("tenant", "execution"),
    )  # fmt: skip
    return found
