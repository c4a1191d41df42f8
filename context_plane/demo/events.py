"""The events of the generated customers, as four systems would send them: CRM, support, product and billing.

Also the corrections that arrive late: events of days gone by that were not there when the days were first built.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any, Final

from context_plane.demo import texts
from context_plane.demo.customers import DAYS, PRICE, Customer, World
from context_plane.instants import DAY, SECOND, format_instant, parse_instant

START: Final = parse_instant("2026-02-15T00:00:00Z")
END: Final = START + DAYS * DAY
"""The data clock: the end of the newest day."""

Event = dict[str, Any]
_CORRECTED: Final = 61  # every so many customers get a late correction
_SOURCES: Final = {"crm": "crm", "support": "support", "usage": "product", "billing": "billing"}
_LATE_KINDS: Final = (
    ("crm.note", {"text": "Logged late: asked for an upgrade offer with more seats when we met."}),
    ("support.ticket_opened", {"text": "Reported by phone and filed late: the export was down.", "severity": "high"}),
    ("usage.limit_reached", {"text": "Found when the counters were checked: all seats were taken."}),
)


def all_events(world: World) -> Iterator[Event]:
    """Every event of a world, customer by customer."""
    for customer in world.all():
        yield from events_of(customer, world.random("events", customer.number))


def corrections(world: World) -> Iterator[Event]:
    """Events that arrive after everything was built, on days in the past."""
    for number in range(5 % world.customers, world.customers, _CORRECTED):
        rng = world.random("late", number)
        kind, data = rng.choice(_LATE_KINDS)
        entity = f"customer/c-{number:05d}"
        yield _event(entity, f"late-{number:05d}", kind, rng.randrange(DAYS - 7), rng, **data)


def events_of(customer: Customer, rng: Random) -> Iterator[Event]:
    """The events of one customer."""
    yield from _billing(customer, rng)
    yield from _usage(customer, rng)
    for index in range(customer.interest):
        yield _written(customer, "crm.note", f"ask{index}", _day(customer, rng), rng, texts.INTEREST)
    for index in range(customer.notes):
        yield _written(customer, "crm.note", f"note{index}", _day(customer, rng), rng, texts.NOTES)
    for index in range(customer.tickets):
        yield from _ticket(customer, index, rng)


def _billing(customer: Customer, rng: Random) -> Iterator[Event]:
    entity, id_, day = customer.entity, customer.id, customer.billing_day
    yield _event(entity, f"{id_}-sub", "billing.subscription", day, rng, plan=customer.plan, seats=customer.seats)
    amount = customer.seats * PRICE[customer.plan]
    if customer.payment_fails:
        yield _event(entity, f"{id_}-fail", "billing.payment_failed", day, rng, amount=amount, reason="card declined")
    else:
        yield _event(entity, f"{id_}-inv", "billing.invoice_paid", day, rng, amount=amount, currency="EUR")


def _usage(customer: Customer, rng: Random) -> Iterator[Event]:
    entity, id_ = customer.entity, customer.id
    busiest = rng.choice(customer.active_days)
    for day in customer.active_days:
        users = customer.users if day == busiest else max(1, round(customer.users * rng.uniform(0.4, 1)))
        sessions = users * rng.randint(1, 9)
        yield _event(entity, f"{id_}-day{day}", "usage.daily", day, rng, active_users=users, sessions=sessions)
        if rng.random() < 0.6:
            feature = rng.choice(texts.PARTS).removeprefix("the ")
            yield _event(entity, f"{id_}-use{day}", "usage.feature_used", day, rng, feature=feature, times=users + day)
    for index in range(customer.limit_hits):
        text = f"All {customer.seats} seats are taken; {rng.randint(1, 9)} invitations wait."
        yield _event(entity, f"{id_}-limit{index}", "usage.limit_reached", _day(customer, rng), rng, text=text)
    for index in range(customer.blocked):
        text = f"Opened {rng.choice(texts.FEATURES)}, which the {customer.plan} plan does not include."
        yield _event(entity, f"{id_}-gate{index}", "usage.feature_blocked", _day(customer, rng), rng, text=text)


def _ticket(customer: Customer, index: int, rng: Random) -> Iterator[Event]:
    day = _day(customer, rng)
    forms = texts.COMPLAINTS if customer.unhappy and rng.random() < 0.6 else texts.TICKETS
    severity = "high" if forms is texts.COMPLAINTS else "normal"
    yield _written(customer, "support.ticket_opened", f"tic{index}", day, rng, forms, severity=severity)
    closed = day + rng.randint(1, 4)
    if closed < DAYS and rng.random() < 0.8:
        yield _written(customer, "support.ticket_closed", f"done{index}", closed, rng, texts.SOLVED)


def _day(customer: Customer, rng: Random) -> int:
    """Things happen on days on which people work with the product."""
    return rng.choice(customer.active_days)


def _written(
    customer: Customer, kind: str, name: str, day: int, rng: Random, forms: tuple[str, ...], **data: Any
) -> Event:
    text = texts.write(rng, forms)
    return _event(customer.entity, f"{customer.id}-{name}", kind, day, rng, text=text, **data)


def _event(entity: str, id_: str, kind: str, day: int, rng: Random, **data: Any) -> Event:
    at = START + day * DAY + rng.randrange(7 * 3_600, 20 * 3_600) * SECOND
    return {
        "specversion": "1.0",
        "id": id_,
        "source": _SOURCES[kind.partition(".")[0]],
        "type": kind,
        "subject": entity,
        "time": format_instant(at),
        "data": data,
    }
