"""Any edits one after the other: a compiler that goes on says what one says that begins anew, and hides no fault."""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from context_plane.processes.compiler.cache import NAME
from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.compiler.surroundings import Surroundings
from context_plane.processes.linked import Declared
from tests.processes.corpus.world import ACTIONS, GATES, FakeRegistry, surroundings

MARK: Final = "---\n"
DOCUMENTS: Final = """\
interface: i0
version: 1
required_gates: [g0]
required_steps: [{id: s1, description: d}]
inputs: {x: {type: text, default: a}}
---
interface: i1
version: 1
trigger: {type: event, match: {type: t9}}
---
action: a0
run: [echo, "${inputs.p}"]
inputs: {p: {type: text}, q: {type: integer, default: 3}}
---
action: a1
prompt: "ask ${inputs.p}"
inputs: {p: {type: any}}
model: {speed: fast}
---
gate: g0
run: [test, -f, x]
---
gate: g1
run: [test, -f, "${inputs.p}"]
inputs: {p: {type: text, default: a}}
---
process: p0
version: 1
abstract: true
inputs: {x: {type: text, default: a}}
gates: [branch_clean, g0]
knowledge: [engineering.testing]
steps:
  - {id: s0, action: a0, inputs: {p: "${inputs.x}"}, gates: [g1]}
  - {id: s1, abstract: true}
  - {id: s2, action: a1, inputs: {p: "${steps.s0.output}"}, context: {needs: [knowledge, state]}}
---
process: p1
version: 1
extends: p0
implements: [i0, i1]
steps:
  - {id: s1, action: write_code, gates: [{gate: g1, inputs: {p: b}}]}
---
process: p2
version: 1
extends: p1
knowledge: [project.ci_pipeline, inherit: all]
inputs: {y: {type: list, default: []}}
steps:
  - {id: s3, action: x.y, inputs: {p: "${inputs.y}"}, after: s0}
---
process: p3
version: 2
extends: p2
entity: "e/${inputs.x}"
trigger: {type: event, match: {type: t1}}
steps:
  - {id: s4, action: ingest, inputs: {events: [{type: t2, data: {a: 1}}]}}
---
process: p4
version: 1
implements: i0
trigger: {type: event, match: {type: t2}}
inputs: {x: {type: text, default: a}}
gates: [g0]
steps:
  - {id: s1, action: ask, inputs: {p: "${inputs.x}"}}
  - {id: s2, action: http.get, inputs: {url: "${inputs.x}"}}
---
process: p5
version: 1
extends: p4
steps:
  - inherit: all
  - {id: s9, run: [echo, "${steps.s1.output.text}"], timeout: 3s}
"""
TOKENS: Final = [
    ("p0", "p1"), ("p1", "p0"), ("p2", "p3"), ("p4", "p1"), ("text", "list"), ("list", "any"), ("list", "text"),
    ("version: 1", "version: 2"), ("version: 2", "version: 1"), ("abstract: true", "abstract: false"),
    ("abstract: false", "abstract: true"), ("t2", "t1"), ("t1", "t2"), ("t9", "t2"), ("s1", "s5"), ("s5", "s1"),
    ("a0", "a1"), ("g0", "g1"), ("g1", "g0"), ("default: a", "default: b"), (", default: a", ""), ("i1", "i0"),
    ("after: s0", "before: s2"), ("engineering.testing", "nope"), ("nope", "engineering.testing"), ("run:", "runn:"),
    ("runn:", "run:"), ("{y:", "{x:"), ("x:", "z:"), ("z:", "x:"), ("write_code", "a0"), ("[g0]", "[g0, g1]"),
    ("fast", "normal"), ("3s", "4s"), (MARK, f"{MARK}# c\n"), ("default: b", 'default: "${event.id}"'),
    ("]\n", "\n"), ("inputs: {p: b}", "inputs: {p: '${inputs.x}'}"), ("version: 1\nextends", "sealed: true\nextends"),
]  # fmt: skip
"""What is written, and what is written instead; most of it and back."""
FILES: Final = ("a.yaml", "b.yaml", "c/d.yml")
WHERE: Final = st.floats(0, 1, exclude_max=True)
PLACES: Final = st.lists(st.sampled_from(FILES), min_size=12, max_size=12)
"""The file of each document."""


def world(number: int) -> Surroundings:
    """Other surroundings by other numbers."""
    given: Any = ACTIONS["http.get"]
    actions = dict(ACTIONS)
    actions["x.y"] = replace(
        given, name="x.y", inputs={"p": Declared("list" if number % 4 else "text")}, keyed=bool(number % 3)
    )
    if number % 7 == 2:
        actions["write_code"] = replace(given, name="write_code", inputs={"p": Declared("list")})
    gates = {name: each for name, each in GATES.items() if number % 6 or name != "branch_clean"}
    return surroundings(models=number % 5 != 0, fingerprint=f"{number}", registry=FakeRegistry(actions, gates))


def told(catalog: Catalog, prefix: str = "") -> dict[str, Any]:
    """All that a catalog says."""
    return {
        "diagnostics": [str(each).replace(prefix, "") for each in catalog.diagnostics],
        "processes": {name: each.digest for name, each in catalog.processes.items()},
        "broken": catalog.broken, "reused": dict(catalog.reused), "interfaces": set(catalog.interfaces),
        "sources": {name: (place.file.replace(prefix, ""), *place[1:]) for name, place in catalog.sources.items()},
    }  # fmt: skip


