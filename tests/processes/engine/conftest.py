"""The engine over each kind of state: SQLite in the home, and PostgreSQL where the machine has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.engine.harness import Harness
from tests.processes.engine.postgres import programs, server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server; skips where there is none."""
    folder = programs()
    if folder is None:
        pytest.skip("no PostgreSQL: apt-get install postgresql, to test the state on it")
    with server(folder) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    """An engine over an empty state."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgres")
    made = Harness(tmp_path, url=url)
    yield made
    made.engine.close()
    made.database.close()
