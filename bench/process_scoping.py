"""Per-step scoping: the tokens of each step's context in `fix_ci_failure` against injecting everything in every step.

Seed 001 (5.3) has the table with estimates: 1,667 tokens a step, 10,000 for six steps, against 50,000 six times, 97 %
fewer. Here both sides are measured on the example's home by the same code: once the process as it is, once a child of
it whose steps need all that the home has. The topics of the example were written to be about as long as those of the
seed's table, so that the contexts are as large is no finding; how large everything is, and what scoping saves of it,
depends on the home: here it is ten topics, where the seed assumes 50,000 tokens. ``python -m bench.process_scoping``
prints a table.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from context_plane.plane import ContextPlane
from context_plane.processes.engine.state import Execution
from context_plane.processes.linked import LinkedProcess

EXAMPLES: Final = Path(__file__).parents[1] / "examples"
SEED: Final = {
    "read_failure": 1_200, "locate_source": 2_400, "diagnose": 1_800, "implement_fix": 3_200, "verify": 800,
    "commit": 600,
}  # fmt: skip
SEED_EVERYTHING: Final = 50_000
"""Tokens that the seed takes a conventional system to inject, in each step."""
TENANT: Final = "acme"
_PROCESS: Final = "fix_ci_failure"
_CHILD: Final = "fix_ci_failure_with_everything"
_BUDGET: Final = 200_000


def scoping(folder: Path) -> Iterator[dict[str, Any]]:
    """One line for each step, and one for the run."""
    scoped, topics = _run(folder / "scoped", _PROCESS)
    everything, _ = _run(folder / "everything", _CHILD)
    whole = sum(topics.values())
    rows = []
    for step in scoped.process.steps:
        assert step.context is not None
        mine, all_ = (_tokens(each, step.id) for each in (scoped, everything))
        rows.append((mine, all_))
        yield {
            "what": step.id, "topic": step.context.topics[0], "topic tokens": topics[step.context.topics[0]],
            "context": mine, "everything": all_, "fewer": round(1 - mine / all_, 4), "seed": SEED[step.id],
        }  # fmt: skip
    total, all_total = (sum(column) for column in zip(*rows, strict=True))
    of_seed = round(1 - total / (SEED_EVERYTHING * len(rows)), 4)
    yield {
        "what": "run", "steps": len(rows), "topics": len(topics), "knowledge": whole, "context": total,
        "mean": round(total / len(rows)), "everything": all_total, "fewer": round(1 - total / all_total, 4),
        "seed": sum(SEED.values()), "fewer than the seed's everything": of_seed,
    }  # fmt: skip


def table(figures: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The figures as Markdown, in the order of the seed's table."""
    *steps, run = figures
    yield "| step | knowledge needed | topic | context | everything | fewer | seed |"
    yield "|---|---|---|---|---|---|---|"
    for each in steps:
        counts = " | ".join(f"{each[name]:,}" for name in ("topic tokens", "context", "everything"))
        yield f"| {each['what']} | {each['topic']} | {counts} | {each['fewer']:.1%} | {each['seed']:,} |"
    spent = f"{run['context']:,} | {run['everything']:,} | {run['fewer']:.1%} | {run['seed']:,} |"
    yield f"| all {run['steps']} | {run['topics']} topics in the home | {run['knowledge']:,} | {spent}"
    yield ""
    times, fewer = run["everything"] / run["context"], run["fewer than the seed's everything"]
    yield f"{run['mean']:,} tokens a step; {times:.1f} times as many with everything in each."
    yield f"Against the seed's {SEED_EVERYTHING:,} a step: {fewer:.1%} fewer."


def _run(home: Path, process: str) -> tuple[Execution, dict[str, int]]:
    """The process on a fresh copy of the example, and the tokens of the home's topics."""
    shutil.copytree(EXAMPLES / "processes", home)
    event = json.loads((EXAMPLES / "events" / "ci-failure.json").read_text())
    with ContextPlane.open(home, embedder="none") as plane:
        plane.learn(TENANT)
        topics = {each.name: each.tokens for each in plane.topics(TENANT)}
        child = _with_everything(plane.process(_PROCESS), sorted(topics))
        (home / "processes" / "everything.yaml").write_text(json.dumps(child))
        plane.run("prepare_repository", tenant=TENANT)
        plane.ingest(TENANT, [event])
        done = plane.run(process, tenant=TENANT, event=event)
        if done.status != "succeeded":
            raise SystemExit(f"error: {process}: {done.reason}")
    return done, topics


def _with_everything(process: LinkedProcess, topics: Sequence[str]) -> dict[str, Any]:
    """A child of the process whose steps need all there is: knowledge, entity, memory, events, links and state."""
    needs = ["entity", "memory", "events", "links", "state", {"knowledge": list(topics)}]
    return {
        "process": _CHILD, "version": 1, "extends": process.name, "trigger": {"type": "manual"},
        "steps": [
            {
                "id": step.id, "action": step.action, "description": step.description, "inputs": dict(step.inputs),
                "context": {"needs": needs, "budget": _BUDGET},
            }
            for step in process.steps
        ],
    }  # fmt: skip


def _tokens(execution: Execution, step: str) -> int:
    context = execution.steps[step].context
    assert context is not None
    return int(context["tokens"])


def main() -> None:
    """Prints the table."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for line in table(list(scoping(Path(folder)))):
            print(line)


if __name__ == "__main__":
    main()
