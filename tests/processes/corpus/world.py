"""What the files of the corpus refer to: a registry, topics and packages that are not those of a plane."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from context_plane.processes.compiler.surroundings import Surroundings
from context_plane.processes.linked import Declared, ModelNeeds
from context_plane.processes.registry.handler import Action, Gate

PLAIN = (
    "read_ci_log find_relevant_code analyze_failure write_code run_tests commit_and_push send_notification "
    "analyze_requirements read_bug_report write_fix read_feature_spec write_feature remember run"
).split()
TOPICS = (
    "engineering/testing project/ci_pipeline team/notification_preferences engineering/pull_request "
    "project/code_conventions engineering/design_review"
).split()


def never(call: Any) -> NoReturn:
    """A handler: compiling calls none."""
    raise AssertionError(f"compiling ran a handler: {call}")


def text(required: bool = True, default: str | None = None) -> Declared:
    return Declared("text", required, default)


ACTIONS = {
    **{name: Action(name, never, origin="built in") for name in PLAIN},
    "http.get": Action(
        "http.get", never, timeout=30.0,
        inputs={
            "url": text(), "retries": Declared("integer", False, 3), "headers": Declared("mapping", False, {}),
        },
    ),
    "ask": Action("ask", never, model=ModelNeeds(("reasoning",), max_cost=1.0)),
    "ingest": Action(
        "ingest", never, keyed=True, inputs={"events": Declared("list"), "source": Declared("text", False, "")}
    ),
}  # fmt: skip
HOURS = {"start": Declared("integer"), "end": Declared("integer")}
GATES = {
    **{
        each: Gate(each, never, origin="built in")
        for each in ("execution_context_exists", "branch_clean", "tests_pass")
    },
    "within_hours": Gate("within_hours", never, inputs=HOURS, description="Office hours"),
}


@dataclass(frozen=True)
class FakeRegistry:
    """Actions and gates."""

    actions: dict[str, Action] = field(default_factory=lambda: dict(ACTIONS))
    gates: dict[str, Gate] = field(default_factory=lambda: dict(GATES))


def topic(reference: str) -> str | None:
    """The topic that a reference means."""
    name = reference.replace(".", "/")
    return name if name in TOPICS else None


def surroundings(*, models: bool = True, fingerprint: str = "corpus", **changes: Any) -> Surroundings:
    """The surroundings of the corpus."""
    given = {
        "registry": FakeRegistry(),
        "packages": ("customer_facts", "deploy_notes"),
        "topic_names": TOPICS,
        **changes,
    }
    return Surroundings(topics=topic, models=models, fingerprint=f"{fingerprint}/{models}", **given)
