"""Loops: triggers that what their own runs write would set off for ever are refused, and no others."""

from __future__ import annotations

import itertools
import re
import time
from fnmatch import fnmatchcase, translate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.memory.nodes.node import LINK
from context_plane.processes.compiler.circles import circles
from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.compiler.globs import literal, overlap
from context_plane.processes.compiler.loops import Written, may_fit, pattern, written_by
from context_plane.processes.engine.journal import Head
from context_plane.processes.engine.records import Record
from context_plane.processes.engine.sealing import events
from context_plane.processes.linked import LinkedProcess, LinkedStep
from context_plane.processes.references import fill
from context_plane.processes.triggers.match import matches
from tests.processes.compiler.folders import codes, compiled, put
from tests.processes.corpus.cases import STEPS
from tests.processes.corpus.world import surroundings

ALPHABET = "ab."
GLOBS = st.lists(st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]"]), max_size=5).map("".join)


# --- patterns --------------------------------------------------------------------------------------------------------


@given(GLOBS, GLOBS)
def test_patterns_overlap_if_some_text_fits_both(one: str, other: str) -> None:
    """Every short text is tried; longer ones add nothing to such short patterns, and two classes may always meet."""
    texts = ("".join(each) for size in range(7) for each in itertools.product(ALPHABET, repeat=size))
    first, second = re.compile(translate(one)).match, re.compile(translate(other)).match
    common = any(first(text) and second(text) for text in texts)
    if common:
        assert overlap(one, other)
    elif "[" not in one or "[" not in other:
        assert not overlap(one, other)
    assert overlap(one, other) == overlap(other, one)


@given(st.text("ab*?[]!.", max_size=6))
def test_a_literal_fits_itself_alone(text: str) -> None:
    """Whatever signs it is made of."""
    assert fnmatchcase(text, literal(text))
    assert not fnmatchcase(text + "x", literal(text))


@given(st.text("ab*[${}.", max_size=8), st.text("ab*", max_size=4))
def test_a_text_with_references_may_become_what_its_pattern_says(text: str, value: str) -> None:
    """Whatever is filled in."""
    text = text.replace("${", "${inputs.x}").replace("$${inputs.x}", "$${")
    try:
        filled = fill(text, {"inputs": {"x": value}})
    except Exception:  # noqa: BLE001 - no reference: another check's business
        return
    assert fnmatchcase(filled, pattern(text))


def test_hostile_patterns_cost_little() -> None:
    """Stars do not multiply."""
    begun = time.monotonic()
    assert overlap("a*" * 90 + "b", "*a" * 90 + "b")
    assert not overlap("a*" * 90 + "b", "*a" * 90 + "c")
    assert overlap("*" * 100_000, "b" * 100_000)
    assert time.monotonic() - begun < 1


# --- agreement with what happens -------------------------------------------------------------------------------------

VALUES = st.sampled_from(["ci", "ci.x", "cortex.execution.finished", "7", 7, True, None, ["ci", 7], {"a": "ci"}])
WANTED = st.sampled_from(["ci", "c*", "cortex.*", "*", "[c]i", 7, True, None, ["ci", 7]])
KEYS = st.sampled_from(["source", "type", "subject", "a", "b", "data.a", "a.a", "data.source"])


@given(
    st.dictionaries(KEYS, WANTED, min_size=1, max_size=3),
    st.fixed_dictionaries({"type": st.sampled_from(["ci", "ci.x", "other"]), "source": st.sampled_from(["ci", "y"])}),
    st.dictionaries(st.sampled_from(["a", "b", "source"]), VALUES, max_size=2),
    st.sets(st.sampled_from(["a", "b"])),
)
def test_what_would_match_may_fit(
    match: dict[str, Any], attributes: dict[str, str], data: dict[str, Any], unknown: set[str]
) -> None:
    """Never is a loop missed because one who waits and one who writes understand a match differently; what is only
    known when it runs may be anything."""
    event = {**attributes, "subject": "s", "data": data}
    known = {key: "${event.data.x}" if key in unknown else value for key, value in data.items()}
    written = Written(literal(attributes["type"]), literal(attributes["source"]), "s", known)
    if matches(match, event):
        assert may_fit(match, written)
    elif not unknown:
        assert not may_fit({key: value for key, value in match.items() if value is not True}, written) or True in [
            *match.values()
        ]


