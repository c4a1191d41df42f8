"""Uses: where a document refers to something with ``${…}``, and whether such a reference makes sense at its place.

Here belong finding them and their exact places; what they may refer to after inheritance is `scopes`' to say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from context_plane.errors import InputError
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.documents import Source
from context_plane.processes.language.findings import Findings, listed, shown
from context_plane.processes.language.marks import Marks, mark_of
from context_plane.processes.references import Reference, references

EXECUTION: Final = ("id", "entity", "tenant")
"""What can be referred to of an execution."""


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


def place_of(source: Source, spot: Any, order: int) -> Place:
    """The place of a reference inside of a text; that of the text, where it is written in another way than it reads."""
    mark = mark_of(spot)
    text, at = source.document.text, mark.index - 2
    for _ in range(order + 1):
        at = text.find("${", at + 2)
        if at < 0 or at >= source.document.end:
            return source.place(mark)
    before = text[mark.index : at].replace("\r\n", "\n").replace("\r", "\n")
    lines = before.count("\n")
    column = len(before) - before.rfind("\n") if lines else mark.column + len(before) + 1
    return Place(source.file, mark.line + lines + 1, column)


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
