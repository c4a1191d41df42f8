"""A PostgreSQL server for tests, where the machine has the programs: started on loopback, ended with the session."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


def programs() -> Path | None:
    """The folder of `initdb` and `postgres`; Debian keeps them out of the path."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The SQLAlchemy URL of an empty database."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory(prefix="pg-") as place:
        # It refuses to run as root; Debian's package makes a user for it.
        user = "postgres" if os.getuid() == 0 else None
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(place, entry.pw_uid, entry.pw_gid)
        _run([str(folder / "initdb"), "-D", f"{place}/data", "-A", "trust", "-U", "plane"], user, place)
        options = f"-p {port} -k {place} -c listen_addresses=127.0.0.1 -c fsync=off"
        control = [str(folder / "pg_ctl"), "-D", f"{place}/data"]
        _run([*control, "-o", options, "-l", f"{place}/log", "-w", "start"], user, place)
        try:
            yield f"postgresql+psycopg2://plane@127.0.0.1:{port}/postgres"
        finally:
            _run([*control, "-m", "immediate", "-w", "stop"], user, place)


def _run(command: list[str], user: str | None, folder: str) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user)


def fresh(url: str) -> str:
    """The URL of a new database of a server."""
    from sqlalchemy import create_engine

    name = f"d{uuid.uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    engine.dispose()
    return f"{url.rpartition('/')[0]}/{name}"


def cut(url: str) -> None:
    """Ends all connections to a database, as a server that is started again does."""
    from sqlalchemy import create_engine

    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND datname = current_database()"
        )
    engine.dispose()
