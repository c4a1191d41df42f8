"""Which model a step gets: limits first, then price or speed; the same choice every time, with every reason."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import Infeasible
from context_plane.processes.linked import ModelNeeds
from context_plane.processes.models.catalog import Model, Price
from context_plane.processes.models.choosing import choose

LOCAL = Model("local", "openai", "x", 8_000, locality="local", speed="slow", max_output=1_000, capabilities=("code",))
FAST = Model(
    "fast", "openai", "x", 100_000, speed="fast", max_output=1_000, price=Price(1, 4), capabilities=("code", "tools")
)
BIG = Model(
    "big", "litellm", "x", 200_000, max_output=8_000, price=Price(5, 25), capabilities=("code", "tools", "reasoning")
)
UNPRICED = Model("unpriced", "openai", "x", 100_000, max_output=1_000, capabilities=("code", "tools"))
ALL = (BIG, LOCAL, UNPRICED, FAST)


def chosen(needs: ModelNeeds, tokens: int = 500, models: tuple[Model, ...] = ALL) -> str:
    return choose(models, needs, tokens).model.name


@pytest.mark.parametrize(
    ("needs", "tokens", "name"),
    [
        (ModelNeeds(), 500, "local"),
        (ModelNeeds(speed="fast"), 500, "fast"),
        (ModelNeeds(("reasoning",)), 500, "big"),
        (ModelNeeds(("tools",)), 500, "fast"),
        (ModelNeeds(sensitivity="restricted", speed="fast"), 500, "local"),
        (ModelNeeds(sensitivity="public"), 500, "local"),
        (ModelNeeds(), 7_000, "local"),
        (ModelNeeds(), 7_001, "fast"),
        (ModelNeeds(), 150_000, "big"),
        (ModelNeeds(("tools",), max_cost=0.0045), 500, "fast"),
        (ModelNeeds(max_cost=0), 500, "local"),
    ],
)
def test_the_choice(needs: ModelNeeds, tokens: int, name: str) -> None:
    """The cheapest that is good enough, the fastest where that is asked for."""
    assert chosen(needs, tokens) == name


def test_the_reasons_are_told() -> None:
    """Of the one, and of each of the others that did not fit."""
    found = choose(ALL, ModelNeeds(("tools",), max_cost=0.01), 500)
    assert found.estimated_cost == 0.0045
    assert found.rejected == {
        "big": "may cost $0.2025, allowed are $0.01",
        "local": "lacks tools",
        "unpriced": "has no price, and the cost is limited",
    }
    assert found.why == (
        "the only one that fits, at most $0.0045 (big may cost $0.2025, allowed are $0.01; local lacks tools; "
        "unpriced has no price, and the cost is limited)"
    )
    assert choose(ALL, ModelNeeds(), 500).why == "the cheapest of 4 that fit, at most $0"
    assert choose([UNPRICED], ModelNeeds(), 5).why == "the only one that fits, its price is not known"


def test_where_none_fits_every_reason_is_told() -> None:
    """And what to do."""
    with pytest.raises(Infeasible) as caught:
        choose(ALL, ModelNeeds(("reasoning",), "restricted"), 500)
    assert caught.value.what == (
        "no model fits: big is remote, and the data is restricted; local lacks reasoning; "
        "unpriced lacks reasoning; fast lacks reasoning"
    )
    assert "models.yaml" in caught.value.remedy
    with pytest.raises(Infeasible, match="is too small: 300,000 tokens and an answer of 8,000 into 200,000"):
        choose([BIG], ModelNeeds(), 300_000)
    with pytest.raises(Infeasible, match="there is none"):
        choose([], ModelNeeds(), 1)


def test_what_has_no_price_comes_last_and_names_break_ties() -> None:
    """In every order of the file."""
    twins = tuple(Model(name, "openai", "x", 9_000, price=Price(1, 1)) for name in ("b", "a"))
    for models in itertools.permutations((*twins, UNPRICED)):
        assert chosen(ModelNeeds(), 10, models) == "a"


CAPABILITIES = st.lists(st.sampled_from(["code", "tools", "reasoning"]), unique=True).map(tuple)
MODELS = st.lists(
    st.builds(
        Model, name=st.text("abcdef", min_size=1, max_size=4), provider=st.just("openai"), model=st.just("x"),
        context=st.integers(2_000, 10_000), capabilities=CAPABILITIES, max_output=st.integers(1, 1_000),
        price=st.none() | st.builds(Price, st.integers(0, 50), st.integers(0, 50)),
        locality=st.sampled_from(["local", "remote"]), speed=st.sampled_from(["fast", "normal", "slow"]),
    ),
    unique_by=lambda model: model.name, max_size=6,
)  # fmt: skip
NEEDS = st.builds(
    ModelNeeds, CAPABILITIES, st.sampled_from(["public", "internal", "restricted"]),
    st.sampled_from(["fast", "normal"]), st.none() | st.floats(0, 0.1),
)  # fmt: skip


@given(MODELS, NEEDS, st.integers(0, 9_000), st.randoms())
def test_limits_hold_and_the_order_of_the_file_does_not_matter(
    models: list[Model], needs: ModelNeeds, tokens: int, random: Any
) -> None:
    """Whatever models there are and whatever is needed."""
    try:
        found = choose(models, needs, tokens)
    except Infeasible:
        fits = [each for each in models if set(needs.capabilities) <= set(each.capabilities)]
        assert needs.sensitivity == "restricted" or tokens > 1_000 or needs.max_cost is not None or not fits
        return
    model = found.model
    assert set(needs.capabilities) <= set(model.capabilities)
    assert needs.sensitivity != "restricted" or model.locality == "local"
    assert tokens + model.max_output <= model.context
    cost = model.cost(tokens, model.max_output)
    assert needs.max_cost is None or (cost is not None and cost <= needs.max_cost)
    shuffled = list(models)
    random.shuffle(shuffled)
    assert choose(shuffled, needs, tokens).model == model
    for other in models:
        if other.name in found.rejected or other == model:
            continue
        if needs.speed == "fast":
            assert ["fast", "normal", "slow"].index(model.speed) <= ["fast", "normal", "slow"].index(other.speed)
        else:
            price = other.cost(tokens, other.max_output)
            assert price is None or (cost is not None and cost <= price)


@pytest.mark.parametrize("said", ["Restricted", "RESTRICTED", "secret", "", None, "restricted "])
def test_what_is_not_said_to_be_free_to_leave_stays(said: Any) -> None:
    """However it is misspelt."""
    assert chosen(ModelNeeds(sensitivity=said, speed="fast")) == "local"
    with pytest.raises(Infeasible, match="the data is restricted"):
        choose([FAST], ModelNeeds(sensitivity=said), 5)
