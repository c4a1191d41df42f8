"""Inheritance: what a child has, for any parents and children; and where exactly (seed 001, section 3.4)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.linked import LinkedProcess
from tests.processes.compiler.folders import codes, compiled, sound
from tests.processes.corpus.world import surroundings

GATES = ["execution_context_exists", "branch_clean", "tests_pass"]
TOPICS = ["engineering/testing", "project/ci_pipeline", "engineering/design_review"]


def ids(process: LinkedProcess) -> list[str]:
    return [step.id for step in process.steps]


# --- any trees -------------------------------------------------------------------------------------------------------


@st.composite
def chains(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A process, its child, and so on; each replaces and inserts steps, and adds gates and topics."""
    documents: list[dict[str, Any]] = []
    known: list[str] = []
    for level in range(draw(st.integers(1, 5))):
        document: dict[str, Any] = {"process": f"level_{level}", "version": draw(st.integers(1, 9))}
        if level:
            document["extends"] = f"level_{level - 1}"
        document["steps"] = draw(steps(level, known))
        known += [item["id"] for item in document["steps"] if item.get("id") and item["id"] not in known]
        for key, names in (("gates", GATES), ("knowledge", TOPICS)):
            own: list[Any] = draw(st.lists(st.sampled_from(names), max_size=2, unique=True))
            if level and draw(st.booleans()):
                own.insert(draw(st.integers(0, len(own))), {"inherit": "all"})
            if own:
                document[key] = own
        documents.append(document)
    return documents


@st.composite
def steps(draw: st.DrawFn, level: int, known: list[str]) -> list[dict[str, Any]]:
    """Own steps: some that replace, some that are inserted somewhere, at least one that is new."""
    replaced = draw(st.lists(st.sampled_from(known), max_size=3, unique=True)) if known else []
    new = [f"s{level}_{number}" for number in range(draw(st.integers(1, 4)))]
    found: list[dict[str, Any]] = []
    for id in draw(st.permutations([*replaced, *new])):
        step: dict[str, Any] = {"id": id, "action": draw(st.sampled_from(["run_tests", "write_code"]))}
        if draw(st.booleans()):
            step["gates"] = draw(st.lists(st.sampled_from(GATES), max_size=2, unique=True))
        anchors = [*known, *(each["id"] for each in found)]
        if id in new and known and draw(st.booleans()):
            step[draw(st.sampled_from(["before", "after"]))] = draw(st.sampled_from(anchors))
        found.append({key: value for key, value in step.items() if value != []})
    if known and draw(st.booleans()):
        found.insert(draw(st.integers(0, len(found))), {"inherit": "all"})
    return found


@given(chains(), st.randoms(use_true_random=False))
def test_a_child_has_all_that_its_parent_has(
    tmp_path_factory: pytest.TempPathFactory, documents: list[dict[str, Any]], random: Any
) -> None:
    """Gates, topics and steps of each parent are in the child in the same order; what is replaced stands in its place
    with the gates of what it replaces; nothing is there twice. In which files it is written makes no difference."""
    catalog = written(tmp_path_factory.mktemp("chain"), documents)
    assert {each.severity for each in catalog.diagnostics} <= {"warning"}  # a gate or topic may be repeated
    for document in documents:
        child = catalog.processes[document["process"]]
        own = [item for item in document["steps"] if "id" in item]
        assert len(set(ids(child))) == len(child.steps)
        assert set(ids(child)) >= {item["id"] for item in own}
        _check_positions(child, own)
        if "extends" in document:
            _check_child(child, catalog.processes[document["extends"]], own)
    random.shuffle(documents)
    other = written(tmp_path_factory.mktemp("shuffled"), documents)
    assert {name: each.digest for name, each in other.processes.items()} == {
        name: each.digest for name, each in catalog.processes.items()
    }


def _check_child(child: LinkedProcess, parent: LinkedProcess, own: list[dict[str, Any]]) -> None:
    assert [id for id in ids(child) if id in ids(parent)] == ids(parent)
    assert [gate.name for gate in child.gates if gate in parent.gates] == [gate.name for gate in parent.gates]
    assert [topic for topic in child.knowledge if topic in parent.knowledge] == list(parent.knowledge)
    assert child.lineage == ((parent.name, parent.version), *parent.lineage)
    replaced = {item["id"]: item for item in own}
    for step in parent.steps:
        mine = child.step(step.id)
        if step.id in replaced:
            assert mine.action == replaced[step.id]["action"]
            assert mine.declared_by == child.name
            assert {gate.name for gate in mine.gates} == {
                *(gate.name for gate in step.gates), *replaced[step.id].get("gates", []),
            }  # fmt: skip
        else:
            assert mine == step


