"""What a run tells: check results, plots, progress, and failures with their remedy."""

import io
from typing import Any

import dagster as dg
import pytest
from PIL import Image

from context_assets import checks
from context_assets.failures import RETRIES, explained
from context_assets.folding import Folded
from context_assets.names import asset_name
from context_assets.plot import draw, sparkline
from context_assets.progress import listening
from context_plane.errors import Corrupt, Unavailable
from context_plane.parts.part import Part
from context_plane.parts.timeline import Built
from tests.dagster.world import Home, events, number

DAY = number("2026-03-01")


def folded(home: Home, *verdicts: dict[str, bool]) -> Folded:
    """Parts of consecutive days with these verdicts, the last of which was built in the run."""
    parts = {DAY + at: Part(DAY + at, "v", 1, 1, 1, checks=each) for at, each in enumerate(verdicts)}
    built = Built(tuple(parts.values())[-1:], len(parts) - 1, 1)
    return Folded(home.builder(), "timeline", (DAY, DAY + 9), built, parts)


def test_a_check_names_the_days_that_failed(home: Home) -> None:
    """One result a check over all parts of the run's ranges; what was not checked does not count."""
    home.ingest(events("2026-03-01", 1))
    made = folded(home, {"row_count": True, "sorted": True}, {"row_count": False, "sorted": True}, {"sorted": True})
    rows, order, schema = checks.results(["row_count", "sorted", "schema"], [made])
    assert not rows.passed
    assert rows.metadata["failing"].value == "acme 2026-03-02"
    assert "1 of 2 parts fail and will not be published: acme 2026-03-02" in str(rows.description)
    assert order.passed
    assert order.metadata["parts checked"].value == 3
    assert schema.passed
    assert schema.description == "nothing to check in these windows"


@pytest.mark.parametrize("days", [1, 60, 120])
def test_a_plot_is_a_small_png(days: int) -> None:
    """A plot lies in the row of an event: a few kilobytes, far from the 50 that Dagster's page can bear."""
    image = draw("events a day", {DAY + at: (at * 7_919) % 100_000 for at in range(days)}, {DAY})
    assert len(image) < 10_000
    with Image.open(io.BytesIO(image)) as opened:
        assert (opened.format, opened.size) == ("PNG", (614, 163))


@pytest.mark.parametrize(
    ("values", "line"),
    [([], " (most 0)"), ([0, 0], "▁▁ (most 0)"), ([0, 50, 100], "▁▄█ (most 100)"), ([1_234], "█ (most 1,234)")],
)
def test_a_sparkline_is_scaled_to_its_highest_value(values: list[int], line: str) -> None:
    """The UI shows this line at once, and the plot at a click."""
    assert sparkline(dict(enumerate(values))) == line


def test_only_an_unreachable_store_is_asked_again() -> None:
    """`Unavailable` becomes a retry that waits longer each time; any other error of the plane a failure without one."""
    waits = []
    for retry in range(RETRIES):
        with pytest.raises(dg.RetryRequested) as again, explained(retry):
            raise Unavailable("no answer")
        assert again.value.max_retries == RETRIES
        waits.append(again.value.seconds_to_wait)
    assert waits == [10.0, 20.0, 40.0]
    with pytest.raises(dg.Failure) as failed, explained():
        raise Corrupt("damaged", where="a key", remedy="restore it")
    assert not failed.value.allow_retries
    assert failed.value.description == "damaged (a key): restore it"
    assert {name: value.value for name, value in failed.value.metadata.items()} == {
        "where": "a key",
        "remedy": "restore it",
    }


def test_progress_goes_to_whoever_listens(home: Home, instance: dg.DagsterInstance) -> None:
    """A command that runs the job in its own process sees every part of every asset."""
    home.ingest(events("2026-03-01", 3))
    heard: list[tuple[Any, ...]] = []
    with listening(lambda *told: heard.append(told)):
        assert home.refresh(instance, "2026-03-01", "2026-03-03").success
    assets = ("timeline", "bm25_index", "customer_v0", "memory_chains")
    assert heard == [(asset, "acme", done, 3) for asset in assets for done in (1, 2, 3)]


@pytest.mark.parametrize(
    "name",
    [
        *("events", "timeline", "snapshot", "bm25_index", "embeddings", "memory_nodes", "memory_chains", "refresh"),
        *("class", "input", "type"),
    ],
)
def test_a_spec_may_have_any_name(home: Home, name: str) -> None:
    """Names that Dagster, Python or the graph has taken give their assets another one, and the graph loads."""
    before = keys(home)
    home.write_spec("odd", f"context: {name}\nentity: customer\nfields: {{n: {{count: true}}}}\n")
    dg.Definitions.validate_loadable(home.graph().definitions())
    assert asset_name(name) == f"context_{name}"
    assert keys(home) == {*before, f"context_{name}"}


def keys(home: Home) -> set[str]:
    """Names of the assets of a home's graph."""
    graph = home.graph().definitions().resolve_asset_graph()
    return {key.to_user_string() for key in graph.get_all_asset_keys()}
