"""Lines: the text of an item, from what it refers to.

Here belongs how each kind of thing reads in a context window. A text depends on what it is of and on nothing else, so
that a receipt needs to hold the reference alone. `RENDERING` changes with any of these texts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from context_plane.instants import format_instant

if TYPE_CHECKING:
    from context_plane.bundles.bundle import Bundle
    from context_plane.memory.nodes.seen import Node

RENDERING: Final = 1
SUMMARY: Final = "summary"


def of_event(time: int, type_: str, text: str) -> str:
    """An event: minute, type and what it says, the lines of which stay together."""
    return f"- {_minute(time)} {type_}: {_kept_in(text)}"


def of_node(node: Node) -> str:
    """A memory: day, type, how sure it is, what it says, and what does not agree with it."""
    sure = "" if node.confidence == 1 else f", confidence {node.confidence:g}"
    old = f" (superseded by {', '.join(node.superseded_by)})" if node.superseded_by else ""
    odds = f" (in conflict with {', '.join(node.conflicts)})" if node.conflicts else ""
    return f"- {_day(node.at)} {node.type} {node.id}{sure}: {_kept_in(node.text)}{old}{odds}"


def of_chunk(topic: str, heading: Sequence[str], text: str) -> str:
    """A part of a topic, under the path of its headings."""
    path = " > ".join([topic, *heading])
    return f"[{path}]\n{text.strip()}"


def of_link(time: int, kind: str, actor: str, target: str, quote: str, title: str) -> str:
    """A link: day, who does what to whom, the words that say so, and the title of what is new to the reader."""
    said = f' "{quote}"' if quote else ""
    named = f" ({title})" if title else ""
    return f"- {_day(time)} {actor} {kind.replace('_', ' ')} {target}{named}{said}"


def of_head(bundle: Bundle) -> str:
    """What a bundle's fields are of."""
    return f"{bundle.entity}, {bundle.spec}, as of {bundle.as_of}"


def of_field(bundle: Bundle, name: str) -> str:
    """A field of a bundle, or its summary. Raises `KeyError` for one that it does not have."""
    if name == SUMMARY:
        return f"summary: {_kept_in(bundle.summary or '')}"
    return f"{name}: {_value(bundle.fields[name])}"


def fields_of(bundle: Bundle) -> Iterator[str]:
    """The fields that say something, in order, and the summary."""
    yield from (name for name, value in bundle.fields.items() if value is not None and value != [])
    if bundle.summary and SUMMARY not in bundle.fields:
        yield SUMMARY


def _value(value: Any) -> str:
    if isinstance(value, str):
        return _kept_in(value)
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        return "".join(f"\n- {', '.join(f'{k} {_value(v)}' for k, v in each.items())}" for each in value)
    return json.dumps(value, ensure_ascii=False)


def _kept_in(text: str) -> str:
    """A text as part of an item: its further lines are set in, so that none of them looks like an item of its own."""
    return "\n  ".join(line.rstrip() for line in text.strip().splitlines())


def _minute(time: int) -> str:
    return format_instant(time)[:16].replace("T", " ")


def _day(time: int) -> str:
    return format_instant(time)[:10]
