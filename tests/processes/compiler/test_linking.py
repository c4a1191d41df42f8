"""Linking: what a compiled process holds, so that nothing of it need be looked up when it runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.linked import (
    Command,
    Declared,
    Dispatch,
    LinkedGate,
    LinkedProcess,
    LinkedStep,
    ModelNeeds,
    Needs,
    Retries,
    Trigger,
)
from tests.processes.compiler.folders import codes, compiled, put, sound
from tests.processes.corpus.cases import VALID
from tests.processes.corpus.world import ACTIONS, FakeRegistry, never, surroundings

# --- the JSON form ---------------------------------------------------------------------------------------------------

TEXTS = st.text(max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just(1.0) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)
MAPS = st.dictionaries(TEXTS, JSON, max_size=2)
TUPLES = st.lists(TEXTS, max_size=2).map(tuple)
COMMANDS = st.builds(Command, TUPLES, st.booleans())
LINKED_GATES = st.builds(LinkedGate, TEXTS, MAPS, TEXTS, st.none() | COMMANDS, TEXTS)
SECONDS = st.floats(0, 9)
LINKED_STEPS = st.builds(
    LinkedStep, TEXTS, TEXTS, TEXTS, st.lists(LINKED_GATES, max_size=2).map(tuple), MAPS, st.none() | SECONDS,
    st.builds(Retries, st.integers(0, 3), SECONDS, SECONDS),
    st.none() | st.builds(Needs, TUPLES, TUPLES, TUPLES, TUPLES, st.integers(1, 3)),
    st.none() | st.builds(ModelNeeds, TUPLES, st.sampled_from(["public", "internal"]), max_cost=st.none() | SECONDS),
    st.none() | TEXTS, st.none() | COMMANDS, st.booleans(), st.booleans(), st.booleans(), TEXTS,
)  # fmt: skip
PROCESSES = st.builds(
    LinkedProcess, TEXTS, st.integers(1, 3), TEXTS, st.booleans(),
    st.lists(st.tuples(TEXTS, st.integers(1, 3)), max_size=2).map(tuple), TUPLES,
    st.lists(st.builds(Trigger, st.just("event"), MAPS, TEXTS, TEXTS, TUPLES), max_size=2).map(tuple),
    st.dictionaries(TEXTS, st.builds(Declared, TEXTS, st.booleans(), JSON, TEXTS), max_size=2),
    st.none() | TEXTS, st.none() | TEXTS, TUPLES, st.lists(LINKED_GATES, max_size=2).map(tuple),
    st.lists(LINKED_STEPS, max_size=2).map(tuple), st.builds(Dispatch, MAPS, st.integers(-2, 2)),
)  # fmt: skip


@given(PROCESSES)
def test_a_linked_process_is_its_json(process: LinkedProcess) -> None:
    """Written and read it is the same, down to the digest; two that differ have different digests."""
    again = LinkedProcess.from_json(json.loads(process.canonical))
    assert again == process
    assert again.digest == process.digest


@given(PROCESSES, PROCESSES)
def test_two_processes_have_two_digests(one: LinkedProcess, other: LinkedProcess) -> None:
    """Runs are pinned to a digest: what is not the same must not have the same."""
    assert (one.to_json() == other.to_json()) == (one.digest == other.digest)


def test_the_json_holds_what_is_said_and_no_more(tmp_path: Path) -> None:
    """So that fields which are added later change no digest that the log has."""
    found = sound(tmp_path, "process: check\nversion: 2\nsteps: [{id: a, action: run_tests}]\n").processes["check"]
    assert json.loads(found.canonical) == {
        "format": 1, "name": "check", "version": 2,
        "steps": [{"id": "a", "action": "run_tests", "declared_by": "check"}],
    }  # fmt: skip


def test_the_valid_corpus_is_its_json(tmp_path: Path) -> None:
    """With everything that there is in it."""
    for process in Compiler(VALID, surroundings(), record=False).compile().processes.values():
        assert LinkedProcess.from_json(json.loads(process.canonical)) == process


# --- steps -----------------------------------------------------------------------------------------------------------


def test_a_step_holds_what_its_action_declares(tmp_path: Path) -> None:
    """Defaults, timeout, command, prompt, model, and whether it may be repeated; its own word goes first."""
    catalog = sound(
        tmp_path,
        """
        action: count_words
        inputs: {file: {type: text}, mode: {default: -w}}
        run: [wc, "${inputs.mode}", "${inputs.file}"]
        timeout: 10s
        keyed: true
        check: false
        ---
        action: summarize
        prompt: "What failed? ${inputs.log}"
        inputs: {log: {type: text}}
        model: {capabilities: [reasoning], max_cost: 2}
        ---
        process: check
        version: 1
        steps:
          - {id: get, action: http.get, inputs: {url: u}}
          - {id: count, action: count_words, inputs: {file: f}, retries: 3}
          - {id: again, action: count_words, inputs: {file: f, mode: -l}, timeout: 1m}
          - {id: sum, action: summarize, inputs: {log: l}, model: {speed: fast, max_cost: 0.5}}
          - {id: ask, action: ask, context: {budget: 100}}
          - {id: shell, run: [echo, "${steps.get.output}"], retries: {max: 2, delay: 500ms}}
        """,
    )
    get, count, again, summed, ask, shell = catalog.processes["check"].steps
    assert (get.inputs, get.timeout) == ({"retries": 3, "headers": {}, "url": "u"}, 30.0)
    assert (count.inputs, count.timeout, count.keyed) == ({"file": "f", "mode": "-w"}, 10.0, True)
    assert count.run == Command(("wc", "${inputs.mode}", "${inputs.file}"), check=False)
    assert count.retries == Retries(3)
    assert (again.inputs["mode"], again.timeout) == ("-l", 60.0)
    assert (summed.prompt, summed.keyed) == ("What failed? ${inputs.log}", True)
    assert summed.model == ModelNeeds(("reasoning",), "internal", "fast", 0.5)
    assert ask.context == Needs(("state",), budget=100)
    assert (shell.action, shell.run) == ("run", Command(("echo", "${steps.get.output}")))
    assert shell.retries == Retries(2, 0.5)
    assert catalog.actions["count_words"].origin == "processes.yaml:1:9"


@pytest.mark.parametrize(
    ("context", "needs"),
    [
        ("", None),
        ("context: {needs: []}", Needs()),
        ("context: {}", Needs(("state",), ("engineering/testing",))),
        ("context: {needs: [memory, entity], budget: 9}", Needs(("memory", "entity"), budget=9)),
        ("context: {needs: [knowledge, {knowledge: [project.ci_pipeline]}, {package: [deploy_notes]}]}",
         Needs((), ("engineering/testing", "project/ci_pipeline"), ("deploy_notes",))),
        ("context: {needs: [{steps: [first]}]}", Needs(steps=("first",))),
    ],
)  # fmt: skip
def test_a_context_holds_topics_as_the_store_calls_them(tmp_path: Path, context: str, needs: Needs | None) -> None:
    """And nothing that a step does not ask for."""
    steps = f"[{{id: first, action: run_tests}}, {{id: second, action: run_tests, {context}}}]"
    text = f"process: check\nversion: 1\nknowledge: [engineering.testing]\nsteps: {steps}\n"
    assert sound(tmp_path, text).processes["check"].step("second").context == needs


def test_gates_hold_their_command_and_inputs(tmp_path: Path) -> None:
    """Those that YAML declares with the command, with defaults filled in."""
    catalog = sound(
        tmp_path,
        """
        gate: docs_built
        description: There is a site
        inputs: {site: {type: text, default: site}}
        run: [test, -d, "${inputs.site}"]
        ---
        process: check
        version: 1
        gates: [docs_built, {gate: within_hours, inputs: {start: 1, end: 2}, description: By day}]
        steps: [{id: a, action: run_tests}]
        """,
    )
    built, hours = catalog.processes["check"].gates
    assert (built.inputs, built.run) == ({"site": "site"}, Command(("test", "-d", "${inputs.site}")))
    assert (built.description, hours.description) == ("There is a site", "By day")
    assert catalog.gates["docs_built"].run == built.run


# --- models and types ------------------------------------------------------------------------------------------------


def test_a_model_is_missed_only_where_one_is_asked(tmp_path: Path) -> None:
    """A warning, because it compiles; none for actions that do without."""
    optional = ACTIONS["ask"].__class__("maybe", never, model=ModelNeeds(), model_optional=True)
    registry = FakeRegistry({**ACTIONS, "maybe": optional})
    steps = "[{id: a, action: maybe}, {id: b, action: run_tests}, {id: c, action: run_tests, model: {speed: fast}}]"
    (tmp_path / "x.yaml").write_text(f"process: check\nversion: 1\nsteps: {steps}\n")
    catalog = Compiler(tmp_path, surroundings(models=False, registry=registry)).compile()
    assert [(each.code, each.place.column) for each in catalog.diagnostics] == [("no-model", 77)]
    assert "check" in catalog.processes


FITTING = {
    "text": [
        "a", "a ${inputs.n} b", "${inputs.t}", "${inputs.x}", "${steps.a.output.b}", "${execution.id}", "$${inputs.n}",
        "${inputs.n.deep}",
    ],
    "number": ["1.5", "1", "${inputs.i}", "${inputs.n}", "${event.data.x}"],
    "integer": ["1", "${inputs.i}"],
    "boolean": ["false"],
    "list": ["[1]", "[a, [b]]"],
    "mapping": ["{a: 1}"],
    "any": ["null", "1", "[]", "${inputs.l}"],
}  # fmt: skip
UNFIT = {
    "text": ["1", "${inputs.n}", "null", "[a]", "true"],
    "number": ["true", "${execution.id}", "a${inputs.n}", "$${inputs.n}", "${inputs.t}"],
    "integer": ["1.0", "${inputs.n}"],
    "boolean": ["0", "yes", "${inputs.i}"],
    "list": ["{a: 1}", "a"],
    "mapping": ["[]"],
}


@pytest.mark.parametrize(
    ("declared", "value", "fine"),
    [(type, each, fine) for fine, table in ((True, FITTING), (False, UNFIT)) for type in table for each in table[type]],
)
def test_types_of_inputs_are_checked(tmp_path: Path, declared: str, value: str, fine: bool) -> None:
    """Literals by what they are, references by what is declared of what they refer to, where anything is."""
    inputs = "n: {type: number, default: 1}, i: {type: integer, default: 1}, t: {type: text, default: a}"
    text = (
        f"action: act\ninputs: {{value: {{type: {declared}}}}}\nrun: [echo, '${{inputs.value}}']\n---\n"
        f"process: check\nversion: 1\ninputs: {{{inputs}, x: {{default: 1}}, l: {{type: list, default: []}}}}\n"
        f"steps:\n  - {{id: a, run: [echo, '${{inputs}}']}}\n"
        f"  - id: b\n    action: act\n    inputs:\n      value: {value}\n"
    )
    assert codes(compiled(tmp_path, text)) == ([] if fine else ["wrong-input-type"])


def test_declared_actions_and_gates_are_bound_to_what_runs_them(tmp_path: Path) -> None:
    """Commands to the runner of commands, prompts to the model."""
    from context_plane.processes.registry import commands, prompts

    catalog = compiled(tmp_path, "action: a\nrun: [ls]\n---\naction: b\nprompt: Hi\n---\ngate: c\nrun: [ls]\n")
    assert catalog.actions["a"].handler is commands.run
    assert catalog.actions["b"].handler is prompts.ask
    assert catalog.gates["c"].handler is commands.passes


def test_the_order_of_a_gates_inputs_does_not_count(tmp_path: Path) -> None:
    """What is the same gate stands once, however it is written, and the linked process is the same."""
    text = "process: check\nversion: 1\ngates: [{}, {}]\nsteps: [{{id: verify, action: run_tests}}]\n"
    one = "{gate: within_hours, inputs: {start: 1, end: 2}}"
    other = "{gate: within_hours, inputs: {end: 2, start: 1}}"
    digests = set()
    for pair in ((one, one), (one, other), (other, one)):
        catalog = Compiler(tmp_path, surroundings(), record=False).check(
            [put(tmp_path, text.format(*pair), "draft.txt")]
        )
        assert codes(catalog) == ["repeated-gate"]
        digests.add(catalog.processes["check"].digest)
    assert len(digests) == 1
    third = "{gate: within_hours, inputs: {end: 1, start: 2}}"
    assert len(sound(tmp_path / "two", text.format(one, third)).processes["check"].gates) == 2


def test_all_inputs_of_an_action_are_its_own(tmp_path: Path) -> None:
    """``${inputs}`` in its document uses what it declares, and nothing of what the process is given."""
    catalog = compiled(
        tmp_path,
        """
        action: show
        inputs: {log: {type: text}}
        run: [echo, "${inputs}"]
        ---
        process: check
        version: 1
        inputs: {log: {type: text}, secret: {type: text, default: s}}
        steps: [{id: verify, action: show, inputs: {log: "${inputs.log}"}}]
        """,
    )
    assert [(each.code, str(each.place)) for each in catalog.diagnostics] == [("unused-input", "processes.yaml:7:29")]


@pytest.mark.parametrize(
    ("was", "now", "fine"),
    [
        ("text", "text", True), ("text", "any", True), ("any", "text", True), ("any", "list", False),
        ("text", "list", False), ("text", "integer", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kept", [True, False])
def test_an_input_may_be_declared_anew_if_what_is_inherited_takes_it(
    tmp_path: Path, was: str, now: str, fine: bool, kept: bool
) -> None:
    """Steps that are replaced do not count; what takes anything takes it, and a grandchild is told nothing more."""
    step = "{id: fetch, action: %s, inputs: {url: '${inputs.url}'}}"
    text = f"process: check\nversion: 1\ninputs: {{url: {{type: {was}}}}}\nsteps: [{step % 'http.get'}]\n---\n"
    text += f"process: child\nversion: 1\nextends: check\ninputs: {{url: {{type: {now}}}}}\n"
    text += "" if kept else f"steps: [{step % 'write_code'}]\n"
    text += "---\nprocess: heir\nversion: 1\nextends: child\n"
    catalog = compiled(tmp_path, text)
    assert codes(catalog) == ([] if fine or not kept else ["wrong-input-type"])
    assert catalog.broken == (set() if fine or not kept else {"child", "heir"})


def test_what_is_wrong_in_a_parent_is_told_there_alone(tmp_path: Path) -> None:
    """A child that declares an input anew as it was changes nothing; as it should be, it is told nothing either."""
    text = "process: check\nversion: 1\ninputs: {url: {type: list}}\n"
    text += "steps: [{id: fetch, action: http.get, inputs: {url: '${inputs.url}'}}]\n---\n"
    for now in ("list", "text"):
        child = f"process: child\nversion: 1\nextends: check\ninputs: {{url: {{type: {now}}}}}\n"
        catalog = compiled(tmp_path, text + child)
        assert [(each.code, each.place.line) for each in catalog.diagnostics] == [("wrong-input-type", 4)]
        assert catalog.broken == {"check", "child"}
