"""The same processes where a model is configured: it is asked with the step's context, and what it says is used."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from context_plane.demo.customers import World
from context_plane.demo.events import all_events
from tests.processes.examples.conftest import EVENT, Example
from tests.processes.models.server import Server, serving

MODELS = """
models:
  - {{name: local, provider: openai, url: "{url}", model: m, locality: local, context: 32768, capabilities: [code]}}
"""
PROPOSED = {"line": 10, "after": "        if least <= total:", "cause": "The limit itself has to count."}


@pytest.fixture
def server(example: Example) -> Iterator[Server]:
    """A server that the home's models.yaml names."""
    with serving() as server:
        (example.home / "models.yaml").write_text(MODELS.format(url=server.url))
        yield server


def test_it_still_compiles_without_a_finding(example: Example, server: Server) -> None:
    """With models as without."""
    assert example.json("process", "check") == {"diagnostics": [], "problems": []}


def test_the_model_diagnoses_and_the_tests_decide(example: Example, server: Server) -> None:
    """It is asked once, with the topic of the step and what the steps before found; its line is committed."""
    server.text = json.dumps(PROPOSED)
    trace = example.run("fix_ci_failure", "--event", str(EVENT))
    assert trace["status"] == "succeeded", trace["reason"]
    (asked,) = server.asked
    system, user = (message["content"] for message in asked["messages"])
    assert system.startswith("Determine root cause of the failure")
    assert "Believe the test" in user
    assert "AssertionError: 0 != 1000" in user
    assert "10:         if total > least:" in user
    diagnose = trace["steps"][2]
    assert (diagnose["output"]["by"], diagnose["model"]["name"]) == ("local", "local")
    assert diagnose["model"]["input_tokens"] == 100
    assert "The limit itself has to count." in example.git("log", "-1", "--format=%B")
    assert "+        if least <= total:" in example.git("show", "--format=")


def test_a_model_that_talks_does_no_harm(example: Example, server: Server) -> None:
    """Its answer is of no use; the step says so and goes on without."""
    server.text = "I would rather not."
    trace = example.run("fix_ci_failure", "--event", str(EVENT))
    assert trace["status"] == "succeeded"
    assert trace["steps"][2]["lines"][0] == "local did not answer with what was asked for"
    assert trace["steps"][2]["output"]["by"] == "operators"


def test_the_model_words_the_decision_and_does_not_make_it(example: Example, server: Server) -> None:
    """The offer follows from the points; the sentences are the model's, and are remembered."""
    server.text = "They are\nout of seats. Call them."
    with example.open() as plane:
        plane.ingest("growth", list(all_events(World(customers=1))))
        (entity,) = plane.entities("growth", "customer")
        run = plane.run("offer_upgrade", tenant="growth", entity=entity)
        decision = run.outputs["decide"]
        assert decision["text"].endswith(" points of 5): They are out of seats. Call them.")
        assert decision["offer"] is (decision["points"] >= 5)
        assert run.outputs["remember"]["text"] == decision["text"]
