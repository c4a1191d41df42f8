"""Uses: where a document refers to something with ``${…}``, and whether such a reference makes sense at its place.

Here belong finding them and their exact places; what they may refer to after inheritance is `scopes`' to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from context_plane.errors import InputError
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.documents import Source
from context_plane.processes.language.findings import Findings, listed, shown
from context_plane.processes.language.marks import Marks, mark_of
from context_plane.processes.references import ROOTS, Reference, references

EXECUTION: Final = ("id", "entity", "tenant")
"""What can be referred to of an execution."""
NAMELESS: Final = ("id", "tenant")
"""The same before it is known whose it is."""
_BREAK: Final = re.compile(r"[\r\n]")
_PLAIN: Final = re.compile(r"\$\{")
_PROPERTIES: Final = re.compile(r"(?:&\S+\s+)?")
_QUOTED: Final = re.compile(
    r"(?P<sign>(?:\$|\\x24|\\u0024|\\U00000024)(?:\\(?:\r\n?|\n)[ \t]*)*(?:\{|\\x7[bB]|\\u007[bB]|\\U0000007[bB]))"
    r"|\\.|\"",
    re.DOTALL,
)
"""In double quotes: the signs ``${``, also where they are escaped or stand in two lines; else what is escaped."""


class Use(NamedTuple):
    """One reference."""

    path: tuple[str, ...]
    spot: Any
    """Of the text that holds it."""
    order: int
    """How many signs ``${`` stand before it in the text."""
    step: str | None = None
    """The step that it belongs to; `None` where that is the process."""

    @property
    def written(self) -> str:
        """As it is written."""
        return f"${{{'.'.join(self.path)}}}"


def uses(value: Any, spot: Any, source: Source, findings: Findings, step: str | None = None) -> Iterator[Use]:
    """The references in a value. Those that cannot be meant are told instead."""
    for text, at in _texts(value, spot):
        order, counted = 0, 0
        for reference in _references(text, at, source, findings):
            order, counted = order + text.count("${", counted, reference.start), reference.start
            wrong = _wrong(reference.path)
            if wrong:
                _tell(source, findings, at, order, f"{shown(reference.written)} refers to nothing", wrong)
            else:
                yield Use(reference.path, at, order, step)


def some_uses(
    value: Any, spot: Any, source: Source, findings: Findings, why: str, *,
    roots: Sequence[str] = ROOTS, known: Sequence[str] = EXECUTION,
) -> list[Use]:  # fmt: skip
    """The references in a value that may be to certain roots alone, and to what is `known` of the execution. Others are
    told, with `why`."""
    found = []
    for use in uses(value, spot, source, findings):
        if use.path[0] not in roots:
            remedy = f"refer to {' or '.join(roots)}"
        elif use.path[0] == "execution" and len(use.path) > 1 and use.path[1] not in known:
            remedy = f"of the execution refer to {' or '.join(known)}"
        else:
            found.append(use)
            continue
        findings.put("bad-reference", place_of(source, use.spot, use.order), f"{shown(use.written)} {why}", remedy)
    return found


def place_of(source: Source, spot: Any, order: int) -> Place:
    """The place of a reference inside of a text; that of the text, where it is written in another way than it reads."""
    mark = mark_of(spot)
    at = _sign(source.document.text, mark.index, source.document.end, order)
    if at is None:
        return source.place(mark)
    before = source.document.text[mark.index : at].replace("\r\n", "\n").replace("\r", "\n")
    lines = before.count("\n")
    column = len(before) - before.rfind("\n") if lines else mark.column + len(before) + 1
    return Place(source.file, mark.line + lines + 1, column)


def _sign(text: str, start: int, end: int, order: int) -> int | None:
    """Where in a scalar the signs ``${`` are written that so many others go before."""
    begin = _PROPERTIES.match(text, start, end).end()  # type: ignore[union-attr]  # it matches the empty text
    pattern = _PLAIN
    if text[begin : begin + 1] == '"':
        pattern, begin = _QUOTED, begin + 1
    elif text[begin : begin + 1] in ("|", ">"):  # what stands beside them is a comment
        found = _BREAK.search(text, begin, end)
        begin = end if found is None else found.start()
    for match in pattern.finditer(text, begin, end):
        if match[0] == '"':
            return None
        if pattern is _QUOTED and match["sign"] is None:
            continue
        if not order:
            return match.start()
        order -= 1
    return None


def _texts(value: Any, spot: Any) -> Iterator[tuple[str, Any]]:
    """Every text in a value that may hold a reference, with its mark."""
    if type(value) is str:
        if "${" in value:
            yield value, spot
    elif value and type(spot) is Marks:
        inside = (
            zip(value.values(), spot.values.values(), strict=True)
            if type(value) is dict
            else zip(value, spot.values, strict=True)
        )
        for each, at in inside:
            yield from _texts(each, at)


def _references(text: str, spot: Any, source: Source, findings: Findings) -> Iterator[Reference]:
    begin = 0
    while not findings.full:
        try:
            for each in references(text[begin:]):
                yield Reference(each.path, each.start + begin, each.written)
            return
        except InputError as error:
            at = begin + int(error.where)
            _tell(source, findings, spot, text.count("${", 0, at), error.what, error.remedy)
            begin = at + 2


def _tell(source: Source, findings: Findings, spot: Any, order: int, message: str, remedy: str) -> None:
    findings.put("bad-reference", place_of(source, spot, order), message, remedy)


def _wrong(path: tuple[str, ...]) -> str:
    """What to write instead of a path that no execution can have; empty for one that it can."""
    root, *rest = path
    if root == "steps" and (len(rest) < 2 or rest[1] != "output"):
        return f"write ${{steps.{rest[0] if rest else 'ID'}.output}}, and what of it after another dot"
    if root == "execution" and rest and (rest[0] not in EXECUTION or len(rest) > 1):
        return f"of an execution there are {listed(EXECUTION)}"
    return ""