# --- processes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "loops"),
    [
        ("{type: cortex.execution.*}", True),
        ("{type: cortex.execution.finished, process: check}", True),
        ("{type: cortex.execution.finished, data.process: ch*}", True),
        ("{type: cortex.execution.finished, process: [other, check]}", True),
        ("{type: cortex.execution.finished, status: failed}", True),
        ("{type: cortex.execution.finished, source: cortex/executions}", True),
        ("{type: [ci.finished, 'cortex.*']}", True),
        ("{type: cortex.execution.finished, process: other}", False),
        ("{type: cortex.execution.finished, process: check_2}", False),
        ("{type: cortex.execution.finished, source: elsewhere}", False),
        ("{type: cortex.execution.finished, version: 2}", False),
        ("{type: cortex.memory.observation}", True),
        ("{type: cortex.memory.outcome, origin: cortex}", True),
        ("{type: cortex.memory.*, source: cortex/memory}", True),
        ("{type: cortex.memory.outcome, session: acme.*}", True),
        ("{type: cortex.memory.link, kind: led_to}", True),
        ("{type: cortex.memory.link, kind: refines}", False),
        ("{type: cortex.memory.observation, origin: me}", False),
        ("{type: cortex.memory.observation, about: customer/a}", False),
        ("{type: cortex.memory.decision}", False),
        ("{type: cortex.knowledge.*}", False),
        ("{type: '*'}", False),
        ("{type: c*}", False),
        ("{source: cortex/executions}", False),
        ("{process: check}", False),
    ],
)
def test_records_of_a_run_set_off_only_who_asks_for_them(tmp_path: Path, match: str, loops: bool) -> None:
    """Events of the plane's own match only a `type` that begins with `cortex.`."""
    text = (
        f"process: check\nversion: 1\ntrigger: {{type: event, match: {match}}}\nsteps: [{{id: a, action: run_tests}}]\n"
    )
    assert codes(compiled(tmp_path, text)) == (["trigger-loop"] if loops else [])


def test_every_event_that_sealing_writes_is_one_that_the_compiler_knows() -> None:
    """Told of an execution from its acceptance to its end: none may be left out of what a run writes."""
    process = LinkedProcess("check", 1, steps=(LinkedStep("a", "note"),))
    id = f"acme.{'1' * 24}"
    event = {"id": "1", "type": "x.y", "source": "ci", "subject": "thing/a", "execution": f"acme.{'2' * 24}"}
    told = {"step": "a", "status": "done", "output": "fine", "error": ""}
    records = [
        Record(0, "accepted", 1, {"process": process.to_json(), "event": event}), Record(1, "step", 2, told),
        Record(2, "finished", 3, {"status": "succeeded", "reason": ""}),
    ]  # fmt: skip
    made = list(events(Head("acme", id, "check", 1, "", "thing/a", "succeeded", 1, 3), records, lambda: records))
    assert {each["type"] for each in made} >= {LINK, "cortex.memory.observation", "cortex.memory.outcome"}
    for each in made:
        match = {name: each[name] for name in ("type", "source", "subject")}
        match |= {f"data.{name}": value for name, value in each["data"].items()}
        assert any(may_fit(match, written) for written in written_by(process)), each


