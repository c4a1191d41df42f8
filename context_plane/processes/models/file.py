"""The form of ``models.yaml``: checked once, with the place of what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from context_plane import yamls
from context_plane.processes.models.catalog import MAX_OUTPUT, Model, Price
from context_plane.processes.models.openai import LIMITS
from context_plane.web import is_address
from context_plane.web.addresses import is_public

Name = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=200, pattern=r"^\S+$")]
Variable = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Tokens = Annotated[int, Field(strict=True, ge=1, le=100_000_000)]
Dollars = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
_OURS: Final = ("model", "messages", "stream", "n", "best_of", "api_key", "api_base", "base_url", "timeout")
"""Parameters that are not the file's to give."""
_LENGTHS: Final = frozenset({*LIMITS, "max_new_tokens", "num_predict", "min_tokens"})
"""Parameters, at any depth, that say how long an answer may or must be."""


class PriceEntry(BaseModel):
    """US dollars for a million tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    input: Dollars
    output: Dollars


class ModelEntry(BaseModel):
    """A model as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Name
    provider: Literal["openai", "litellm"]
    model: Name
    context: Tokens
    url: str = ""
    key_env: Variable | None = None
    capabilities: list[Name] = []
    price: PriceEntry | None = None
    locality: Literal["local", "remote"] = "remote"
    speed: Literal["fast", "normal", "slow"] = "normal"
    max_output: Tokens = MAX_OUTPUT
    parameters: dict[str, Any] = {}


class ModelsFile(BaseModel):
    """The file as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    models: list[ModelEntry]


def read_models(file: Path) -> tuple[Model, ...]:
    """The models of a file, in its order. Raises `InputError` with line and remedy."""
    document = yamls.load(file)
    entries = document.into(ModelsFile).models
    seen: dict[str, int] = {}
    for at, entry in enumerate(entries):
        place: tuple[str | int, ...] = ("models", at)
        if entry.name in seen:
            what = f"the model {entry.name!r} is there twice, first in line {seen[entry.name]}"
            raise document.error(what, "give one of them another name", (*place, "name"))
        seen[entry.name] = document.line(place)
        _check(document, entry, place)
    return tuple(_model(entry, document.place(("models", at))) for at, entry in enumerate(entries))


def _check(document: yamls.Document, entry: ModelEntry, place: tuple[str | int, ...]) -> None:
    if entry.provider == "openai" and not entry.url:
        raise document.error("a model of provider openai needs a url", "add url: https://host/v1", place)
    if entry.url and not is_address(entry.url):
        remedy = "write https://host/v1, without a name and password in it: a key goes into key_env"
        raise document.error("the url is none of HTTP", remedy, (*place, "url"))
    if entry.locality == "local" and entry.provider != "openai":
        what = "a local model is asked by provider openai: LiteLLM follows redirects and proxies to wherever they lead"
        raise document.error(what, "write provider: openai and the url of its server", (*place, "provider"))
    if entry.locality == "local" and _is_public(entry.url):
        what = "the model says that it is local, but its url is a public address"
        raise document.error(what, "write locality: remote, or the address of a machine of yours", (*place, "url"))
    if entry.max_output >= entry.context:
        what = f"max_output is {entry.max_output:,}, the whole context {entry.context:,}"
        raise document.error(what, "leave room for what the model is asked: set max_output lower", place)
    for name in entry.parameters:
        if name in _OURS:
            what = f"parameter {name!r} is not the file's to give"
            raise document.error(what, "leave it out", (*place, "parameters", name))
    _check_lengths(document, entry, entry.parameters, (*place, "parameters"))


def _check_lengths(document: yamls.Document, entry: ModelEntry, value: Any, place: tuple[str | int, ...]) -> None:
    """What an answer may cost is reckoned by `max_output`: a parameter must not let it be longer."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in pairs:
        if name in _LENGTHS and not (type(each) is int and 0 < each <= entry.max_output):
            what = f"parameter {name!r} is {each!r:.40}, and max_output {entry.max_output:,}"
            raise document.error(what, "raise max_output, or give a whole number up to it", (*place, name))
        _check_lengths(document, entry, each, (*place, name))


def _is_public(url: str) -> bool:
    """Whether a URL holds a public address. What a name means is looked up before it is asked."""
    try:
        return is_public(urlsplit(url).hostname or "")
    except ValueError:
        return False


def _model(entry: ModelEntry, place: str) -> Model:
    price = None if entry.price is None else Price(entry.price.input, entry.price.output)
    return Model(
        entry.name,
        entry.provider,
        entry.model,
        entry.context,
        url=entry.url.rstrip("/"),
        key_env=entry.key_env or "",
        capabilities=tuple(dict.fromkeys(entry.capabilities)),
        price=price,
        locality=entry.locality,
        speed=entry.speed,
        max_output=entry.max_output,
        parameters=dict(entry.parameters),
        place=place.partition(": ")[0],
    )
