"""What the home declares: it compiles without a finding, and says what the seed and the topics say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from context_plane.ctx.tokens import count
from context_plane.demo.home import SPEC
from context_plane.log.events import Normaliser
from context_plane.processes.triggers.match import matches
from tests.processes.examples.conftest import EVENT, EXAMPLE, Example

SEED = [
    ("read_failure", "read_ci_log"),
    ("locate_source", "find_relevant_code"),
    ("diagnose", "analyze_failure"),
    ("implement_fix", "write_code"),
    ("verify", "run_tests"),
    ("commit", "commit_and_push"),
]
NEEDED = {
    "read_failure": "project/ci_pipeline",
    "locate_source": "project/structure",
    "diagnose": "engineering/testing",
    "implement_fix": "project/code_conventions",
    "verify": "project/test_commands",
    "commit": "project/git_workflow",
}
"""The table of the seed, section 5.3."""


def test_it_compiles_without_a_finding(example: Example) -> None:
    """Neither an error nor a warning, and every file of Python loads."""
    with example.open() as plane:
        catalog = plane.processes()
        assert [str(each) for each in catalog.diagnostics] == []
        assert plane.registry().problems == ()
    assert sorted(catalog.interfaces) == ["code_change"]
    assert sorted(catalog.processes) == [
        "add_feature", "fix_bug", "fix_ci_failure", "fix_ci_failure_with_notification", "offer_upgrade",
        "prepare_repository", "standard_code_change",
    ]  # fmt: skip


def test_checking_from_the_command_line_says_so(example: Example) -> None:
    """`cortex process check` ends with 0."""
    done = example("process", "check")
    assert done.exit_code == 0
    assert done.stderr.strip() == "7 processes, 1 interface: 0 errors, 0 warnings"


def test_fix_ci_failure_is_the_seeds(example: Example) -> None:
    """Version, trigger, gates, knowledge, steps and actions as the seed writes them; the needs of its table."""
    with example.open() as plane:
        found = plane.process("fix_ci_failure")
    assert found.version == 3
    assert [(each.type, each.match) for each in found.triggers] == [("event", {"source": "ci", "status": "failure"})]
    assert [gate.name for gate in found.gates] == ["execution_context_exists", "branch_clean"]
    assert found.knowledge == ("engineering/testing", "project/ci_pipeline")
    assert [(step.id, step.action) for step in found.steps] == SEED
    assert [[gate.name for gate in step.gates] for step in found.steps] == [[], [], [], [], [], ["tests_pass"]]
    assert {step.id: step.context.topics for step in found.steps if step.context} == {
        id: (topic,) for id, topic in NEEDED.items()
    }


def test_the_children_are_the_seeds(example: Example) -> None:
    """A step after commit and a topic more; one abstract parent for two that both implement the interface."""
    with example.open() as plane:
        notified, parent = plane.process("fix_ci_failure_with_notification"), plane.process("standard_code_change")
        children = [plane.process(name) for name in ("fix_bug", "add_feature")]
    assert [step.id for step in notified.steps] == [id for id, _ in SEED] + ["notify"]
    assert notified.knowledge[-1] == "team/notification_preferences"
    assert parent.abstract
    for child in children:
        assert child.lineage == (("standard_code_change", 1),)
        assert child.implements == ("code_change",)
        assert [step.id for step in child.steps] == ["analyze", "implement", "verify", "commit"]
        assert [gate.name for gate in child.steps[-1].gates] == ["tests_pass"]
    assert [step.action for step in children[0].steps][:2] == ["read_bug_report", "write_fix"]
    assert "engineering/design_review" in children[1].knowledge


def test_every_topic_is_needed_and_of_a_useful_size(example: Example) -> None:
    """Each file of knowledge is what some step's context is made of, and would fit into one."""
    with example.open() as plane:
        processes = plane.processes().processes.values()
    named = {topic for each in processes for step in each.steps if step.context for topic in step.context.topics}
    files = {
        str(path.relative_to(EXAMPLE / "knowledge").with_suffix("")): path
        for path in (EXAMPLE / "knowledge").rglob("*.md")
    }
    assert named == set(files)
    assert all(500 <= count(path.read_text()) <= 3_300 for path in files.values())


def test_the_customers_are_those_of_the_demo() -> None:
    """The context spec is the demo's, to the byte."""
    import context_plane.demo

    (folder,) = context_plane.demo.__path__
    name = f"contexts/{SPEC}.yaml"
    assert (EXAMPLE / name).read_bytes() == (Path(folder) / name).read_bytes()


def test_the_event_starts_one_process(example: Example) -> None:
    """The example's event is a valid CloudEvent on one line, and exactly one trigger fits it."""
    text = EVENT.read_text()
    assert text.count("\n") == 1
    event = json.loads(Normaliser()(json.loads(text)).line)
    with example.open() as plane:
        catalog = plane.processes()
    triggers = [(name, each.triggers) for name, each in {**catalog.processes, **catalog.interfaces}.items()]
    fitting = [
        name for name, found in triggers for each in found if each.type == "event" and matches(each.match, event)
    ]
    assert fitting == ["fix_ci_failure"]


@pytest.mark.parametrize("file", sorted((EXAMPLE / "processes").glob("*.yaml")), ids=lambda path: path.stem)
def test_files_are_plain_yaml(file: Path) -> None:
    """Any reader of YAML reads them."""
    assert list(yaml.safe_load_all(file.read_text()))
