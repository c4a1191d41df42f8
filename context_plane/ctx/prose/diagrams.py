"""Flow charts of Mermaid that stand in running text: what they say, apart from how they are painted.

Here belongs reading a chart as groups, nodes and edges, and writing it with nothing else. Colours, classes, directions
of layout and a pictograph before the text of a node say nothing about the graph. A chart that has anything unknown in
it is not read, and stays as it is. Charts in code are code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from string import ascii_uppercase
from typing import Final

_START: Final = re.compile(r"(?:flowchart|graph)(?: (?:TB|TD|BT|LR|RL))?(?: |$)")
_STATEMENT: Final = re.compile(
    r"subgraph (?:(?P<group>\w+)(?:\[\"(?P<title>[^\"\[\]]*)\"\])?|\"(?P<only>[^\"]+)\")(?= |$)"
    r"|(?P<end>end)(?= |$)"
    r"|(?:direction (?:TB|TD|BT|LR|RL)|classDef \w+ \S+|class \w+ \w+)(?= |$)"
    r"|(?P<edge>-->|-\.->|==>|---|-\.-)(?:\|\"?(?P<label>[^|\"]*)\"?\|)?(?= |$)"
    r"|(?P<node>\w+)(?:\[(?:\"(?P<quoted>[^\"]*)\"|(?P<text>[^\"\[\]]*))\])?(?::::\w+)?(?= |$)"
)
_PICTOGRAPH: Final = re.compile(
    "^[\u2190-\u2bff\U0001f000-\U0001faff][\ufe0f\u200d\U0001f000-\U0001faff\u2640\u2642]* +(?=\\S)"
)
_PLAIN: Final = re.compile(r"[\w .,&'\u2019—\u2013/-]*")


@dataclass(slots=True)
class Diagram:
    """What a chart says: statements in order, and the text of each node. Equal charts say the same."""

    statements: list[tuple[str, ...]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)


def is_diagram(line: str) -> bool:
    """Whether a line begins as a flow chart does."""
    return _START.match(line) is not None


def read(line: str) -> Diagram | None:
    """The chart of a line of text, or None if it is none or holds anything that is not known."""
    start = _START.match(line)
    if start is None:
        return None
    found = Diagram()
    pending: list[str] = []  # a node, or a node and the edge that leaves it
    at = start.end()
    while at < len(line):
        match = _STATEMENT.match(line, at)
        if match is None or not _take(found, pending, match):
            return None
        at = match.end() + 1
    if len(pending) > 1 or not any(statement[0] == "edge" for statement in found.statements):
        return None
    return _renamed(found)


def _take(found: Diagram, pending: list[str], match: re.Match[str]) -> bool:
    if match["node"] is not None:
        return _node(found, pending, match)
    if match["edge"] is not None:
        if len(pending) != 1:
            return False
        pending += [match["edge"], match["label"] or ""]
        return True
    if len(pending) > 1:
        return False
    pending.clear()
    if match["group"] is not None or match["only"] is not None:
        title = match["only"] or match["title"] or match["group"]
        found.statements.append(("group", match["group"] or "", _text(title)))
    elif match["end"] is not None:
        found.statements.append(("end",))
    return True


def _node(found: Diagram, pending: list[str], match: re.Match[str]) -> bool:
    name, text = match["node"], match["quoted"] if match["quoted"] is not None else match["text"]
    if text is not None:
        if name in found.texts:
            return False
        found.texts[name] = _text(text)
    if len(pending) == 3:
        found.statements.append(("edge", pending[0], name, pending[1], pending[2]))
    elif text is not None or not any(name in statement[1:3] for statement in found.statements[-1:]):
        found.statements.append(("node", name))
    pending[:] = [name]
    return True


def _text(text: str) -> str:
    return _PICTOGRAPH.sub("", text)


def _renamed(found: Diagram) -> Diagram:
    """The chart with its nodes and groups named in the order in which they are first told of.

    The name of a node that has a text, or of a group, only tells it apart from others; a node without a text is called
    by its name, which stays.
    """
    called = {name for kind, *names in found.statements if kind in ("node", "edge") for name in names[:2]}
    groups = {statement[1] for statement in found.statements if statement[0] == "group"}
    kept = called - set(found.texts) - groups
    letters = (name for name in _letters() if name not in kept)
    names: dict[str, str] = {}

    def new(name: str) -> str:
        if name in kept or not name:
            return name
        if name not in names:
            names[name] = next(letters)
        return names[name]

    statements: list[tuple[str, ...]] = []
    for kind, *rest in found.statements:
        if kind == "edge":
            statements.append((kind, new(rest[0]), new(rest[1]), *rest[2:]))
        elif kind == "group":
            statements.append((kind, new(rest[0]) if rest[0] in called else "", rest[1]))
        else:
            statements.append((kind, *map(new, rest)))
    return Diagram(statements, {new(name): text for name, text in found.texts.items()})


def _letters() -> Iterator[str]:
    """A, B, … Z, A1, B1, …"""
    for round_ in count():
        for letter in ascii_uppercase:
            yield f"{letter}{round_ or ''}"


def write(diagram: Diagram) -> str:
    """The chart in one line: statements in order, chains of edges in one."""
    out, told, last = ["flowchart"], set[str](), ""

    def name(node: str) -> str:
        if node in told or node not in diagram.texts:
            return node
        told.add(node)
        text = diagram.texts[node]
        return f"{node}[{text}]" if text and _PLAIN.fullmatch(text) else f'{node}["{text}"]'

    for kind, *rest in diagram.statements:
        if kind == "edge":
            source, target, sign, label = rest
            if source != last:
                out.append(name(source))
            out += [f"{sign}|{label}|" if label else sign, name(target)]
            last = target
            continue
        last = rest[0] if kind == "node" else ""
        if kind == "group":
            out.append(f'subgraph {rest[0]}["{rest[1]}"]' if rest[0] else f'subgraph "{rest[1]}"')
        else:
            out.append(name(rest[0]) if kind == "node" else "end")
    return " ".join(out)
