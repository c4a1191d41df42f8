"""Compiling processes: a thousand steps, five hundred processes that inherit, and the corpus of broken files.

Everything through `Compiler.compile()`, with what it writes beside the sources. The floor of the thousand steps is the
C parser's events for the same text, without which no reader with places can do. ``python -m bench.processes_compile``
prints a line for each figure.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from bench.clock import process, stopwatch
from context_plane.processes.compiler.compiler import Compiler
from tests.processes.corpus.cases import VALID, compiled, expected, told
from tests.processes.corpus.world import surroundings

STEPS: Final = 1_000
CHAINS, LEVELS, STEPS_OF_LEVEL = 100, 5, 6
_REPEATS: Final = 15
_SETTLED: Final = 0.2
"""Seconds after which an unchanged file is known to be by its time alone."""
_NEXT_PROCESS: Final = (
    "import sys, time\n"
    "from context_plane.processes.compiler.compiler import Compiler\n"
    "from tests.processes.corpus.world import surroundings\n"
    "begun = time.perf_counter()\n"
    "catalog = Compiler(sys.argv[1], surroundings()).compile()\n"
    "catalog.processes[sys.argv[2]]\n"
    "print((time.perf_counter() - begun) * 1_000, len(catalog.processes))\n"
)
"""A process that compiles a folder and takes one of its processes; what it imports is not timed."""


def thousand(folder: Path) -> Iterator[dict[str, Any]]:
    """One process of a thousand steps, cold; with its records, and with nothing written."""
    text = "process: large\nversion: 1\nsteps:\n" + "".join(_step(f"step_{n}", n) for n in range(STEPS))

    def cold(number: int, record: bool) -> Compiler:
        compiler = Compiler(folder / f"{record}-{number}", surroundings(), record=record)
        assert compiler.compile().processes["large"].digest
        return compiler

    for record, how in ((True, "recorded"), (False, "nothing written")):
        for number in range(_REPEATS + 1):
            (folder / f"{record}-{number}").mkdir()
            (folder / f"{record}-{number}" / "large.yaml").write_text(text)
        figures = _median(lambda n, record=record: cold(n, record))
        yield {"what": f"{STEPS:,} steps, cold, {how}", **figures, "lines": text.count("\n"), "bar_ms": 25}
    yield {"what": "floor: the C parser's events", **_median(lambda _: _events(text))}


def inheriting(folder: Path) -> Iterator[dict[str, Any]]:
    """A hundred chains of five processes, a file each: cold, after an edit of a root and of a leaf, unchanged, and in a
    new process with and without what the last one left."""
    for name, text in _chains():
        (folder / f"{name}.yaml").write_text(text)
    time.sleep(_SETTLED)
    compiler = Compiler(folder, surroundings())
    with stopwatch() as watch:
        catalog = compiler.compile()
    steps = sum(len(each.steps) for each in catalog.processes.values())
    head = f"{len(catalog.processes)} processes, {LEVELS} deep"
    yield {"what": f"{head}, cold", "ms": _ms(watch.seconds), "steps": steps, "bar_ms": 1_000}
    for which, level in (("root", 0), ("leaf", LEVELS - 1)):

        def edit(number: int, level: int = level) -> None:
            path = folder / f"chain_{number + level}_{level}.yaml"
            path.write_text(path.read_text().replace("version: 1", "version: 2"))

        yield {"what": f"after one edit of a {which}", **_median(lambda _: compiler.compile(), edit), "bar_ms": 50}
    time.sleep(_SETTLED)
    yield {"what": "nothing changed", **_median(lambda _: compiler.compile())}
    yield from _next_processes(folder)


def _next_processes(folder: Path) -> Iterator[dict[str, Any]]:
    cache = folder / ".compiled" / "catalog.jsonl"
    for what in ("in a new process, unchanged", "in a new process, without the cache"):
        times = []
        for _ in range(5):
            if "without" in what:
                cache.unlink()
            done = process(["-c", _NEXT_PROCESS, str(folder), "chain_7_4"])
            milliseconds, count = done["out"].split()
            assert int(count) == CHAINS * LEVELS
            times.append(float(milliseconds))
        yield {"what": what, "ms": round(statistics.median(times), 1), "max_ms": round(max(times), 1)}


def corpus(folder: Path) -> Iterator[dict[str, Any]]:
    """The broken files whose every finding is told at its exact place and nothing else, and what is told of the valid
    ones."""
    exact, cases = 0, expected()
    for case in cases:
        (folder / case).mkdir()
        exact += told(compiled(case, folder / case)) == cases[case]
    codes = {each.code for case in cases.values() for each in case}
    valid = Compiler(VALID, surroundings(), record=False).compile()
    share = round(exact / len(cases), 4)
    yield {"what": "broken files", "cases": len(cases), "codes": len(codes), "exact": share, "bar": 1.0}
    yield {"what": "valid files", "processes": len(valid.processes), "findings": len(valid.diagnostics), "bar": 0}


def compiling(folder: Path) -> Iterator[dict[str, Any]]:
    """All of them."""
    for measure in (thousand, inheriting, corpus):
        (folder / measure.__name__).mkdir()
        yield from measure(folder / measure.__name__)


def _median(call: Callable[[int], Any], before: Callable[[int], Any] | None = None) -> dict[str, float]:
    """Median and maximum of calls, in milliseconds, after one that warms up. Not timed: what is done `before` each,
    and that what it gave is freed."""
    times = []
    for number in range(_REPEATS + 1):
        if before is not None:
            before(number)
        begun = time.perf_counter()
        given = call(number)
        times.append(time.perf_counter() - begun)
        del given
    return {"ms": _ms(statistics.median(times[1:])), "max_ms": _ms(max(times[1:]))}


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)


def _events(text: str) -> int:
    import yaml

    return sum(1 for _ in yaml.parse(text, Loader=yaml.CSafeLoader))


def _step(id: str, number: int) -> str:
    return f"  - id: {id}\n    action: run_tests\n    description: Does the thing number {number} of the list\n"


def _chains() -> Iterator[tuple[str, str]]:
    """Names and texts: each level adds inputs and steps, half of them beside steps of its parent."""
    for chain in range(CHAINS):
        for level in range(LEVELS):
            name = f"chain_{chain}_{level}"
            head = f"process: {name}\nversion: 1\ndescription: Level {level} of chain {chain}\n"
            head += f"extends: chain_{chain}_{level - 1}\n" if level else "gates: [branch_clean]\n"
            head += f"inputs:\n  input_{level}: {{type: text, default: x}}\n"
            head += "" if level else "knowledge: [engineering.testing]\n"
            steps = ""
            for number in range(STEPS_OF_LEVEL):
                steps += _step(f"step_{level}_{number}", number)
                steps += f'    inputs: {{pattern: "${{inputs.input_{level}}}"}}\n'
                steps += f"    after: step_{level - 1}_{number}\n" if level and number % 2 else ""
            yield name, f"{head}steps:\n{steps}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        for figures in compiling(Path(home)):
            print(json.dumps(figures), flush=True)
