"""What every test shares: hypothesis profiles, a clean environment, the real data, and the report of what was skipped.

Fixtures that only one package's tests use belong in that folder's conftest.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.configuration import set_hypothesis_home_dir

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[1]
DATA_VARIABLE = "CONTEXT_PLANE_TEST_DATA"

# Set by a user or a shell, these would point a test at a real home or a real bucket.
FOREIGN_SETTINGS = (
    "CONTEXT_PLANE_HOME CONTEXT_PLANE_STORE CONTEXT_PLANE_STATE CONTEXT_PLANE_EMBEDDER CONTEXT_PLANE_GRAIN "
    "CONTEXT_PLANE_FAULT DAGSTER_HOME AWS_PROFILE AWS_ENDPOINT_URL"
).split()
QUIET_SETTINGS = {
    "AWS_EC2_METADATA_DISABLED": "true",  # else a missing credential is looked for on the network
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "MPLBACKEND": "Agg",
    # Loading LanceDB and a model costs a process two seconds; tests that are about vectors name their embedder.
    "CONTEXT_PLANE_EMBEDDER": "none",
}

# A deadline measures the machine, not the code.
settings.register_profile("default", max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("default"), derandomize=True, database=None, print_blob=True)
settings.register_profile("soak", settings.get_profile("default"), max_examples=2_000)


def pytest_configure(config: pytest.Config) -> None:
    """Choose the hypothesis profile and take the user's settings out of the environment."""
    set_hypothesis_home_dir(REPOSITORY / ".cache" / "hypothesis")
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))
    for name in FOREIGN_SETTINGS:
        os.environ.pop(name, None)
    os.environ.update(QUIET_SETTINGS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever asks for the real data, so that the report can count it."""
    for item in items:
        if "data_dir" in getattr(item, "fixturenames", ()):
            item.add_marker("realdata")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets; skips the test where it is absent."""
    folder = Path(os.environ.get(DATA_VARIABLE) or REPOSITORY.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set {DATA_VARIABLE} to the folder that holds it")
    return folder.resolve()


class Tally:
    """What the terminal reporter does not keep: reasons of skips by test, and real-data tests that ran."""

    def __init__(self) -> None:
        self.skips: list[tuple[str, str]] = []
        self.real: set[str] = set()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skips.append((report.nodeid, reason_of(report)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skips.append((report.nodeid, reason_of(report)))
        elif report.when == "call" and "realdata" in report.keywords:
            self.real.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
        """Print the skips after every other section, so that they are the run's last lines."""
        yield
        terminalreporter.ensure_newline()
        terminalreporter.section(f"{len(self.real)} tests ran on real data; {len(self.skips)} skipped")
        by_reason: dict[str, list[str]] = {}
        for test, reason in self.skips:
            by_reason.setdefault(reason, []).append(test)
        for reason, tests in by_reason.items():
            terminalreporter.write_line(f"SKIPPED [{len(tests)}] {reason}")
            for test in tests:
                terminalreporter.write_line(f"    {test}")


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The words given to skip()."""
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Register the tally last, so that its summary wraps the terminal reporter's."""
    session.config.pluginmanager.register(Tally(), "tally")
