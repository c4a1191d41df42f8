"""Choosing: which model a step gets, and why (seed 001, section 1.4).

What a step needs are limits first: a model that lacks a capability, may not see the data, is too small or costs too
much is out, whatever else speaks for it. Of the others the cheapest is taken, or the fastest where speed is asked for.
The same models and needs give the same choice, and every model that was left out has its reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from context_plane.errors import Infeasible
from context_plane.processes.linked import ModelNeeds
from context_plane.processes.models.catalog import Model

_SPEEDS: Final = {"fast": 0, "normal": 1, "slow": 2}


@dataclass(frozen=True)
class Choice:
    """A model, and why it is this one."""

    model: Model
    why: str
    """In words, for traces."""
    rejected: dict[str, str] = field(default_factory=dict)
    """Names of the models that do not fit, and why not."""
    estimated_cost: float | None = None
    """US dollars that the call costs at most, of an answer as long as the model may give; `None` where it is not
    known."""


def choose(models: Sequence[Model], needs: ModelNeeds, tokens: int) -> Choice:
    """The model for needs, of a request of so many tokens. Raises `Infeasible` where none fits, with all reasons."""
    rejected = {model.name: reason for model in models if (reason := _reason(model, needs, tokens))}
    fitting = [model for model in models if model.name not in rejected]
    if not fitting:
        told = "; ".join(f"{name} {reason}" for name, reason in rejected.items()) or "there is none"
        remedy = "add a model that fits to models.yaml, or ask for less under `model` in the step"
        raise Infeasible(f"no model fits: {told}", where="models.yaml", remedy=remedy)
    chosen = min(fitting, key=lambda model: _order(model, needs, tokens))
    return Choice(chosen, _why(chosen, fitting, rejected, needs, tokens), rejected, _cost(chosen, tokens))


def is_restricted(needs: ModelNeeds) -> bool:
    """Whether data may not leave: whatever is not said to be free to is not, however it is misspelt."""
    return needs.sensitivity not in ("public", "internal")


def _reason(model: Model, needs: ModelNeeds, tokens: int) -> str:
    """Why a model does not fit; empty where it does."""
    lacking = [each for each in needs.capabilities if each not in model.capabilities]
    if lacking:
        return f"lacks {', '.join(lacking)}"
    if is_restricted(needs) and model.locality != "local":
        return "is remote, and the data is restricted"
    if tokens + model.max_output > model.context:
        return f"is too small: {tokens:,} tokens and an answer of {model.max_output:,} into {model.context:,}"
    if needs.max_cost is None:
        return ""
    cost = _cost(model, tokens)
    if cost is None:
        return "has no price, and the cost is limited"
    return "" if cost <= needs.max_cost else f"may cost {_dollars(cost)}, allowed are {_dollars(needs.max_cost)}"


def _order(model: Model, needs: ModelNeeds, tokens: int) -> tuple[float, float, str]:
    """The least is the best. What has no price comes after all that have one."""
    cost = _cost(model, tokens)
    price, speed = math.inf if cost is None else cost, _SPEEDS[model.speed]
    return (speed, price, model.name) if needs.speed == "fast" else (price, speed, model.name)


def _why(chosen: Model, fitting: Sequence[Model], rejected: dict[str, str], needs: ModelNeeds, tokens: int) -> str:
    cost = _cost(chosen, tokens)
    best = "fastest" if needs.speed == "fast" else "cheapest"
    said = f"the {best} of {len(fitting)} that fit" if len(fitting) > 1 else "the only one that fits"
    price = "its price is not known" if cost is None else f"at most {_dollars(cost)}"
    left_out = "; ".join(f"{name} {reason}" for name, reason in rejected.items())
    return f"{said}, {price}" + (f" ({left_out})" if left_out else "")


def _cost(model: Model, tokens: int) -> float | None:
    """At most: an answer is never longer than `max_output`, because it is asked for no more."""
    return model.cost(tokens, model.max_output)


def _dollars(amount: float) -> str:
    return f"${amount:.6f}".rstrip("0").rstrip(".")
