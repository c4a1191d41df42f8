"""Evidence: conversations and documents as events, what is asked of each, and which events answer it.

Here belongs the reading of the data, of which nothing is part of this repository. What is measured of it is `scoping`.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from pathlib import Path
from typing import Any, Final

from bench import quality
from bench.sections import Section, chunks, sections
from context_plane.ctx import tokens
from context_plane.evaluation import dataset
from context_plane.plane import ContextPlane

INDEXED: Final[Mapping[str, tuple[str, ...]]] = {"nothing": (), "parents": ("parents",), "all": ("parents", "title")}
"""Headings that are indexed beside the text under them, by a name for how many."""
_DEV: Final = 2
"""Conversations that choices were made on, the first by name; of documents it is every other."""
_COPIES: Final = ("3.0.4.md", "3.2.0.md")
"""Other versions of a document that is there."""
_EACH: Final = 60
"""Questions of a document at most, from all over it, so that the longest does not make up half of them."""
_START: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Question:
    """What is asked of one entity, and the events that answer it."""

    text: str
    entity: str
    gold: frozenset[str]


@dataclass
class Corpus:
    """Events of one tenant as they stand in a context, and what is asked of them."""

    tenant: str
    hits: int
    """How many hits of a search are candidates for a context."""
    dev: frozenset[str]
    """Entities whose questions choices were made on."""
    shown: dict[str, str] = field(default_factory=dict)
    """Texts by event id, in the order of reading."""
    whole: dict[str, int] = field(default_factory=dict)
    """Tokens of all there is of an entity."""
    asked: dict[str, list[Question]] = field(default_factory=dict)
    """Questions by how they are asked."""


# --- conversations ---------------------------------------------------------------------------------------------------


def conversations(plane: ContextPlane, data: Path) -> Corpus:
    """LoCoMo as `bench quality` reads it: turns, indexed with speaker, day and the turns around them."""
    home = plane.settings.home
    quality._locomo(data, home / "quality" / "locomo")  # noqa: SLF001 - one way to read it
    found = dataset.load(home / "quality" / "locomo")
    plane.settings.sources.mkdir(parents=True)
    shutil.copy(quality.LOCOMO, plane.settings.sources)
    events = [event for _, event in found.events()]
    plane.ingest("locomo", events)
    whole = {entity: tokens.count(text) for entity, text in _scripts(events).items()}
    questions = [
        Question(each.text, str(each.entity), frozenset(id_ for id_, score in each.judged.items() if score > 0))
        for each in found.queries
    ]
    shown = {event["id"]: f"{event['time'][:10]} {_turn(event)}" for event in events}
    return Corpus("locomo", 300, frozenset(sorted(whole)[:_DEV]), shown, whole, {"question": questions})


def _scripts(events: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Whole conversations by entity; the day is said once a session."""
    lines: dict[str, list[str]] = {}
    last: dict[str, Any] = {}
    for event in events:
        entity, session = event["subject"], event["data"]["session"]
        script = lines.setdefault(entity, [])
        if last.get(entity) != session:
            last[entity] = session
            script.append(event["time"][:10])
        script.append(_turn(event))
    return {entity: "\n".join(script) for entity, script in lines.items()}


def _turn(event: Mapping[str, Any]) -> str:
    return f"{event['data']['speaker']}: {event['data']['text']}"


# --- documents -------------------------------------------------------------------------------------------------------


def documents(plane: ContextPlane, data: Path, indexed: str, asked: Sequence[str]) -> Corpus:
    """The long documents, asked by the path of a heading or by the heading alone; a tenant by what is indexed."""
    index = {"with": list(INDEXED[indexed]), "neighbours": {"before": 1, "after": 1}}
    plane.settings.sources.mkdir(parents=True, exist_ok=True)
    declared = {"source": indexed, "format": "cloudevents", "index": index}
    (plane.settings.sources / f"{indexed}.yaml").write_text(json.dumps(declared))
    paths = sorted(path for path in data.rglob("*") if path.suffix in (".md", ".txt") and path.name not in _COPIES)
    texts = {f"document/{path.name}": path.read_text("utf-8") for path in paths}
    corpus = Corpus(indexed, 150, frozenset(list(texts)[::2]), asked={by: [] for by in asked})
    for entity, text in texts.items():
        parts = list(sections(text))
        events = list(_events(entity, parts, indexed))
        plane.ingest(indexed, events)
        corpus.shown |= {event["id"]: f"{event['data']['title']}\n{event['data']['text']}" for event in events}
        corpus.whole[entity] = tokens.count(text)
        for by, questions in corpus.asked.items():
            questions += _questions(entity, parts, events, by)
    return corpus


def _events(entity: str, parts: Sequence[Section], source: str) -> Iterator[dict[str, Any]]:
    """The chunks of a document, a second apart."""
    found = ((at, number, text) for at, part in enumerate(parts) for number, text in enumerate(chunks(part.blocks)))
    for second, (at, number, text) in enumerate(found):
        yield {
            "specversion": "1.0", "id": f"{entity}:{at}:{number}", "source": source, "type": "document.chunk",
            "subject": entity, "time": (_START + timedelta(seconds=second)).isoformat(),
            "data": {"text": text, "section": at, "title": parts[at].title, "parents": list(parts[at].path[:-1])},
        }  # fmt: skip


def _questions(
    entity: str, parts: Sequence[Section], events: Sequence[Mapping[str, Any]], by: str
) -> Iterator[Question]:
    """What the sections of a document are asked for by."""
    gold: dict[int, set[str]] = {}
    for event in events:
        gold.setdefault(event["data"]["section"], set()).add(event["id"])
    asked = [at for at, part in enumerate(parts) if part.asked]
    for at in asked[:: ceil(len(asked) / _EACH) or 1]:
        yield Question(parts[at].title if by == "title" else " > ".join(parts[at].path), entity, frozenset(gold[at]))