@pytest.mark.parametrize(
    ("match", "inputs", "loops"),
    [
        ("{type: a}", "{events: [{type: a}]}", True),
        ("{type: a}", "{events: [{type: b}, {type: a, data: {x: 1}}]}", True),
        ("{type: a}", "{events: [{type: 'a${inputs.x}'}]}", True),
        ("{type: ab*}", "{events: [{type: 'a${inputs.x}'}]}", True),
        ("{type: a}", "{events: '${event.data.events}'}", True),
        ("{type: a, source: process/check}", "{events: [{type: a}]}", True),
        ("{type: a, status: bad}", "{events: [{type: a, data: {status: '${steps.a.output.status}'}}]}", True),
        ("{type: a, deep.status: bad}", "{events: [{type: a, data: {deep: '${event.data}'}}]}", True),
        ("{type: a, status: bad}", "{events: [{type: a, data: {status: [good, bad]}}]}", True),
        ("{type: b}", "{events: [{type: a}]}", False),
        ("{type: b*}", "{events: [{type: 'a${inputs.x}'}]}", False),
        ("{type: a, source: ci}", "{events: [{type: a}]}", False),
        ("{type: a, source: ci}", "{events: '${event.data.events}', source: other}", False),
        ("{type: a, status: bad}", "{events: [{type: a, data: {status: good}}]}", False),
        ("{type: a, status: bad}", "{events: [{type: a}]}", False),
        ("{type: a, status: bad}", "{events: [{type: a, data: {status: 'not ${inputs.x}'}}]}", False),
        ("{type: cortex.memory.x}", "{events: '${event.data.events}'}", False),
    ],
)
def test_events_that_a_step_writes_set_off_who_may_wait_for_them(
    tmp_path: Path, match: str, inputs: str, loops: bool
) -> None:
    """What is written literally excludes; what is filled in may be anything."""
    text = (
        f"process: check\nversion: 1\ninputs: {{x: {{type: text, default: b}}}}\n"
        f"trigger: {{type: event, match: {match}}}\n"
        f"steps: [{{id: a, run: [echo, '${{inputs.x}}']}}, {{id: b, action: ingest, inputs: {inputs}}}]\n"
    )
    assert codes(compiled(tmp_path, text)) == (["trigger-loop"] if loops else [])


def test_a_circle_is_told_once_and_refuses_all_in_it(tmp_path: Path) -> None:
    """With the shortest way around; who is only set off by it, or sets it off, is not in it."""
    text = "---\n".join(
        f"process: {name}\nversion: 1\n"
        f"trigger: {{type: event, match: {{type: cortex.execution.*, process: {after}}}}}\n{STEPS}"
        for name, after in (
            ("c", "[b, before]"), ("a", "c"), ("b", "[a, c]"), ("behind", "a"), ("before", "nothing"),
        )
    )  # fmt: skip
    catalog = compiled(tmp_path, text)
    (found,) = catalog.diagnostics
    assert found.message == "a run of a would set off another, for ever: a → b → c → a"
    assert catalog.broken == {"a", "b", "c"}


def test_a_circle_that_another_closes_is_noticed(tmp_path: Path) -> None:
    """A process that did not change is in it, too; so is what extends one of it."""
    waits = "trigger: {type: event, match: {type: cortex.execution.finished, process: %s}}\n"
    put(tmp_path, f"process: one\nversion: 1\n{waits % 'two'}{STEPS}", "one.yaml")
    put(tmp_path, f"process: two\nversion: 1\n{waits % 'three'}{STEPS}", "two.yaml")
    put(tmp_path, "process: heir\nversion: 1\nextends: one\ntrigger: {type: manual}\n", "heir.yaml")
    compiling = Compiler(tmp_path, surroundings())
    assert codes(compiling.compile()) == []
    put(tmp_path, f"process: two\nversion: 2\n{waits % 'one'}{STEPS}", "two.yaml")
    catalog = compiling.compile()
    assert codes(catalog) == ["trigger-loop"]
    assert catalog.broken == {"one", "two", "heir"}
    put(tmp_path, f"process: two\nversion: 3\n{waits % 'three'}{STEPS}", "two.yaml")
    assert codes(compiling.compile()) == []


def test_an_abstract_process_runs_never(tmp_path: Path) -> None:
    """Its trigger is its children's, which are looked at."""
    text = """
        process: base
        version: 1
        abstract: true
        trigger: {type: event, match: {type: cortex.execution.finished, process: %s}}
        steps: [{id: a, action: run_tests}]
        ---
        process: child
        version: 1
        extends: base
        """
    assert codes(compiled(tmp_path / "one", text % "base")) == ["abstract-trigger"]
    catalog = compiled(tmp_path / "two", text % "child")
    assert sorted(codes(catalog)) == ["abstract-trigger", "trigger-loop"]
    assert catalog.broken == {"child"}


