"""Extraction of links on real issue timelines, of which nothing is part of this repository, and its speed.

The events' own `refs` and `closes` are what is looked for, and only the text is read. What they do not list is counted
by reason; the reasons were found by reading every one of them (docs/links.md).
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from context_plane.memory.links.columns import targets
from context_plane.memory.links.fold import fold
from context_plane.memory.links.link import CLOSES, Link
from context_plane.memory.links.notations import notation, own
from context_plane.memory.links.rules import of_text

REPOSITORY: Final = Path(__file__).parents[1]
UNEXPLAINED: Final = "unexplained"
KEYS: Final = ("refs", "closes")
_MEGABYTE: Final = 1_000_000
_HOSTILE: Final = (
    "#",
    "fixes ",
    "1",
    "#1",
    "#1 ",
    "fixes #1 ",
    "` ",
    ">\n",
    "> ```\n",
    "reverts 12ab34c ",
    "https://h/",
)
_CHANGELOG: Final = "- Read the dates of the third column as they are written (#1234)\n"
_DECLARED: Final = (
    {"written": "{key}-{number}", "entity": "issue/{key}-{number}"},
    {"written": "!{number}", "entity": "merge_request/{prefix}!{number}"},
)


@dataclass
class Score:
    """What was found of one key's targets. `extra` and `missed` count what differs, by reason."""

    right: int = 0
    extra: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)

    @property
    def recall(self) -> float:
        """Of the targets that are listed."""
        return self.right / max(1, self.right + self.missed.total())

    @property
    def precision(self) -> float:
        """Of what was found, the share that is listed."""
        return self.right / max(1, self.right + self.extra.total())

    @property
    def audited(self) -> float:
        """Precision where what is not listed for a known reason counts as right."""
        found = self.right + self.extra.total()
        return (found - self.extra[UNEXPLAINED]) / max(1, found)


def extraction(_: Path) -> Iterator[dict[str, Any]]:
    """Precision, recall, reasons and rules of every timeline that is there; then speed."""
    texts: list[str] = []
    for path in timelines():
        events = load(path)
        links = fold(rows(events))
        for key, score in scores(events, links).items():
            yield {
                "what": f"{path.name.partition('.')[0]}, {key}",
                "precision": round(score.precision, 4),
                "precision_audited": round(score.audited, 4),
                "recall": round(score.recall, 4),
                "right": score.right,
                "not_listed": dict(score.extra.most_common()),
                "missed": dict(score.missed.most_common()),
            }
        yield {"what": "links by kind and rule", **_counted(links)}
        texts += [each["text"] for each in events if each.get("text")]
    if not texts:
        yield {"what": "links", "skipped": "no issue-timelines under CONTEXT_PLANE_TEST_DATA"}
    yield from _speeds(texts)


def timelines() -> list[Path]:
    """The files of issue timelines under ``CONTEXT_PLANE_TEST_DATA``."""
    data = Path(os.environ.get("CONTEXT_PLANE_TEST_DATA") or REPOSITORY.parent / "shared" / "data")
    return sorted((data / "issue-timelines").glob("*.jsonl"))


def load(path: Path) -> list[dict[str, Any]]:
    """The events of a file."""
    with path.open() as lines:
        return [json.loads(line) for line in lines]


def rows(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events as rows of a timeline, with nothing of their data but the text."""
    for number, each in enumerate(events):
        yield {
            "entity": f"issue/{each['entity']}",
            "time": each["timestamp"],
            "source": "issues",
            "id": f"{number:07}",
            "type": f"issue.{each['event']}",
            "data": {"text": each.get("text")},
        }


def scores(events: list[dict[str, Any]], links: list[Link]) -> dict[str, Score]:
    """The links of `rows` against what the events list, of the events that have the key."""
    said: dict[int, list[Link]] = {}
    for link in links:
        said.setdefault(int(link.id), []).append(link)
    found = {key: Score() for key in KEYS}
    for number, event in enumerate(events):
        for key in KEYS:
            if key in event:
                _add(found[key], key, event, said.get(number, []))
    return found


def _add(score: Score, key: str, event: dict[str, Any], links: list[Link]) -> None:
    listed = {each.entity for each in targets(event[key], own(f"issue/{event['entity']}"))}
    # Every link is a reference, whatever its kind; what was closed by another thing was not closed by this.
    found = {link.target.entity: link for link in links if key == "refs" or (link.kind == CLOSES and not link.inverse)}
    score.right += len(listed & found.keys())
    score.extra.update(_why_extra(event, link) for entity, link in found.items() if entity not in listed)
    score.missed.update(_why_missed(event, entity, links) for entity in listed - found.keys())


def _why_extra(event: dict[str, Any], link: Link) -> str:
    text, written = event["text"], link.target.written
    at = text.index(written, link.evidence.start)
    if link.kind == CLOSES:
        return "further item of a list" if link.rule == "closes-list" else UNEXPLAINED
    if written.startswith("http"):
        return "address"
    if text[at - 1 : at].isalnum():
        return "joined to a noun"
    if event["event"].endswith("_opened") and at < len(text.partition("\n")[0]):
        return "in the title"
    return "other repository" if "/" in written else UNEXPLAINED


def _why_missed(event: dict[str, Any], entity: str, links: list[Link]) -> str:
    number = entity.rpartition("#")[2]
    if number not in (event.get("text") or ""):
        return "not in the text"
    kinds = sorted({link.kind for link in links if link.target.entity == entity})
    return f"read as {', '.join(kinds)}" if kinds else UNEXPLAINED


def _counted(links: list[Link]) -> dict[str, int]:
    names = (f"{link.kind}{' (inverse)' if link.inverse else ''}, {link.rule}" for link in links)
    return dict(Counter(names).most_common())


def _speeds(texts: list[str]) -> Iterator[dict[str, Any]]:
    declared = tuple(map(notation, _DECLARED))
    if texts:
        yield {"what": "real texts", **_speed(texts), "bar_mb_per_s": 5}
        yield {"what": "real texts, keys and merge requests declared", **_speed(texts, declared), "bar_mb_per_s": 5}
    yield {"what": "changelog, a reference in each line of 65 characters", **_speed([_CHANGELOG * 15_000])}
    for unit in _HOSTILE:
        yield {"what": f"a megabyte of {unit!r}", **_speed([unit * (_MEGABYTE // len(unit)) + " fixes #7"])}


def _speed(texts: list[str], declared: tuple[Any, ...] = ()) -> dict[str, Any]:
    """The best of three, as one process of many on a machine."""
    me = own("issue/acme/shop#12")
    size = sum(len(text.encode()) for text in texts)
    best, count = float("inf"), 0
    for _ in range(3):
        began = time.process_time()
        count = sum(1 for text in texts for _ in of_text(text, "text", me, declared))
        best = min(best, time.process_time() - began)
    return {"mb": round(size / _MEGABYTE, 2), "references": count, "mb_per_s": round(size / _MEGABYTE / best, 2)}
