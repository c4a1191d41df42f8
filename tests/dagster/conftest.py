"""A home with a spec, and Dagster instances: in memory for runs, on disk for what asks an instance by reference."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import dagster as dg
import pytest

from context_assets.instance import open_instance
from tests.dagster.world import Home
from tests.dagster.world import home as open_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with open_home(tmp_path / "home") as made:
        yield made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="session")
def memory_disk() -> Iterator[Path]:
    """A folder in memory where the machine has such: most of the time of a run on SQLite is the disk's."""
    shared = Path("/dev/shm")
    with TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def empty_dagster_home(memory_disk: Path) -> Path:
    """A Dagster home with tables and nothing in them: making them takes a second, copying them none."""
    folder = memory_disk / "empty"
    with open_instance(folder):
        return folder


@pytest.fixture
def dagster_home(empty_dagster_home: Path, memory_disk: Path) -> Iterator[Path]:
    folder = memory_disk / uuid4().hex
    shutil.copytree(empty_dagster_home, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def disk_instance(dagster_home: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(dagster_home) as made:
        yield made