# --- circles ---------------------------------------------------------------------------------------------------------


@given(st.dictionaries(st.sampled_from("abcdef"), st.sets(st.sampled_from("abcdef")), max_size=6))
def test_circles_are_the_sets_that_lead_to_themselves(graph: dict[str, set[str]]) -> None:
    """By definition: whom a name reaches, and who reaches it back."""
    edges = {name: dict.fromkeys(after & set(graph)) for name, after in graph.items()}

    def reached(name: str) -> set[str]:
        found, todo = set[str](), list(edges[name])
        while todo:
            at = todo.pop()
            if at not in found:
                found.add(at)
                todo += edges[at]
        return found

    groups = {
        frozenset(other for other in edges if other in reached(name) and name in reached(other))
        for name in edges if name in reached(name)
    }  # fmt: skip
    found = list(circles(edges))
    assert {frozenset(group) for group, _ in found} == groups
    assert len(found) == len(groups)
    for group, path in found:
        assert path[0] == min(group)
        assert all(after in edges[name] for name, after in itertools.pairwise([*path, path[0]]))


def test_long_circles_do_not_exhaust_the_stack() -> None:
    """Ten thousand processes in a row."""
    edges = {str(number): {str((number + 1) % 10_000): None} for number in range(10_000)}
    ((group, path),) = circles(edges)
    assert len(group) == len(path) == 10_000


def test_a_type_with_the_signs_of_patterns_means_itself_too(tmp_path: Path) -> None:
    """Triggers take a text as it is written, or as a pattern."""
    put(
        tmp_path,
        "process: a\nversion: 1\ntrigger: {type: event, match: {type: 'build[1]'}}\n"
        "steps:\n  - {id: x, action: ingest, inputs: {events: [{type: 'build[1]', data: {}}]}}\n",
    )
    assert codes(compiled(tmp_path)) == ["trigger-loop"]


def test_a_loop_is_told_where_its_trigger_stands_when_lines_move(tmp_path: Path) -> None:
    """What is known of who sets off whom is kept when a file moves; its lines are not."""
    text = (
        "process: a\nversion: 1\ntrigger: {type: event, match: {type: t}}\n"
        "steps:\n  - {id: x, action: ingest, inputs: {events: [{type: t, data: {}}]}}\n"
    )
    put(tmp_path, text, "a.yaml")
    put(tmp_path, text.replace("process: a", "process: b").replace("type: t", "type: u"), "b.yaml")
    compiler = Compiler(tmp_path, surroundings())
    assert sorted(str(each.place) for each in compiler.compile().diagnostics) == ["a.yaml:3:10", "b.yaml:3:10"]
    (tmp_path / "a.yaml").write_text(f"# moved\n{text}")
    assert sorted(str(each.place) for each in compiler.compile().diagnostics) == ["a.yaml:4:10", "b.yaml:3:10"]


def test_many_triggers_are_looked_at_by_their_types(tmp_path: Path) -> None:
    """Children with as many triggers as there are events: the product of all would take minutes."""
    steps = "".join(
        f"  - {{id: s{n}, action: ingest, inputs: {{events: [{{type: t{n}.x, data: {{}}}}]}}}}\n" for n in range(200)
    )
    put(tmp_path, f"process: base\nversion: 1\nabstract: true\nsteps:\n{steps}", "base.yaml")
    for n in range(100):
        trigger = f"trigger: {{type: event, match: {{type: start{n}.go}}}}\n"
        put(tmp_path, f"process: c{n}\nversion: 1\nextends: base\n{trigger}", f"c{n}.yaml")
    put(
        tmp_path, "process: last\nversion: 1\nextends: base\ntrigger: {type: event, match: {type: t7.x}}\n", "last.yaml"
    )
    assert codes(compiled(tmp_path)) == ["trigger-loop"]
