"""The generated customers: who they are, and which of them would take an upgrade. That is the truth the agent is
measured against; it is in no event, and nothing but the measurement reads it.

Every customer is drawn from a generator of its own, so that the same number is the same customer however many there
are. How many signals a customer sends is skewed as such things are: most are quiet, a few make most of the noise.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

PLANS: Final = {"starter": 0.45, "team": 0.35, "business": 0.17, "enterprise": 0.03}
SEATS: Final = {"starter": (3, 10), "team": (8, 40), "business": (30, 150), "enterprise": (150, 600)}
PRICE: Final = {"starter": 9, "team": 19, "business": 35, "enterprise": 55}
DAYS: Final = 30


@dataclass(frozen=True)
class World:
    """What is generated: equal worlds have equal customers and events."""

    customers: int
    seed: int = 42
    planted: float = 0.05
    """Share of the customers that would take an upgrade."""

    def random(self, *what: object) -> Random:
        """A generator for one thing of this world."""
        return Random("/".join(map(str, (self.seed, *what))))

    def all(self) -> Iterator[Customer]:
        """Every customer, in order of their ids."""
        return (draw(self, number) for number in range(self.customers))

    def truth(self) -> frozenset[str]:
        """The entities that would take an upgrade."""
        return frozenset(customer.entity for customer in self.all() if customer.candidate)


@dataclass(frozen=True)
class Customer:
    """One customer as drawn; the counts are of the 30 days."""

    number: int
    candidate: bool
    unhappy: bool
    plan: str
    seats: int
    users: int
    """People who work with the product on a busy day."""
    billing_day: int
    active_days: tuple[int, ...]
    limit_hits: int
    blocked: int
    interest: int
    notes: int
    tickets: int
    payment_fails: bool

    @property
    def id(self) -> str:
        """``c-00042``"""
        return f"c-{self.number:05d}"

    @property
    def entity(self) -> str:
        """``customer/c-00042``"""
        return f"customer/{self.id}"


def draw(world: World, number: int) -> Customer:
    """Customer `number` of a world."""
    candidate = world.random("planted", number).random() < world.planted
    rng = world.random("customer", number)
    plan = rng.choices(list(PLANS), list(PLANS.values()))[0]
    if candidate and plan == "enterprise":
        plan = "business"  # who has the largest plan cannot be upgraded
    seats = rng.randint(*SEATS[plan])
    unhappy = rng.random() < (0.04 if candidate else 0.12)
    share = rng.uniform(0.82, 1.0) if candidate else min(1.0, rng.betavariate(2.2, 2.4) + 0.05)
    busy = min(DAYS, 1 + int(rng.lognormvariate(2.0 if candidate else 1.55, 0.75)))
    return Customer(
        number=number,
        candidate=candidate,
        unhappy=unhappy,
        plan=plan,
        seats=seats,
        users=max(1, math.ceil(seats * share)),
        billing_day=rng.randrange(DAYS),
        active_days=tuple(sorted(rng.sample(range(DAYS), busy))),
        limit_hits=_some(rng, 0.75 if candidate else 0.10, 3),
        blocked=_some(rng, 0.65 if candidate else 0.09, 3),
        interest=_some(rng, 0.65 if candidate else 0.06, 2),
        notes=_some(rng, 0.55, 4),
        tickets=_some(rng, 0.9, 6) if unhappy else _some(rng, 0.3, 2),
        payment_fails=rng.random() < (0.3 if unhappy else 0.02),
    )


def _some(rng: Random, chance: float, most: int) -> int:
    """Nothing, or with a chance 1 to `most`, small numbers more often."""
    return 1 + min(rng.randrange(most), rng.randrange(most)) if rng.random() < chance else 0
