"""What the database's driver raises, in the plane's words.

Here belongs the translation, by the codes that SQLite and PostgreSQL give and never by the words of a message, and how
a URL is shown.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from context_plane.errors import Conflict, Corrupt, Infeasible, InputError, Unavailable

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

_THERE: Final = (sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE, "23505")
_FULL: Final = (sqlite3.SQLITE_FULL, "53000", "53100", "53200")
"""No room on the disk or in the server's memory. The first two digits alone would take too many connections for it."""
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, "XX001", "XX002")
PRIMARY: Final = 0xFF
"""The part of SQLite's code that says what happened; the rest says where."""


def translate(error: SQLAlchemyError, url: str) -> Exception:
    """A public error for one of SQLAlchemy's."""
    where = shown(url)
    text = str(getattr(error, "orig", None) or error).strip()
    code = _code(error)
    if code in _THERE:
        return Conflict(f"another wrote the same row: {text}", where=where, remedy="read it again")
    if isinstance(code, int):
        code &= PRIMARY
    if code in _FULL:
        return Infeasible(f"the state cannot be written: {text}", where=where, remedy="free space, then resume the run")
    if code in _DAMAGED:
        remedy = "move the file away: what was sealed is in the log, and executions go on from there"
        return Corrupt(f"the state is damaged: {text}", where=where, remedy=remedy)
    return Unavailable(f"the state does not answer: {text}", where=where, remedy="check the database; then try again")


def no_url(why: object) -> InputError:
    """The error for a URL that names no database that can be opened."""
    remedy = (
        "give a SQLAlchemy URL such as sqlite:///state.db or postgresql+psycopg2://host/name, and install its driver"
    )
    return InputError(f"the state's URL does not work: {why}", where="CONTEXT_PLANE_STATE", remedy=remedy)


def shown(url: str) -> str:
    """A URL as it may be printed: without its password, and without what cannot be told from one."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        return f"{url.partition(':')[0]}:…"


def _code(error: SQLAlchemyError) -> int | str | None:
    """SQLite's extended result code, or PostgreSQL's SQLSTATE (by the name that psycopg2 or psycopg has for it)."""
    orig = getattr(error, "orig", None)
    for name in ("sqlite_errorcode", "pgcode", "sqlstate"):
        code: int | str | None = getattr(orig, name, None)
        if code is not None:
            return code
    return None
