"""The check of a text against what it was encoded from: which level of losslessness is reached, and what differs where.

Here belongs the comparison of two texts, by them alone: nothing that the encoder decided is known here.

=====  ==================================================================================================
level  the decoded text …
=====  ==================================================================================================
L0     is the original, character for character
L1     has the same blocks: every word, number, order and depth of blocks, code to the character (`blocks`)
L2     has the same blocks but for words of running text that may be missing (`facts`)
=====  ==================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest
from typing import Final

from context_plane.ctx.prose import facts
from context_plane.ctx.prose.blocks import Block
from context_plane.ctx.prose.decode import decode
from context_plane.ctx.prose.parse import parse

_MOST: Final = 100
_SHOWN: Final = 60


class Level(StrEnum):
    """How much of a text is certain to be there. A level that is reached includes those after it; L0 < L1 < L2."""

    BYTES = "L0"
    STRUCTURE = "L1"
    FACTS = "L2"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same, and where: the line of the original, from 1, and what block is there."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """The level reached, None if not even facts are the same, and what keeps it from the next: at most 100 places."""

    level: Level | None
    differences: tuple[Difference, ...] = ()


def check(original: str, ctx: str) -> Report:
    """What of `original` is left in the encoded text `ctx`. Raises `InputError` if that cannot be decoded."""
    return compare(original, decode(ctx))


def compare(original: str, decoded: str, *, least: Level = Level.FACTS) -> Report:
    """What of `original` is left in `decoded`. Levels below `least` are not looked at."""
    if original == decoded:
        return Report(Level.BYTES)
    if least is Level.BYTES:
        return Report(None, (_first_character(original, decoded),))
    blocks, others = parse(original), parse(decoded)
    if blocks == others:
        return Report(Level.STRUCTURE, (_first_character(original, decoded),))
    structure = tuple(_limited(_structure(blocks, others)))
    if least is Level.STRUCTURE:
        return Report(None, structure)
    wrong = tuple(_limited(_facts(blocks, others)))
    return Report(None, wrong) if wrong else Report(Level.FACTS, structure)


def _limited(found: Iterator[Difference]) -> Iterator[Difference]:
    return (difference for difference, _ in zip(found, range(_MOST), strict=False))


def _first_character(original: str, decoded: str) -> Difference:
    at = next((at for at, (a, b) in enumerate(zip(original, decoded, strict=False)) if a != b), -1)
    at = min(len(original), len(decoded)) if at < 0 else at
    line = original.count("\n", 0, at) + 1
    return Difference(f"line {line}", f"{original[at : at + 20]!r} is {decoded[at : at + 20]!r}")


def _structure(blocks: tuple[Block, ...], others: tuple[Block, ...]) -> Iterator[Difference]:
    for block, other in _aligned(blocks, others):
        if block != other:
            yield Difference(_place(block, other), _what(block, other))


def _facts(blocks: tuple[Block, ...], others: tuple[Block, ...]) -> Iterator[Difference]:
    for block, other in _aligned(blocks, others):
        if block is None or other is None or _frame(block) != _frame(other):
            yield Difference(_place(block, other), _what(block, other))
        elif block.kind in ("para", "item"):
            for line, said in zip(block.lines, other.lines, strict=True):
                yield from (Difference(_place(block, other), what) for what in _line(line, said))
        elif block.lines != other.lines:
            yield Difference(_place(block, other), _what(block, other))


def _aligned(
    blocks: tuple[Block, ...], others: tuple[Block, ...]
) -> Iterator[tuple[Block, Block] | tuple[Block, None] | tuple[None, Block]]:
    """Pairs of blocks in the same place; where numbers differ, those that are alike at the end are paired from there,
    so that one block too many is told of once."""
    alike = 0
    if len(blocks) != len(others):
        shorter = min(len(blocks), len(others))
        while alike < shorter and blocks[-1 - alike] == others[-1 - alike]:
            alike += 1
    middle = zip_longest(blocks[: len(blocks) - alike], others[: len(others) - alike])
    yield from middle
    yield from zip(blocks[len(blocks) - alike :], others[len(others) - alike :], strict=True)


def _frame(block: Block) -> tuple[object, ...]:
    lines = len(block.lines) if block.kind in ("para", "item") else 0
    return block.kind, block.mark, block.depth, block.quote, block.shape, lines


def _line(line: str, said: str) -> list[str]:
    text, other = line.lstrip(" "), said.lstrip(" ")
    if len(line) - len(text) != len(said) - len(other):
        return [f"the line {text[:_SHOWN]!r} is indented otherwise"]
    return facts.differences(text, other)


def _place(block: Block | None, other: Block | None) -> str:
    if block is None:
        return f"behind the end: {other.kind}" if other else ""
    return f"line {block.at + 1}: {block.kind}"


def _what(block: Block | None, other: Block | None) -> str:
    if block is None or other is None:
        there = block or other
        shown = " ".join(there.lines)[:_SHOWN] if there else ""
        return f"{shown!r} is {'missing' if other is None else 'not in the original'}"
    if _frame(block)[:-1] != _frame(other)[:-1]:
        return f"it is {_named(other)} and was {_named(block)}"
    for line, said in zip_longest(block.lines, other.lines):
        if line != said:
            return f"{(line or '')[:_SHOWN]!r} is {(said or '')[:_SHOWN]!r}"
    return "it differs"


def _named(block: Block) -> str:
    quote = f" in a quotation of depth {block.quote[1]}" if block.quote[1] else ""
    return f"{block.kind} {block.mark!r} at depth {block.depth}{quote}"
