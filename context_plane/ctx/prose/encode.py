"""Encoding: a text with fewer tokens, of which the encoder has seen that it decodes to what its mode promises.

Here belongs which forms of a text are tried in which mode, and what is returned when one does not do: the next safer,
and in the end the text as it is. Nothing is returned that was not decoded and compared, or that has more tokens than
the text (but for the line before a text that itself begins with the mark of the format).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from context_plane.ctx import tokens
from context_plane.ctx.prose import exact, legend
from context_plane.ctx.prose.blocks import Block
from context_plane.ctx.prose.check import Level, compare
from context_plane.ctx.prose.decode import decode
from context_plane.ctx.prose.header import MARK, Head, Mode, mode_of
from context_plane.ctx.prose.lines import split_lines
from context_plane.ctx.prose.parse import parse
from context_plane.ctx.prose.render import render
from context_plane.ctx.prose.semantic import reduced
from context_plane.ctx.prose.wrapping import Layout, layout_of
from context_plane.errors import InputError

_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_HARDLY_LESS: Final = 0.995
_PROMISED: Final = {
    Mode.EXACT: Level.BYTES,
    Mode.VERBATIM: Level.STRUCTURE,
    Mode.COMPACT: Level.STRUCTURE,
    Mode.SEMANTIC: Level.FACTS,
}


def encode(text: str, mode: Mode) -> str:
    """The text in the form of `mode` with the fewest tokens, of a safer mode if that has fewer, or as it is.

    Raises `InputError` for a lone surrogate, which is not text, and for a mode that there is not.
    """
    mode = mode_of(mode)
    check_text(text)
    count = tokens.counter()
    best = Head().written() + text if text.startswith(MARK) else text
    fewest = count(best)
    for forms in _forms(text, mode, count):
        held = False
        for candidate in forms:
            cost = count(candidate)
            if cost < fewest and _holds(text, candidate, mode):
                best, fewest, held = candidate, cost, True
        if held:
            break
    return best


def rewritten(text: str, words: str) -> str:
    """The text as a rewriter said it, labelled; as `verbatim` has it where that takes no more tokens, for what is sure
    at the same price is to be had."""
    check_text(words)
    safe, labelled = encode(text, Mode.VERBATIM), Head(Mode.REWRITE).written() + words
    return labelled if tokens.count(labelled) < tokens.count(safe) else safe


def check_text(text: str) -> None:
    """Raises `InputError` for a lone surrogate, which is not text."""
    found = _SURROGATE.search(text)
    if found:
        line = text.count("\n", 0, found.start()) + 1
        raise InputError(
            f"the text holds the lone surrogate U+{ord(found[0]):04X}",
            where=f"line {line}, character {found.start()}",
            remedy="decode the bytes it came from as UTF-8, with errors='replace' if they are damaged",
        )


def _holds(text: str, candidate: str, mode: Mode) -> bool:
    """Whether a candidate decodes to what the mode promises."""
    try:
        decoded = decode(candidate)
    except InputError:
        return False
    level = compare(text, decoded, least=_PROMISED[mode]).level
    return level is not None and level <= _PROMISED[mode]


def _forms(text: str, mode: Mode, count: Callable[[str], int]) -> Iterator[Iterator[str]]:
    """The forms of a mode, then those of the safer ones, for texts of which none of the first does."""
    if mode is Mode.EXACT:
        yield _exact(text, count)
        return
    blocks = parse(text)
    if mode is Mode.SEMANTIC:
        fewer = tuple(map(reduced, blocks))
        if fewer != blocks:
            yield _referring(mode, _body(text, fewer, blocks, count), count)
    body = _body(text, blocks, blocks, count)
    if mode is Mode.VERBATIM:
        yield iter((Head(mode).written() + body,))
    else:
        yield _compact(text, body, count)


def _compact(text: str, body: str, count: Callable[[str], int]) -> Iterator[str]:
    yield Head(Mode.VERBATIM).written() + body
    yield from _referring(Mode.COMPACT, body, count)
    if count(body) > _HARDLY_LESS * count(text):  # then its own layout may be the shorter one
        yield from _referring(Mode.EXACT, "\n".join(exact.compressed(text.split("\n"), Layout())), count)


def _exact(text: str, count: Callable[[str], int]) -> Iterator[str]:
    lines = text.split("\n")
    layout = layout_of(lines)
    for each in dict.fromkeys((layout, Layout())):
        body = "\n".join(exact.compressed(lines, each))
        options = (("w", each.width), ("i", each.indent), ("s", each.sentence_ends), ("h", int(each.hyphens)))
        given = tuple((key, str(value)) for key, value in options if value)
        yield from _referring(Mode.EXACT, body, count, given)


def _referring(
    mode: Mode, body: str, count: Callable[[str], int], options: tuple[tuple[str, str], ...] = ()
) -> Iterator[str]:
    """A body without references, and with them if there are any."""
    yield Head(mode, options).written() + body
    entries, rest = legend.refer(body, count)
    if entries:
        yield Head(mode, options, tuple(entries)).written() + rest


def _body(text: str, blocks: tuple[Block, ...], original: tuple[Block, ...], count: Callable[[str], int]) -> str:
    """The text of blocks; where a form is not read back as them, of their section as it was before."""
    for hard in (False, True):
        body = render(blocks, count, hard=hard)
        if parse(body) == blocks:
            return body
    return "\n".join(_sections(text, blocks, original, count))


def _sections(
    text: str, blocks: tuple[Block, ...], original: tuple[Block, ...], count: Callable[[str], int]
) -> Iterator[str]:
    """The text of each part that nothing before it encloses, in the first form that is read back: anew, with the words
    it had, as its source lines."""
    lines = split_lines(text)
    starts = [at for at, block in enumerate(original) if at == 0 or _stands_free(block)]
    for start, end in zip(starts, [*starts[1:], len(original)], strict=True):
        if start and original[start].apart:
            yield ""
        for part in (blocks[start:end], original[start:end]):
            body = render(part, count)
            if parse(body) == part:
                yield body
                break
        else:
            last = original[end].at if end < len(original) else len(lines)
            yield "\n".join(lines[original[start].at : last]).rstrip("\n")


def _stands_free(block: Block) -> bool:
    """Whether what a block is does not depend on those before it."""
    if block.quote != (0, 0) or not block.apart:
        return False
    return block.kind == "heading" or (block.kind == "para" and block.depth == 0 and not block.mark)
