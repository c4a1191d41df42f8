"""Decoding: from an encoded text back to a text, by the text alone.

Here belongs the way back of every mode. Of `exact` it gives the very text, of the others one with the same blocks, or
for `semantic` with the same facts.
"""

from __future__ import annotations

from typing import Final

from context_plane.ctx.prose import exact, header
from context_plane.ctx.prose.header import Head, Mode
from context_plane.ctx.prose.legend import resolve
from context_plane.ctx.prose.wrapping import Layout
from context_plane.errors import InputError

_WIDEST: Final = 999


def decode(ctx: str) -> str:
    """The text that `ctx` was encoded from, as far as its mode keeps it; a text that is not encoded, as it is.

    Raises `InputError` with the line and a remedy for a text that no encoder writes.
    """
    found = header.read(ctx)
    if found is None:
        return ctx
    head, body = found
    first_line = 2 + len(head.legend)
    if head.legend:
        body = resolve(list(head.legend), body, first_line)
    if head.mode is not Mode.EXACT:
        if head.options:
            raise _option(head, "takes no options")
        return body
    return "\n".join(exact.restored(body.split("\n"), _layout(head), first_line))


def _layout(head: Head) -> Layout:
    given = dict(head.options)
    width, indent = given.pop("w", "0"), given.pop("i", "0")
    ends, hyphens = given.pop("s", ""), given.pop("h", "0")
    if given:
        raise _option(head, f"has no option {next(iter(given))!r}")
    numbers = width.isdecimal() and indent.isdecimal() and int(indent) <= int(width) <= _WIDEST
    if not numbers or hyphens not in ("0", "1"):
        raise _option(
            head, f"has options w and i, which are widths of up to {_WIDEST} characters, s, which are signs, and h=1"
        )
    return Layout(int(width), int(indent), ends, hyphens == "1")


def _option(head: Head, what: str) -> InputError:
    return InputError(
        f"the mode {head.mode} {what}", where="line 1", remedy="decode the text as it was encoded, with its first line"
    )
