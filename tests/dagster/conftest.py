"""A home with a spec, and Dagster instances: in memory for runs, on disk for what asks an instance by reference."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef

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
def empty_dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Dagster home with tables and nothing in them: making them takes seconds, copying them none."""
    folder = tmp_path_factory.mktemp("dagster")
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder))) as made:
        made.get_runs_count()
    return folder


@pytest.fixture
def disk_instance(empty_dagster_home: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    folder = tmp_path / "dagster"
    shutil.copytree(empty_dagster_home, folder)
    with dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(folder))) as made:
        yield made
