"""No search waits for a loop to be compiled: all are called beforehand, over arrays of the kinds that searches have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from context_plane.retrieval.scoring import kernels
from tests.retrieval.planes import materialize, opened
from tests.retrieval.test_slices import event

DECLARED = "source: {source}\nformat: cloudevents\nindex: {{neighbours: {{before: 1, after: 1}}}}\n"


def counts() -> dict[str, int]:
    """How many kinds of arguments each loop was compiled for."""
    loops: Any = kernels.choice.load()
    return {name: len(loop.signatures) for name, loop in vars(loops).items() if hasattr(loop, "signatures")}


def search_in_every_way(folder: Path) -> None:
    """Tail alone, materialized, both, reopened; with and without neighbours; every mode, filter and cut."""
    for chained in (False, True):
        home = folder / str(chained)
        (home / "sources").mkdir(parents=True)
        if chained:
            (home / "sources" / "chat.yaml").write_text(DECLARED.format(source=event(0)["source"]))
        for step in range(4):
            with opened(home) as plane:
                if step != 3:
                    few = 200 if chained else 4_200  # as many as have a graph
                    plane.ingest("acme", [event(number) for number in range(step * few, (step + 1) * few)])
                if step:
                    materialize(plane)
                for mode in ("bm25", "vector", "hybrid"):
                    for kept in ({}, {"entity": event(1)["subject"]}, {"type": "*a*"}, {"as_of": event(90)["time"]}):
                        plane.search("acme", "alpha note 7", mode=mode, **kept)


def test_nothing_is_compiled_in_a_search(tmp_path: Path) -> None:
    """In a process of its own, for others have called loops with arguments of other kinds."""
    code = (
        "import sys; from pathlib import Path; from tests.retrieval.test_exercise import counts, search_in_every_way\n"
        "before = counts(); search_in_every_way(Path(sys.argv[1])); after = counts()\n"
        "print({name: (before[name], after[name]) for name in after if after[name] != before[name]})"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], env={**os.environ, "CONTEXT_PLANE_KERNELS": "compiled"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "{}"