def _check_positions(child: LinkedProcess, own: list[dict[str, Any]]) -> None:
    order = ids(child)
    for item in own:
        if "before" in item:
            assert order.index(item["id"]) < order.index(item["before"])
        if "after" in item:
            assert order.index(item["id"]) > order.index(item["after"])


def written(folder: Path, documents: list[dict[str, Any]]) -> Catalog:
    """Compiles documents, a file each, as JSON, which is YAML."""
    for number, document in enumerate(documents):
        (folder / f"{number}.yaml").write_text(json.dumps(document))
    return Compiler(folder, surroundings()).compile()


# --- where steps go --------------------------------------------------------------------------------------------------

BASE = "process: base\nversion: 1\nsteps: [{id: a, action: run_tests}, {id: b, action: run_tests}]\n"


@pytest.mark.parametrize(
    ("items", "order"),
    [
        ("{id: x, action: ask}", "a b x"),
        ("{id: x, action: ask}, {inherit: all}", "x a b"),
        ("{inherit: all}, {id: x, action: ask}", "a b x"),
        ("{id: x, action: ask}, {inherit: all}, {id: y, action: ask}", "x a b y"),
        ("{id: x, action: ask, before: a}", "x a b"),
        ("{id: x, action: ask, after: a}", "a x b"),
        ("{id: x, action: ask, after: a}, {id: y, action: ask, after: a}", "a x y b"),
        ("{id: x, action: ask, before: b}, {id: y, action: ask, before: b}", "a x y b"),
        ("{id: x, action: ask, after: y}, {id: y, action: ask, after: a}", "a y x b"),
        ("{id: x, action: ask, after: a}, {id: y, action: ask, before: x}", "a y x b"),
        ("{id: x, action: ask}, {id: y, action: ask, before: x}", "a b y x"),
        ("{id: x, action: ask, after: b}, {id: b, action: ask}", "a b x"),
        ("{id: x, action: ask}, {inherit: all}, {id: y, action: ask, before: a}", "x y a b"),
        ("{id: a, action: ask}, {id: x, action: ask}, {inherit: all}, {id: y, action: ask}", "x a b y"),
    ],
)
def test_where_a_new_step_goes(tmp_path: Path, items: str, order: str) -> None:
    """Beside the step that it names, else where it stands in relation to `inherit: all`, else at the end."""
    catalog = sound(tmp_path, f"{BASE}---\nprocess: child\nversion: 1\nextends: base\nsteps: [{items}]\n")
    assert ids(catalog.processes["child"]) == order.split()


def test_only_what_a_parent_lacks_is_its_childs(tmp_path: Path) -> None:
    """Triggers, entity, workspace and dispatch are the child's if it has any; inputs are merged by name; interfaces and
    knowledge accumulate, also in the contexts of inherited steps."""
    catalog = sound(
        tmp_path,
        """
        interface: first
        version: 1
        ---
        interface: second
        version: 1
        ---
        process: base
        version: 2
        implements: first
        trigger: {type: manual}
        entity: order/1
        workspace: w
        dispatch: {preference: 3}
        inputs: {a: {default: 1}, b: {default: 2}}
        knowledge: [engineering.testing]
        steps:
          - {id: think, action: ask, inputs: {a: "${inputs.a}", b: "${inputs.b}"}}
          - {id: look, action: run_tests, context: {needs: [memory, {knowledge: [project.ci_pipeline]}]}}
        ---
        process: heir
        version: 1
        extends: base
        ---
        process: child
        version: 1
        extends: base
        implements: second
        trigger: {type: event, match: {source: x}}
        entity: order/2
        workspace: v
        dispatch: {preference: 4}
        inputs: {b: {type: text, default: x}, c: {default: 3}}
        knowledge: [engineering.design_review]
        steps: [{id: last, action: run_tests, inputs: {c: "${inputs.c}"}}]
        """,
    )
    heir, child = catalog.processes["heir"], catalog.processes["child"]
    assert (heir.entity, heir.workspace, heir.dispatch.preference, heir.triggers[0].type) == (
        "order/1",
        "w",
        3,
        "manual",
    )
    assert (child.entity, child.workspace, child.dispatch.preference) == ("order/2", "v", 4)
    assert [trigger.type for trigger in child.triggers] == ["event"]
    assert child.implements == ("first", "second")
    assert {name: each.default for name, each in child.inputs.items()} == {"a": 1, "b": "x", "c": 3}
    assert child.knowledge == ("engineering/testing", "engineering/design_review")
    think, look = child.step("think").context, child.step("look").context
    assert think is not None
    assert think.topics == child.knowledge
    assert look is not None
    assert look.topics == ("project/ci_pipeline",)
    assert heir.step("think").context != think


