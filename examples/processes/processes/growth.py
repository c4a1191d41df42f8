"""Offering upgrades: what is known about a customer, and what follows from it.

The rules are those of knowledge/growth/upgrade_policy.md, in figures; whoever changes one changes the other. With a
model (models.yaml) the model words the decision, and does not make it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from context_plane.instants import DAY, now
from context_plane.processes import Declared, ModelNeeds, Step, action

ENOUGH: Final = 5.0
"""Points from which on an offer is made."""
PAUSE: Final = 30
"""Days between two offers."""
_SIGNALS: Final = (
    ("limit_hits", 1.5, "reached the seat limit"),
    ("blocked", 1.5, "tried what the plan does not include"),
    ("interest", 2.0, "asked for more"),
)
"""Fields, points for each time up to twice, and the words for them."""
_NEXT: Final = {"starter": "team", "team": "business", "business": "enterprise"}
_OFFER: Final = "Offer "
_NOTHING: Final = "No upgrade offer"


@action("read_customer", keyed=True, inputs={"spec": Declared("text", False, "growth_v0", "the context spec")})
def read_customer(step: Step) -> dict[str, Any]:
    """Reads what is known about the execution's entity: {fields, as_of, version, decisions: [{id, text, age}]}. The
    version names the bundle for ever; the age is in days."""
    bundle = step.plane.bundle(step.tenant, step.entity, str(step.inputs["spec"]))
    binding = step.plane.constraints(step.tenant, step.entity, depth=1)
    today = now()
    decisions = [
        {"id": each.id, "text": each.text, "age": round((today - each.at) / DAY, 2)}
        for each in binding
        if each.type == "decision" and each.entity == step.entity
    ]
    return {"fields": bundle.fields, "as_of": bundle.as_of, "version": bundle.version, "decisions": decisions}


@action(
    "decide_upgrade",
    keyed=True,
    model=ModelNeeds(speed="fast"),
    model_optional=True,
    inputs={"customer": Declared("mapping", description="as read_customer tells it")},
)
def decide_upgrade(step: Step) -> dict[str, Any]:
    """Decides whether to offer an upgrade: {offer, plan, points, reasons, text, supersedes}."""
    fields, decisions = step.inputs["customer"]["fields"], step.inputs["customer"]["decisions"]
    signals = list(_points(fields))
    points = sum(each for each, _ in signals)
    against = _against(fields, decisions)
    offer = points >= ENOUGH and not against
    plan = _plan(fields) if offer else None
    verdict = f"{_OFFER}{plan}" if offer else _NOTHING
    reasons = [words for _, words in signals] + against
    said = "; ".join(reasons) or "nothing speaks for one"
    if step.ask is not None:
        asked = "Tell the account manager in two sentences what was decided, and why."
        said = " ".join(step.ask(asked, data=f"{verdict}, for these reasons: {said}").text.split())[:600] or said
    overtaken = [each["id"] for each in decisions if _is_overtaken(each)]
    return {
        "offer": offer, "plan": plan, "points": points, "reasons": reasons,
        "text": f"{verdict} ({points:g} points of {ENOUGH:g}): {said}", "supersedes": overtaken,
    }  # fmt: skip


def _points(fields: Mapping[str, Any]) -> Iterator[tuple[float, str]]:
    """What speaks for an offer and what against, in points and words."""
    if fields["full"]:
        yield 2.0, f"{fields['peak_users']} of {fields['seats']} seats in use"
    for name, points, words in _SIGNALS:
        if fields[name]:
            yield points * min(fields[name], 2), f"{words} {fields[name]}x"
    if fields["failed"]:
        yield -2.0, "a payment failed"
    if fields["tickets"] >= 3:
        yield -1.5, f"{fields['tickets']} tickets were opened"


def _against(fields: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]]) -> list[str]:
    """What forbids an offer, however many points there are."""
    found = []
    if fields["plan"] not in _NEXT:
        found.append(f"there is no plan above {fields['plan'] or 'an unknown one'}")
    recent = [each["age"] for each in decisions if each["text"].startswith(_OFFER) and each["age"] < PAUSE]
    if recent:
        found.append(f"an offer was made {min(recent):.0f} days ago, within {PAUSE} days")
    return found


def _plan(fields: Mapping[str, Any]) -> str:
    """More seats where only these are short, else the next plan."""
    short = fields["full"] or fields["limit_hits"]
    return "more seats" if short and not fields["blocked"] else f"the {_NEXT[fields['plan']]} plan"


def _is_overtaken(decision: Mapping[str, Any]) -> bool:
    """Whether a new decision takes the place of one: an offer stands as long as it keeps others away."""
    text = decision["text"]
    return text.startswith(_NOTHING) or (text.startswith(_OFFER) and decision["age"] >= PAUSE)
