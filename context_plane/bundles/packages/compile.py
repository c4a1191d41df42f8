"""Compiling: sources become a package, the same ones the same bytes.

Here belong the body of a package, what it counts, and reading it again. A body holds what the package says (facts by
piece, each piece in CTX too), what it was made of, and its text. Its hash is the package's version; neither times nor
log numbers are in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from context_plane.bundles.packages.compose import Composed, Part, compose, part_of, raw_text
from context_plane.bundles.packages.declaration import Declaration
from context_plane.bundles.packages.facts import Piece
from context_plane.bundles.packages.sources import Source
from context_plane.bundles.viewport.sections import MOST_TOKENS
from context_plane.canonical import canonical
from context_plane.ctx.tokens import count
from context_plane.errors import Corrupt, Infeasible, InputError

ENGINE: Final = 1
"""Part of every body. Raise it with every change that gives the same sources other bytes."""


@dataclass(frozen=True)
class Compiled:
    """A package."""

    declaration: Declaration
    depends: tuple[tuple[str, str], ...]
    """Name and version of all packages that it builds on, and of those that these build on."""
    sources: tuple[Mapping[str, Any], ...]
    """What it was made of itself: `Source.to_json`."""
    parts: tuple[Part, ...]
    """What it says, by package: its own, which has no version, and what it takes from those that it builds on."""
    left_out: tuple[Mapping[str, Any], ...]
    """What is current of its own sources and not in it, and why."""
    own_raw_tokens: int
    """Of its own sources as they are, uncompiled."""
    raw_tokens: int
    """The same with those of the packages that it builds on."""
    tokens: int
    """Of the text."""
    text: str
    """The package as it is read, with what it builds on."""

    @property
    def name(self) -> str:
        """Its name."""
        return self.declaration.name

    @property
    def ratio(self) -> float:
        """How many tokens of its sources one token of it stands for."""
        return self.raw_tokens / self.tokens if self.tokens else 1.0

    @property
    def part(self) -> Part:
        """What it adds to a composition itself."""
        own = next((part for part in self.parts if not part.version), None)
        return _part(self.declaration, self.version, own.pieces if own else ())

    @cached_property
    def body(self) -> bytes:
        """Canonical JSON of all of it."""
        return canonical(
            {
                "engine": ENGINE, "declaration": self.declaration.to_json(),
                "depends": [{"package": name, "version": version} for name, version in self.depends],
                "sources": list(self.sources), "parts": [part.to_json() for part in self.parts],
                "left_out": list(self.left_out), "own_raw_tokens": self.own_raw_tokens, "raw_tokens": self.raw_tokens,
                "tokens": self.tokens, "text": self.text,
            }
        )  # fmt: skip

    @cached_property
    def version(self) -> str:
        """``sha256:…`` of the body."""
        return version_of(self.body)

    @property
    def nbytes(self) -> int:
        """Bytes of memory, about."""
        return 4 * len(self.body) + 2_000


def version_of(body: bytes) -> str:
    """The version that a body is."""
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def compile_package(declaration: Declaration, sources: Sequence[Source], on: Sequence[Compiled] = ()) -> Compiled:
    """The package that sources and the packages it builds on (with those that these build on) make.

    Raises `Infeasible` where what is mandatory takes more than `max_tokens`, with the least that would do.
    """
    own = _part(declaration, "", tuple(piece for source in sources for piece in source.pieces))
    parts = [own, *(each.part for each in on)]
    made = _composed(declaration, parts)
    left = [each for each in made.report.left_out if each.package == own.name]
    lost = {fact.key for each in left for fact in each.piece.facts}
    raw = [piece.with_facts(f for f in piece.facts if f.key not in lost) for s in sources for piece in s.raw]
    own_raw = count(raw_text(own.name, [piece for piece in raw if piece.facts]))
    return Compiled(
        declaration,
        tuple(sorted((each.name, each.version) for each in on)),
        tuple(source.to_json() for source in sources),
        _parts(parts, made),
        (
            *({"kind": e.piece.kind, "id": e.piece.id, "tokens": e.tokens, "why": e.why} for e in left),
            *(e.to_dict() for e in made.report.dropped if e.package == own.name),
        ),
        own_raw,
        own_raw + sum(each.own_raw_tokens + 1 for each in on),
        made.tokens,
        made.text,
    )


def checked_text(made: Compiled) -> bool:
    """Whether the text of a package is what its facts make."""
    again = _composed(made.declaration, made.parts)
    return (again.text, again.tokens) == (made.text, made.tokens) and made.tokens <= made.raw_tokens


def _part(declaration: Declaration, version: str, pieces: tuple[Piece, ...]) -> Part:
    it = declaration
    return Part(it.name, version, it.precedence, pieces, it.data_mode, it.text_mode)


def _composed(declaration: Declaration, parts: Sequence[Part]) -> Composed:
    try:
        return compose(parts, declaration.max_tokens or MOST_TOKENS)
    except Infeasible as error:
        where = f"{declaration.where or f'package {declaration.name}'}: max_tokens"
        raise Infeasible(f"package {declaration.name}: {error.what}", where=where, remedy=error.remedy) from error


def _parts(parts: Sequence[Part], made: Composed) -> tuple[Part, ...]:
    """What a composition took of the parts that it was made of."""
    taken = (
        replace(part, pieces=tuple(e.piece for e in made.taken if (e.package, e.version) == (part.name, part.version)))
        for part in parts
    )
    return tuple(part for part in taken if part.pieces)


def compiled_of(body: bytes, where: str) -> Compiled:
    """The package of a body. Raises `Corrupt` for anything that `compile_package` did not make."""
    try:
        raw = json.loads(body)
        if raw["engine"] != ENGINE:
            raise ValueError(f"it is of engine {raw['engine']!r:.20}, this is {ENGINE}")
        made = Compiled(
            Declaration.from_json(raw["declaration"]),
            tuple((str(each["package"]), str(each["version"])) for each in raw["depends"]),
            tuple(raw["sources"]),
            tuple(part_of(each) for each in raw["parts"]),
            tuple(raw["left_out"]),
            int(raw["own_raw_tokens"]),
            int(raw["raw_tokens"]),
            int(raw["tokens"]),
            str(raw["text"]),
        )
        if made.body != body:
            raise ValueError("it is not written as bodies are")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, InputError) as error:
        remedy = "delete the object and build the package again: it is derived from the log"
        raise Corrupt(f"the package does not read: {error}", where=where, remedy=remedy) from error
    return made
