"""Heads: the columns and codecs that the head of a table names, read.

Here belongs the grammar between the braces; the places in errors are those of the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from context_plane.ctx.data import flow
from context_plane.ctx.data.columns import Codec, Codes, Constant, Given, Items, Numbers, Plain, Template, Times, Words
from context_plane.ctx.data.frames import Column, Frame, Group, Leaf, Path, Records
from context_plane.ctx.data.marks import Marks
from context_plane.ctx.data.scalars import NUMBER, read, read_text

_TIMES: Final = re.compile(r"<([0-9]*)(Y*M*D*)(Thhmmss)?(\.sss)?(Z?)>")
_LEGEND_PIECE: Final = re.compile(r"[^ =()]*")


def read_head(text: str, at: int, marks: Marks) -> tuple[Frame, int]:
    """The frame whose columns begin at a place, after the opening brace, and where its closing brace ends.

    Raises `ValueError` with place and reason.
    """
    columns, at = _read_columns(text, at, marks)
    return Frame(columns, marks), at


def _read_columns(text: str, at: int, marks: Marks) -> tuple[tuple[Column, ...], int]:
    columns: list[Column] = []
    while True:
        name, at = flow.scan_name(text, at)
        if text[at : at + 1] == "{":
            inner, at = _read_columns(text, at + 1, marks)
            columns.append(Group(name, inner))
        else:
            codec, at = read_codec(text, at, marks)
            columns.append(Leaf(name, codec))
        if text[at : at + 1] == "}":
            return tuple(columns), at + 1
        if text[at : at + 1] != marks.cell:
            raise ValueError(f"expected {marks.cell!r} or }} at character {at + 1}")
        at += 1


def read_codec(text: str, at: int, marks: Marks) -> tuple[Codec, int]:
    """The codec that a head names at a place, and where that ends. Raises `ValueError`."""
    sign = text[at : at + 1]
    if text.startswith(":s", at):
        return Words(), at + 2
    if sign == "=":
        value, at = _read_legend_scalar(text, at + 1, marks)
        return Constant(value), at
    if sign == "#":
        found = NUMBER.match(text, at + 1)
        if found is None or not found[0].lstrip("-").isdigit():
            raise ValueError(f"expected a whole number at character {at + 2}")
        return Numbers(int(found[0])), found.end()
    if text.startswith("[]", at):
        return _read_list(text, at + 2, marks)
    if sign == "<":
        return _read_pattern(text, at)
    if sign == "(":
        pairs, at = _read_pairs(text, at + 1, read_text)
        return Codes(tuple(pairs)), at
    if sign == "@":
        path, at = _read_path(text, at + 1)
        pairs, at = _read_pairs(text, at + 1, read)
        return Given(path, tuple(pairs)), at
    return Plain(), at


def _read_list(text: str, at: int, marks: Marks) -> tuple[Codec, int]:
    if text.startswith(":s", at):
        return Items(marks, words=True), at + 2
    if text[at : at + 1] != "{":
        return Items(marks, words=False), at
    frame, at = read_head(text, at + 1, marks.within)
    return Records(frame), at


def _read_pattern(text: str, at: int) -> tuple[Codec, int]:
    if text[at + 1 : at + 2] == '"':
        body, at = flow.scan_string(text, at + 1)
        sign = ""
        if text[at : at + 1] != ">":
            sign, at = text[at : at + 1], at + 1
        parts = tuple(body.split("{}"))
        if text[at : at + 1] != ">" or len(parts) < 2 or (len(parts) > 2) != bool(sign):
            raise ValueError(f"a template that is none before character {at + 1}")
        return Template(parts, sign), at + 1
    found = _TIMES.match(text, at)
    if found is None or len(found[1]) + len(found[2]) != 8 or not "YYYYMMDD".endswith(found[2]):
        raise ValueError(f"expected a pattern of days or instants at character {at + 1}")
    return Times(found[1], found[3] is not None, found[4] is not None, found[5]), found.end()


def _read_path(text: str, at: int) -> tuple[Path, int]:
    steps: list[str] = []
    while True:
        if text[at : at + 1] == '"':
            step, at = flow.scan_string(text, at)
        else:
            end = min((place for place in (text.find(".", at), text.find("(", at)) if place >= 0), default=-1)
            if end < 0:
                raise ValueError(f"expected ( after character {at + 1}")
            step, at = text[at:end], end
        steps.append(step)
        if text[at : at + 1] == "(":
            return tuple(steps), at
        if text[at : at + 1] != ".":
            raise ValueError(f"expected . or ( at character {at + 1}")
        at += 1


def _read_pairs(text: str, at: int, read_one: Callable[[str], Any]) -> tuple[list[tuple[Any, Any]], int]:
    """Pairs up to the closing parenthesis, and where it ends."""
    pairs: list[tuple[Any, Any]] = []
    while True:
        name, at = _read_piece(text, at, read_one)
        if text[at : at + 1] != "=":
            raise ValueError(f"expected = at character {at + 1}")
        value, at = _read_piece(text, at + 1, read_one)
        pairs.append((name, value))
        sign = text[at : at + 1]
        at += 1
        if sign == ")":
            return pairs, at
        if sign != " ":
            raise ValueError(f"expected a space or ) at character {at}")


def _read_piece(text: str, at: int, read_one: Callable[[str], Any]) -> tuple[Any, int]:
    if text[at : at + 1] == '"':
        return flow.scan_string(text, at)
    found = _LEGEND_PIECE.match(text, at)
    assert found is not None
    return read_one(found[0]), found.end()


def _read_legend_scalar(text: str, at: int, marks: Marks) -> tuple[Any, int]:
    if text[at : at + 1] == '"':
        return flow.scan_string(text, at)
    end = at
    while end < len(text) and text[end] not in (marks.cell, "}"):
        end += 1
    return read(text[at:end]), end
