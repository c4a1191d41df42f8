"""Running processes: the time that the engine adds to ten steps that do nothing, beside Dagster's for ten ops."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.clock import timed
from context_plane.plane import ContextPlane
from context_plane.processes.engine.engine import Wish
from context_plane.processes.linked import LinkedProcess, LinkedStep, Needs

_STEPS: Final = 10
_WINDOW: Final = (0, 40_000)
_RUNS: Final = 200
_ACTIONS: Final = '''
"""An action that does nothing."""

from context_plane.processes import action


@action("nothing")
def nothing(step):
    return {"n": 1}
'''


def runs(folder: Path) -> Iterator[dict[str, Any]]:
    """Ten steps: with a key, without one (two durable writes each), with a context each; and ten ops of Dagster's.

    A run is accepted, run and durable; sealing into the log goes on beside it, as it does in use. Each case has a plane
    of its own; the last is asked of one that is materialized, and again after its runs, which nothing has materialized.
    """
    for name, how, count in (
        ("with a key", {"keyed": True}, _RUNS),
        ("without", {}, _RUNS),
        ("with a context", {"keyed": True, "context": Needs(("memory", "events"), budget=500)}, 60),
    ):
        home = folder / name.replace(" ", "-")
        (home / "processes").mkdir(parents=True)
        (home / "processes" / "acts.py").write_text(_ACTIONS)
        made = _process(name, how)
        with ContextPlane.open(home) as plane:
            plane.ingest("acme", [_event(n) for n in range(200)])
            _build(plane)
            yield timed(f"ten steps, {name}", lambda _, on=plane, each=made: _run(on, each), count)
    yield timed("Dagster, ten ops in process", _dagster(), 30)


def _build(plane: ContextPlane) -> None:
    builder = plane.builder("acme")
    builder.build(_WINDOW)
    builder.publish()


def _run(plane: ContextPlane, process: LinkedProcess) -> None:
    head, _ = plane.engine.accept(Wish("acme", process, {}, "customer/1"))
    done = plane.engine.run(head.id)
    assert done.status == "succeeded", done.reason


def _process(name: str, how: dict[str, Any]) -> LinkedProcess:
    steps = tuple(LinkedStep(f"s{n}", "nothing", description="Do nothing", **how) for n in range(_STEPS))
    return LinkedProcess(name.replace(" ", "_"), 1, steps=steps)


def _event(number: int) -> dict[str, Any]:
    return {
        "id": str(number), "source": "crm", "type": "crm.note", "subject": f"customer/{number % 20}",
        "time": f"2026-03-01T09:{number % 60:02}:00Z", "data": {"text": f"Asked about invoice {number}"},
    }  # fmt: skip


def _dagster() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import dagster as dg

    def op(number: int) -> Any:
        @dg.op(name=f"op{number}")
        def nothing(before: int) -> int:
            return before

        return nothing

    @dg.op
    def first() -> int:
        return 1

    @dg.job(executor_def=dg.in_process_executor)
    def ten() -> None:
        value = first()
        for number in range(_STEPS - 1):
            value = op(number)(value)

    config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    return lambda _: ten.execute_in_process(run_config=config)
