"""Interfaces: what a process that implements one must have, and which do (seed 001, section 3.5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from context_plane.processes.compiler.interfaces import implementing
from tests.processes.compiler.folders import codes, compiled, sound

CONTRACT = """
    interface: code_change
    version: 2
    description: Contract for any process that modifies code
    required_gates: [execution_context_exists, branch_clean]
    required_steps: [{id: analyze, description: Understand}, {id: verify}]
    required_knowledge: [engineering.pull_request]
    inputs: {ticket: {type: text}, count: {type: integer, default: 1}}
    ---
"""
WHOLE = """
    gates: [branch_clean, execution_context_exists]
    knowledge: [engineering/pull_request]
    inputs: {ticket: {type: text}, count: {type: number, default: 2}}
    steps: [{id: verify, action: run_tests}, {id: analyze, action: write_code}]
"""


def test_everything_that_is_missing_is_told(tmp_path: Path) -> None:
    """At the name under `implements`, one finding each, with what to add."""
    steps = "steps: [{id: other, action: run_tests, gates: [branch_clean]}]"
    catalog = compiled(
        tmp_path, f"{CONTRACT}    process: check\n    version: 1\n    implements: code_change\n    {steps}\n"
    )
    assert {(str(each.place), each.code, each.remedy) for each in catalog.diagnostics} == {
        ("processes.yaml:11:13", "interface-missing-step", "add a step with id: analyze"),
        ("processes.yaml:11:13", "interface-missing-step", "add a step with id: verify"),
        ("processes.yaml:11:13", "interface-missing-gate", "add gates: [execution_context_exists]"),
        ("processes.yaml:11:13", "interface-missing-gate", "add gates: [branch_clean]"),
        ("processes.yaml:11:13", "interface-missing-knowledge", "add knowledge: [engineering.pull_request]"),
        ("processes.yaml:11:13", "interface-missing-input", "add inputs: {ticket: {type: text}}"),
        ("processes.yaml:11:13", "interface-missing-input", "add inputs: {count: {type: integer}}"),
    }
    assert catalog.broken == {"check"}


@pytest.mark.parametrize("implements", ["code_change", "[code_change]", "[code_change, other]"])
def test_a_process_may_keep_several_contracts(tmp_path: Path, implements: str) -> None:
    """In whatever order it has things, and with topics in either spelling."""
    other = "    interface: other\n    version: 1\n    required_steps: [{id: verify}]\n    ---\n"
    text = f"{CONTRACT}{other}    process: check\n    version: 1\n    implements: {implements}{WHOLE}"
    catalog = sound(tmp_path, text)
    assert [each.name for each in implementing(catalog, "code_change")] == ["check"]
    assert len(implementing(catalog, "other")) == ("other" in implements)
    contract = catalog.interfaces["code_change"]
    assert (contract.version, contract.required_steps) == (2, (("analyze", "Understand"), ("verify", "")))
    assert contract.inputs["count"].default == 1
    assert str(contract.place) == "processes.yaml:1:12"


@pytest.mark.parametrize(("inputs", "told"), [("inputs: {a: {default: 1}}", 1), ("", 0)])
def test_a_contract_without_inputs_says_nothing_of_them(tmp_path: Path, inputs: str, told: int) -> None:
    """One that has some must have all that a process needs: its callers know no others."""
    steps = 'steps: [{id: s, run: [echo, "${inputs.a} ${inputs.b}"]}]'
    text = f"interface: face\nversion: 1\n{inputs}\n---\nprocess: check\nversion: 1\nimplements: face\n{steps}\n"
    catalog = compiled(tmp_path, text + "inputs: {a: {default: 1}, b: {type: text}}\n")
    assert codes(catalog) == ["interface-extra-input"] * told


def test_an_abstract_process_need_not_keep_it_and_its_children_must(tmp_path: Path) -> None:
    """Where the child lacks something, its `extends` is told; a grandchild of one that keeps it has no less."""
    base = "    process: base\n    version: 1\n    abstract: true\n    implements: code_change\n    ---\n"
    kept = f"    process: kept\n    version: 1\n    extends: base{WHOLE}    ---\n"
    heir = "    process: heir\n    version: 1\n    extends: kept\n    ---\n"
    short = "    process: short\n    version: 1\n    extends: base\n    steps: [{id: verify, action: run_tests}]\n"
    catalog = sound(tmp_path / "sound", CONTRACT + base + kept + heir)
    assert [each.name for each in implementing(catalog, "code_change")] == ["heir", "kept"]
    catalog = compiled(tmp_path / "broken", CONTRACT + base + short)
    assert {(each.place.line, each.place.column) for each in catalog.diagnostics} == {(16, 10)}
    assert codes(catalog).count("interface-missing-step") == 1


def test_a_step_that_is_abstract_does_not_count(tmp_path: Path) -> None:
    """An interface asks for what is done, not for what is to be."""
    abstract = WHOLE.replace("action: write_code", "abstract: true")
    text = (
        f"{CONTRACT}    process: base\n    version: 1\n    abstract: true\n{abstract}"
        "    ---\n    process: check\n    version: 1\n    extends: base\n    implements: code_change\n"
    )
    assert sorted(codes(compiled(tmp_path, text))) == ["abstract-step-left", "interface-missing-step"]


def test_a_broken_contract_is_told_once(tmp_path: Path) -> None:
    """Where it is; what implements it cannot be run, and is told nothing."""
    contract = CONTRACT.replace("version: 2", "version: x")
    catalog = compiled(tmp_path, f"{contract}    process: check\n    version: 1\n    implements: code_change{WHOLE}")
    assert codes(catalog) == ["bad-version"]
    assert catalog.broken == {"check"}
    assert not catalog.interfaces


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ("ticket: {type: text}", None), ("ticket: {type: any}", None), ("more: {default: 1}", None),
        ("ticket: {type: list}", "interface-missing-input"), ("count: {type: integer}", "interface-extra-input"),
        ("more: {type: text}", "interface-extra-input"),
    ],
)  # fmt: skip
def test_a_child_may_not_break_what_its_parent_keeps(tmp_path: Path, inputs: str, told: str | None) -> None:
    """Callers of the interface may be given the child. What the parent lacks is told there alone."""
    heir = f"    ---\n    process: heir\n    version: 1\n    extends: kept\n    inputs: {{{inputs}}}\n"
    used = "    steps: [{id: last, run: [echo, '${inputs.more}']}]\n" if "more" in inputs else ""
    kept = f"    process: kept\n    version: 1\n    implements: code_change{WHOLE}"
    catalog = compiled(tmp_path, CONTRACT + kept + heir + used)
    assert [(each.code, str(each.place)) for each in catalog.diagnostics] == (
        [] if told is None else [(told, "processes.yaml:20:10")]
    )
    short = kept.replace("ticket: {type: text}, ", "")
    catalog = compiled(tmp_path / "short", CONTRACT + short + heir + used)
    assert codes(catalog).count("interface-missing-input") == 1 + (told == "interface-missing-input")
