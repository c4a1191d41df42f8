"""What people wrote: the sentences of notes and tickets, put together from parts so that few are the same."""

from __future__ import annotations

from random import Random
from typing import Final

PEOPLE: Final = (
    "Amara Bruno Chen Dilara Emeka Freya Goran Hana Ines Jonas Kavya Luis Mika Noor Olga Priya Ravi Sofia".split()
)
ROLES: Final = (
    "head of operations",
    "engineering lead",
    "office manager",
    "finance director",
    "product owner",
    "IT administrator",
)
TEAMS: Final = ("sales", "support", "engineering", "marketing", "the Lisbon office", "a newly acquired company")
FEATURES: Final = (
    "SSO",
    "audit logs",
    "custom roles",
    "the API above 100 calls a minute",
    "data residency",
    "sandboxes",
)
PARTS: Final = ("the CSV export", "the dashboard", "the mobile app", "the calendar sync", "search", "the invoice page")

INTEREST: Final = (
    "{person} ({role}) asked what an upgrade would cost for {count} people from {team}.",
    "Wants more seats before the quarter ends: {team} is joining, {count} people in all.",
    "Security review is on: {person} has to have SSO by then and asked which plan includes it.",
    "{person} ({role}) compared plans with us and asked for an upgrade quote by Friday.",
    "Budget for more seats is approved, says {person}; waits for our proposal for {team}.",
)
NOTES: Final = (
    "Quarterly call with {person} ({role}): content, no open points.",
    "{person} moved to another role; new contact is {other}, {role}.",
    "Sent the recording of the webinar on {feature} to {person}.",
    "{person} would be a reference for {team}, after the holidays.",
    "Talked about how {team} uses {part}; they have a workaround that they like.",
    "Renewal is not before autumn; {person} asked us to check in again then.",
)
TICKETS: Final = (
    "{part} shows an error since this morning, {count} people in {team} are affected.",
    "How do we change the owner of a workspace? {person} left the company.",
    "{part} is slow for {team}, about {count} seconds a page.",
    "The numbers of {part} differ from what {person} sees.",
    "{person} cannot log in after the password reset.",
)
COMPLAINTS: Final = (
    "{part} failed again, the third time this month. {person} says they look at alternatives.",
    "Nobody answered since {count} days; {person} ({role}) wants to cancel if this goes on.",
    "Data of {team} was missing in {part}; {person} asked for a refund.",
)
SOLVED: Final = (
    "Fixed with the release of today; {person} confirmed.",
    "Explained the setting; {person} is content.",
    "A browser extension was the cause; works without it.",
)


def write(rng: Random, forms: tuple[str, ...]) -> str:
    """One of the forms, filled in."""
    person, other = rng.sample(PEOPLE, 2)
    text = rng.choice(forms).format(
        person=person,
        other=other,
        role=rng.choice(ROLES),
        team=rng.choice(TEAMS),
        feature=rng.choice(FEATURES),
        part=rng.choice(PARTS),
        count=rng.randint(3, 60),
    )
    return text[0].upper() + text[1:]