def reasoned(catalog: Catalog) -> bool:
    """Whether nothing is broken in silence, and nothing is both."""
    return bool(catalog.errors or not catalog.broken) and not catalog.broken & set(catalog.processes)


class Editing(RuleBasedStateMachine):
    """A folder that somebody edits."""

    record = True

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="editing-"))
        self.world = 1
        (self.folder / "c").mkdir()
        self.warm = Compiler(self.folder, world(1), record=self.record)

    def teardown(self) -> None:
        shutil.rmtree(self.folder)

    @initialize(where=PLACES)
    def write(self, where: list[str]) -> None:
        for name in FILES:
            some = [each for each, at in zip(DOCUMENTS.split(MARK), where, strict=True) if at == name]
            (self.folder / name).write_text(MARK.join(some))

    def edit(self, name: str, change: Any) -> None:
        path = self.folder / name
        path.write_text(change(path.read_text()))

    @rule(token=st.sampled_from(TOKENS), where=WHERE)
    def replace(self, token: tuple[str, str], where: float) -> None:
        """One of all the places where something is written."""
        texts = {name: (self.folder / name).read_text() for name in FILES}
        found = [(name, match.start()) for name in FILES for match in re.finditer(re.escape(token[0]), texts[name])]
        if found:
            name, at = found[int(where * len(found))]
            self.edit(name, lambda text: text[:at] + token[1] + text[at + len(token[0]) :])

    @rule(number=st.integers(0, 5), key=st.sampled_from(["description: {}", "entity: e/{}", "workspace: w/{}"]))
    def say(self, number: int, key: str) -> None:
        """A process has one thing more, and all that is made of it."""
        start = f"process: p{number}\n"
        for name in FILES:
            self.edit(name, lambda text: text.replace(start, f"{start}{key.format(number)}\n", 1))

    @rule(name=st.sampled_from(FILES), other=st.sampled_from(FILES), where=WHERE, copy=st.booleans())
    def move(self, name: str, other: str, where: float, copy: bool) -> None:
        """A document goes to the end of another file, or of its own, and may be left where it was."""
        documents = (self.folder / name).read_text().split(MARK)
        taken = documents[int(where * len(documents))]
        if not copy:
            self.edit(name, lambda text: MARK.join(each for each in text.split(MARK) if each != taken))
        self.edit(other, lambda text: MARK.join([*([text] if text else []), taken]))

    @rule(name=st.sampled_from(FILES))
    def shift(self, name: str) -> None:
        self.edit(name, lambda text: f"# moved\n{text}")

    @rule(where=PLACES)
    def restore(self, where: list[str]) -> None:
        self.write(where)

    @rule(number=st.integers(0, 30))
    def surround(self, number: int) -> None:
        self.world = number

    @invariant()
    def all_ways_say_the_same(self) -> None:
        """Going on, taking over what another process kept, and beginning anew."""
        found = self.warm.compile(world(self.world))
        if self.record:
            kept = Compiler(self.folder, world(self.world)).compile()
            assert (told(kept), kept.digest) == (told(found), found.digest)
            (self.folder / ".compiled" / NAME).unlink(missing_ok=True)
        anew = Compiler(self.folder, world(self.world), record=False).compile()
        assert (told(anew), anew.digest) == (told(found), found.digest)
        assert reasoned(found)

    @invariant()
    def checking_says_what_compiling_says(self) -> None:
        """Of all files at once, seen from elsewhere, and of each where it is."""
        if self.record:  # elsewhere nothing is recorded
            return
        found = Compiler(self.folder, world(self.world), record=False).compile()
        elsewhere = Compiler(self.folder / "none", world(self.world), record=False).check([self.folder])
        assert told(elsewhere, f"{self.folder}/") == told(found)
        for name in FILES:
            one = Compiler(self.folder, world(self.world), record=False).check([self.folder / name])
            said = {str(each).replace(f"{self.folder}/", "") for each in one.diagnostics}
            assert {_where(each) for each in found.diagnostics if each.place.file == name} <= {
                _where(each, f"{self.folder}/") for each in one.diagnostics
            }, said
            assert one.broken <= found.broken
            assert reasoned(one)


def _where(told: Any, prefix: str = "") -> tuple[str, str, int, int]:
    return told.code, told.place.file.replace(prefix, ""), told.place.line, told.place.column


class Drafting(Editing):
    """The same, with nothing recorded."""

    record = False


@pytest.mark.parametrize("machine", [Editing, Drafting])
def test_a_few_edits(machine: type[Editing]) -> None:
    phases = [Phase.explicit, Phase.reuse, Phase.generate]
    how = settings(max_examples=25, stateful_step_count=15, deadline=None, phases=phases)
    run_state_machine_as_test(machine, settings=how)  # type: ignore[no-untyped-call]


@pytest.mark.soak
@pytest.mark.parametrize("machine", [Editing, Drafting])
def test_many_edits(machine: type[Editing]) -> None:
    """The same machine for as long as `make soak` wants."""
    how = settings(max_examples=400, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(machine, settings=how)  # type: ignore[no-untyped-call]
