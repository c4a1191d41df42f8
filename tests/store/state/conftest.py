"""States of each kind: an SQLite file, and a new database of a PostgreSQL server where the machine has one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.engine.conftest import postgres  # noqa: F401
from tests.processes.engine.postgres import fresh


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that nobody has opened yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state/state.db"
    return fresh(request.getfixturevalue("postgres"))
