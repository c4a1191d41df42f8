"""Declaring: whether what Python says of an action or a gate can be meant.

YAML is checked by its language; what code declares is checked here, where it is declared, so that the error names the
file and the line. A word that is not known is never taken for its default: a model that is to see only what is
restricted must not be chosen as if nothing had been said.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, get_args

from context_plane.canonical import canonical
from context_plane.errors import InputError
from context_plane.processes.language.types import fits
from context_plane.processes.linked import Declared, ModelNeeds, Sensitivity
from context_plane.processes.registry.handler import TYPES, Action, Gate

_SENSITIVITIES: Final = get_args(Sensitivity)
_SPEEDS: Final = ("fast", "normal")


def check(made: Action | Gate, place: str) -> None:
    """Raises `InputError` for inputs, a model or a time that cannot be meant."""
    inputs_of(made.inputs, place)
    if isinstance(made, Action):
        _check_time(made.timeout, place)
        if made.model is not None:
            _check_model(made.model, place)


def inputs_of(inputs: object, place: str) -> dict[str, Declared] | None:
    """Declared inputs in full. Raises `InputError` for a type that there is none, or a default that is no JSON or none
    of its type."""
    if inputs is None:
        return None
    remedy = f"declare inputs as {{name: type}} with {', '.join(TYPES)}, or a Declared"
    if not isinstance(inputs, Mapping):
        raise InputError(f"the inputs are {inputs!r:.60}", where=place, remedy=remedy)
    found = {}
    for name, given in inputs.items():
        declared = Declared(given) if isinstance(given, str) else given
        if not isinstance(name, str) or not isinstance(declared, Declared) or declared.type not in TYPES:
            raise InputError(f"input {name!r:.60} is {given!r:.60}", where=place, remedy=remedy)
        _check_default(name, declared, place)
        found[name] = declared
    return found


def _check_default(name: str, declared: Declared, place: str) -> None:
    if declared.default is None:
        return
    try:
        canonical(declared.default)
        good = fits(declared.default, declared.type)
    except InputError:
        good = False
    if not good:
        what = f"the default of input {name!r:.60} is {declared.default!r:.60}"
        remedy = f"give JSON of type {declared.type}: objects, lists, text, numbers, booleans"
        raise InputError(what, where=place, remedy=remedy)


def _check_model(needs: Any, place: str) -> None:
    if not isinstance(needs, ModelNeeds):
        raise InputError(f"the model is {needs!r:.60}", where=place, remedy="give ModelNeeds(…)")
    if not isinstance(needs.sensitivity, str) or needs.sensitivity not in _SENSITIVITIES:
        remedy = f"write one of {', '.join(_SENSITIVITIES)}"
        raise InputError(f"the model's sensitivity is {needs.sensitivity!r:.60}", where=place, remedy=remedy)
    if not isinstance(needs.speed, str) or needs.speed not in _SPEEDS:
        remedy = f"write one of {', '.join(_SPEEDS)}"
        raise InputError(f"the model's speed is {needs.speed!r:.60}", where=place, remedy=remedy)
    words: Any = needs.capabilities
    if not isinstance(words, tuple) or not all(isinstance(each, str) and each.strip() for each in words):
        what = f"the model's capabilities are {words!r:.60}"
        raise InputError(what, where=place, remedy='write a tuple of words: ("reasoning",)')
    if needs.max_cost is not None and not (_is_number(needs.max_cost) and needs.max_cost >= 0):
        what = f"the model's max_cost is {needs.max_cost!r:.60}"
        raise InputError(what, where=place, remedy="give US dollars as a number from 0 on")


def _check_time(timeout: Any, place: str) -> None:
    if timeout is not None and not (_is_number(timeout) and timeout > 0):
        raise InputError(f"the timeout is {timeout!r:.60}", where=place, remedy="give seconds as a number above 0")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