def test_gates_of_replaced_steps_accumulate_over_generations(tmp_path: Path) -> None:
    """Each says who asked for it."""
    catalog = sound(
        tmp_path,
        """
        process: one
        version: 1
        steps: [{id: a, action: run_tests, gates: [branch_clean]}]
        ---
        process: two
        version: 1
        extends: one
        steps: [{id: a, action: run_tests, gates: [{gate: within_hours, inputs: {start: 1, end: 2}}, {inherit: all}]}]
        ---
        process: three
        version: 1
        extends: two
        steps: [{id: a, action: run_tests, gates: [tests_pass]}]
        """,
    )
    gates = catalog.processes["three"].step("a").gates
    assert [(gate.name, gate.declared_by) for gate in gates] == [
        ("within_hours", "two"), ("branch_clean", "one"), ("tests_pass", "three"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "topics"),
    [
        ("[t, {inherit: all}, u]", "t p q u"),
        ("[p, {inherit: all}, u]", "p q u"),
        ("[p, t, {inherit: all}, u]", "t p q u"),
        ("[u, q]", "p q u"),
        ("[t, t, {inherit: all}, t]", "t p q"),
    ],
)
def test_what_is_there_already_stays_where_it_is(tmp_path: Path, own: str, topics: str) -> None:
    """A topic that is named again stands once, among the parent's; the others stand around them as they are written."""
    names = dict(zip("pqtu", [*TOPICS, "project/code_conventions"], strict=True))
    own = re.sub(r"\b[pqtu]\b", lambda match: names[match[0]], own)
    text = f"{BASE}knowledge: [{names['p']}, {names['q']}]\n---\nprocess: child\nversion: 1\nextends: base\n"
    catalog = compiled(tmp_path, f"{text}knowledge: {own}\n")
    assert set(codes(catalog)) <= {"repeated-topic"}
    assert catalog.processes["child"].knowledge == tuple(names[each] for each in topics.split())


def test_a_fault_inside_of_a_step_hides_nothing_of_others(tmp_path: Path) -> None:
    """The step is there, whatever is wrong with its gates."""
    catalog = compiled(
        tmp_path,
        """
        process: check
        version: 1
        steps:
          - {id: one, action: run_tests, gates: [5]}
          - {id: two, action: run_tests, inputs: {a: "${steps.three.output}"}}
        """,
    )
    assert codes(catalog) == ["wrong-type", "unknown-step-reference"]


def test_a_fault_of_a_parent_is_told_once(tmp_path: Path) -> None:
    """Where it is; children cannot be run either, but are told of nothing that is not theirs."""
    catalog = compiled(
        tmp_path,
        """
        process: base
        version: 1
        gates: [no_such_gate]
        knowledge: [no.such.topic]
        steps: [{id: a, action: no_such_action, inputs: {x: "${inputs.nothing}"}}]
        ---
        process: child
        version: 1
        extends: base
        steps: [{id: b, action: run_tests, after: a, inputs: {x: "${steps.a.output}"}}]
        ---
        process: grandchild
        version: 1
        extends: child
        steps: [{id: c, action: other_action}]
        ---
        process: other
        version: 1
        steps: [{id: a, action: run_tests}]
        """,
    )
    assert codes(catalog) == ["unknown-gate", "unknown-topic", "unknown-action", "undeclared-input", "unknown-action"]
    assert catalog.broken == {"base", "child", "grandchild"}
    assert set(catalog.processes) == {"other"}


def test_several_faults_are_all_told(tmp_path: Path) -> None:
    """Of one document, and of each stage."""
    catalog = compiled(
        tmp_path,
        """
        process: check
        version: 0
        descripton: x
        implements: [nothing]
        trigger: {type: schedule, cron: "* *"}
        gates: [no_such_gate]
        steps:
          - id: one
            action: http.get
            inputs: {uri: x}
            timeout: soon
          - id: one
            action: run_test
          - id: two
            run: make
            context: {needs: [everything]}
          - id: three
            action: run_tests
            inputs: {a: "${nothing}", b: "${steps.four.output}", c: "${inputs.d}"}
        """,
    )
    assert sorted(codes(catalog)) == sorted(
        [
            "bad-version", "unknown-key", "unknown-interface", "bad-cron", "unknown-gate", "unknown-input-of-action",
            "missing-input-of-action", "bad-duration", "duplicate-step", "bad-run", "unknown-need",
            "bad-reference", "unknown-step-reference", "undeclared-input",
        ]
    )  # fmt: skip
