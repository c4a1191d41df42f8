"""Offers of upgrades, to the customers of the demo."""

from __future__ import annotations

from typing import Any

import pytest

from context_plane.demo.customers import World
from context_plane.demo.events import all_events
from context_plane.instants import DAY, format_instant, now
from tests.processes.examples.conftest import Example, act

WORLD = World(customers=24, seed=7, planted=0.3)
FIELDS = {
    "plan": "team", "seats": 10, "revenue": 190, "failed": 0, "active_days": 9, "peak_users": 6, "limit_hits": 0,
    "blocked": 0, "tickets": 0, "interest": 0, "full": False,
}  # fmt: skip


@pytest.fixture
def customers(example: Example) -> Example:
    """The home with the events of a few customers."""
    with example.open() as plane:
        plane.ingest("growth", list(all_events(WORLD)))
    return example


def decided(decisions: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    """What is decided about a customer with these fields and decisions."""
    from tests.processes.examples.conftest import EXAMPLE

    found: dict[str, Any] = act(
        "decide_upgrade", EXAMPLE, {"customer": {"fields": FIELDS | fields, "decisions": decisions or []}}
    )
    return found


def test_every_customer_is_decided_about_once(customers: Example) -> None:
    """The decision follows from the bundle, is remembered, and is the same when asked under the same key."""
    offers = set()
    with customers.open() as plane:
        for entity in plane.entities("growth", "customer"):
            run = plane.run("offer_upgrade", tenant="growth", entity=entity, key=f"march {entity}")
            assert run.status == "succeeded", run.reason
            decision = run.outputs["decide"]
            fields = plane.bundle("growth", entity, "growth_v0").fields
            assert decision == decided(**fields)
            (node,) = [each for each in plane.constraints("growth", entity) if each.type == "decision"]
            assert (node.id, node.text) == (run.outputs["remember"]["id"], decision["text"])
            if decision["offer"]:
                offers.add(entity)
        again = plane.run("offer_upgrade", tenant="growth", entity=entity, key=f"march {entity}")
        assert again.id == run.id
    truth = WORLD.truth()
    assert len(offers & truth) / len(offers) > 2 * len(truth) / WORLD.customers
    assert len(offers) < WORLD.customers / 2


def test_a_second_offer_is_not_made_within_a_month(customers: Example) -> None:
    """The first offer stays current and keeps the second away; decisions to offer nothing take each other's place."""
    with customers.open() as plane:
        entities = plane.entities("growth", "customer")
        runs = (plane.run("offer_upgrade", tenant="growth", entity=each) for each in entities)
        first = next(each for each in runs if each.outputs["decide"]["offer"])
        for _ in range(2):
            later = plane.run("offer_upgrade", tenant="growth", entity=first.entity)
            assert not later.outputs["decide"]["offer"]
            assert "an offer was made 0 days ago" in later.outputs["decide"]["text"]
        kept = [each.id for each in plane.constraints("growth", first.entity) if each.type == "decision"]
        assert kept == [first.outputs["remember"]["id"], later.outputs["remember"]["id"]]


def test_reaching_the_limit_asks_the_question(customers: Example) -> None:
    """The event sets off the process, for the customer whose it is."""
    with customers.open() as plane:
        start = plane.react("growth").number
        entity = plane.entities("growth", "customer")[0]
        event = {
            "specversion": "1.0", "id": "limit-now", "source": "product", "type": "usage.limit_reached",
            "subject": entity, "time": format_instant(now() - DAY), "data": {"text": "All seats are taken."},
        }  # fmt: skip
        plane.ingest("growth", [event])
        (head,) = plane.react("growth", start).accepted
        assert (head.process, head.entity) == ("offer_upgrade", entity)
        assert plane.engine.run(head.id).status == "succeeded"


def test_the_context_holds_fields_memory_and_policy(customers: Example) -> None:
    """What a model would be shown to word the decision."""
    with customers.open() as plane:
        entity = plane.entities("growth", "customer")[0]
        plane.remember("growth", entity, "Wants to be asked by phone only", type="preference")
        _, decide, _ = plane.dry_run("offer_upgrade", tenant="growth", entity=entity).steps
    assert decide.context is not None
    assert list(decide.context["sections"]) == ["instructions", "entity", "knowledge", "memory"]
    assert all(each in decide.context["text"] for each in ("limit_hits", "asked by phone only", "From 5 points on"))


@pytest.mark.parametrize(
    ("fields", "points", "plan"),
    [
        ({}, 0, None),
        ({"full": True, "peak_users": 10, "limit_hits": 2}, 5, "more seats"),
        ({"full": True, "peak_users": 10, "limit_hits": 1}, 3.5, None),
        ({"blocked": 5, "interest": 1}, 5, "the business plan"),
        ({"blocked": 1, "interest": 9}, 5.5, "the business plan"),
        ({"plan": "starter", "interest": 2, "blocked": 1}, 5.5, "the team plan"),
        ({"interest": 2, "blocked": 1, "failed": 3}, 3.5, None),
        ({"interest": 2, "blocked": 1, "tickets": 3}, 4, None),
        ({"interest": 2, "blocked": 1, "tickets": 2}, 5.5, "the business plan"),
        ({"plan": "enterprise", "interest": 2, "blocked": 2}, 7, None),
        ({"plan": None, "interest": 2, "blocked": 2}, 7, None),
    ],
)
def test_the_points_of_the_policy(fields: dict[str, Any], points: float, plan: str | None) -> None:
    """The table of knowledge/growth/upgrade_policy.md, at its limits."""
    found = decided(**fields)
    assert (found["points"], found["plan"], found["offer"]) == (points, plan, plan is not None)
    assert found["text"].startswith(f"Offer {plan} (" if plan else "No upgrade offer (")


@pytest.mark.parametrize(("age", "offer", "overtaken"), [(0.0, False, []), (29.9, False, []), (30.0, True, ["d1"])])
def test_an_earlier_offer_counts_for_a_month(age: float, offer: bool, overtaken: list[str]) -> None:
    """Until then it forbids another one, from then on it is overtaken."""
    earlier = {"id": "d1", "text": "Offer more seats (5 points of 5): …", "age": age}
    found = decided([earlier], interest=2, blocked=1)
    assert (found["offer"], found["supersedes"]) == (offer, overtaken)
