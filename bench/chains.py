"""Typed links against a flat store, on real issue timelines, of which nothing is part of this repository.

Seed 001 (11.1) claims that chains with typed links retrieve more accurately than flat memory. Asked is what an issue
follows from and what closed it; links answer by a chain, the flat store by a search for what the issue says. The flat
store's texts have every reference taken out, so that it must know by meaning what the chain knows because it was said.

What this shows is bounded: the links are read from the texts whose `refs` and `closes` are the gold, so the chain's
figures say that a statement once made is kept and found again (how well statements are read is `bench links`). A
control leaves the references in and searches for an issue's number, as whoever knows how it is written would.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench.links import load, timelines
from context_plane.ctx import tokens
from context_plane.evaluation.measures import means
from context_plane.memory.links.columns import targets
from context_plane.memory.links.notations import own
from context_plane.plane import ContextPlane

BUDGETS: Final = (100, 200, 400, 800)
MEASURES: Final = ("precision", "recall", "f1")
_HITS: Final = 300
_TITLE: Final = 100
_REFERENCE: Final = re.compile(
    r"https?://[^\s<>)\]]*/(?:issues?|pulls?|commits?|discussions?)/\w[^\s<>)\]]*|(?:[\w.-]+/[\w.-]+)?#[0-9]+\b|\bGH-[0-9]+",
    re.I,
)

Line = tuple[str, str]
"""An entity that an answer names, and the line of text that names it; "" for a line that names none."""
Gold = Mapping[str, frozenset[str]]
"""What each entity that is asked about should be answered with."""


@dataclass
class Timelines:
    """What the events of a file say of each entity."""

    texts: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    since: dict[str, str] = field(default_factory=dict)
    refers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What its events refer to or close, as the data list it."""
    closers: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Of whom an event lists that it closes this."""

    def line(self, entity: str) -> Line:
        """An entity as a flat answer names it: as a chain does, without a verb and a quote."""
        title = next((line.strip() for line in masked(self.texts[entity][0]).splitlines() if line.strip()), "")
        return entity, f'{entity}  {self.since[entity]}  "{title[:_TITLE]}"'


def typed_links(folder: Path) -> Iterator[dict[str, Any]]:
    """Precision and recall of both, at equal budgets of tokens, for every repository and question."""
    files = timelines()
    for number, path in enumerate(files):
        with ContextPlane.open(folder / str(number)) as plane:
            yield from _of_file(plane, load(path))
    if not files:
        yield {"what": "typed links", "skipped": "no issue-timelines under CONTEXT_PLANE_TEST_DATA"}


def _of_file(plane: ContextPlane, events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    known = read(events)
    plane.ingest("linked", _cloudevents(events, str))
    plane.ingest("flat", _cloudevents(events, masked))
    left = sum(len(plane.chain("flat", entity, depth=1).steps) for entity in known.texts)
    yield {"what": "references that the flat store still has", "links": left}
    for question, gold in golds(known).items():
        for repository in sorted({_repository(entity) for entity in gold}):
            mine = {entity: found for entity, found in gold.items() if _repository(entity) == repository}
            yield from _of_question(plane, known, repository, question, mine)


def read(events: Iterable[dict[str, Any]]) -> Timelines:
    """What the events say, of things that have events themselves."""
    found = Timelines()
    for event in events:
        entity = f"issue/{event['entity']}"
        found.texts[entity].append(event.get("text") or "")
        found.since.setdefault(entity, event["timestamp"][:10])
        for key in ("refs", "closes"):
            for target in targets(event.get(key), own(entity)):
                found.refers[entity].add(str(target.entity))
                if key == "closes":
                    found.closers[str(target.entity)].add(entity)
    for links in (found.refers, found.closers):
        for entity in [*links]:
            links[entity] &= found.texts.keys() - {entity}
    return found


def golds(known: Timelines) -> dict[str, Gold]:
    """The questions, each with what answers it for the entities where something does.

    An issue that says "done in #6" refers to what came of it. `before` therefore leaves out what closed the entity.
    """
    listed = {entity: known.refers[entity] for entity in known.texts}
    asked = {
        "refers to": listed,
        "before": {entity: found - known.closers[entity] for entity, found in listed.items()},
        "closed by": {entity: known.closers[entity] for entity in known.texts},
    }
    return {name: {entity: frozenset(g) for entity, g in gold.items() if g} for name, gold in asked.items()}


def masked(text: str) -> str:
    """A text without its references to issues, pull requests and commits."""
    return _REFERENCE.sub(" ", text)


def _cloudevents(events: Iterable[dict[str, Any]], change: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    for number, event in enumerate(events):
        yield {
            "specversion": "1.0", "id": f"{number:07}", "source": "issues", "type": f"issue.{event['event']}",
            "subject": f"issue/{event['entity']}", "time": event["timestamp"],
            "data": {"actor": event["actor"], **({"text": change(event["text"])} if event.get("text") else {})},
        }  # fmt: skip


def _repository(entity: str) -> str:
    return entity.partition("/")[2].rpartition("#")[0]


# --- answers ---------------------------------------------------------------------------------------------------------


def _of_question(
    plane: ContextPlane, known: Timelines, repository: str, question: str, gold: Gold
) -> Iterator[dict[str, Any]]:
    """The chain's figures; those of every flat way, and by how much the chain is ahead of it, paired by entity."""
    what, closed = f"{repository}, {question}", question == "closed by"
    chains = {entity: _chained(plane, entity, closed=closed) for entity in known.texts}
    size = sum(tokens.count("\n".join(line for _, line in chains[entity])) for entity in gold) / len(gold)
    own_size = sum(tokens.count("\n".join(known.texts[entity])) for entity in gold) / len(gold)
    yield {"what": f"{what}, tokens", "a whole chain": round(size), "all texts of the entity": round(own_size)}
    nothing = [entity for entity in known.texts if _repository(entity) == repository and entity not in gold]
    silent = sum(len(chains[entity]) == 1 for entity in nothing)
    yield {"what": f"{what}, where nothing is listed", "entities": len(nothing), "chain says nothing": silent}
    values = _scored(chains, gold)
    yield _figures(f"{what}, chain", values, _first(chains, gold))
    for way, (tenant, ask) in _ways(known, closed=closed).items():
        for mode in ("auto", "bm25"):
            for kind in (None, "issue.pull_opened") if closed else (None,):
                flat = {entity: _flat(plane, known, tenant, entity, ask(entity), mode, kind) for entity in gold}
                name = f"{what}, {way}, {mode}{', of pull requests' if kind else ''}"
                scores = _scored(flat, gold)
                yield _figures(name, scores, _first(flat, gold), ahead=values - scores)


def _chained(plane: ContextPlane, entity: str, *, closed: bool) -> list[Line]:
    """The lines of a chain's text, one link deep: the entity's own, then one a step."""
    if closed:
        found = plane.chain("linked", entity, direction="forward", kinds="closes", depth=1)
    else:
        found = plane.chain("linked", entity, direction="back", depth=1)
    names = ["", *(step.thing.id for step in found.steps)]
    return list(zip(names, found.text.splitlines(), strict=False))  # what it may say at the end names nothing


Ask = Callable[[str], str]


def _ways(known: Timelines, *, closed: bool) -> dict[str, tuple[str, Ask]]:
    """How the flat store is asked about an entity: by tenant and query."""
    ways: dict[str, tuple[str, Ask]] = {
        "flat by title": ("flat", lambda entity: known.line(entity)[1].partition('"')[2]),
        "flat by first text": ("flat", lambda entity: masked(known.texts[entity][0])),
        "flat by all texts": ("flat", lambda entity: masked("\n".join(known.texts[entity]))),
    }
    if closed:
        ways["references left in, by number"] = ("linked", lambda entity: f"#{own(entity).number}")
    return ways


def _flat(
    plane: ContextPlane, known: Timelines, tenant: str, entity: str, query: str, mode: Any, kind: str | None
) -> list[Line]:
    """The other entities of the hits, the best first."""
    hits = plane.search(tenant, query, mode=mode, k=_HITS, type=kind)
    return [known.line(other) for other in dict.fromkeys(hit.entity for hit in hits) if other != entity]


# --- scores ----------------------------------------------------------------------------------------------------------


def _scored(answers: Mapping[str, list[Line]], gold: Gold) -> Any:
    """f64[entities, budgets, measures]."""
    found = ((answers[entity], wanted) for entity, wanted in gold.items())
    return np.array([[score(within(lines, budget), wanted) for budget in BUDGETS] for lines, wanted in found])


def _first(answers: Mapping[str, list[Line]], gold: Gold) -> float:
    """How often what is named first is right, whatever the budget."""
    named = (next((name for name, _ in answers[entity] if name), "") in wanted for entity, wanted in gold.items())
    return sum(named) / len(gold)


def within(lines: Iterable[Line], budget: int) -> set[str]:
    """The entities that the first lines name, as many lines as the budget allows."""
    found: set[str] = set()
    spent = 0
    for entity, line in lines:
        spent += tokens.count(f"{line}\n")
        if spent > budget:
            break
        found.add(entity)
    return found - {""}


def score(found: set[str], gold: frozenset[str]) -> tuple[float, float, float]:
    """Precision, recall and F1 of an answer; without an answer all are 0."""
    right = len(found & gold)
    return right / max(1, len(found)), right / len(gold), 2 * right / (len(found) + len(gold))


def _figures(what: str, values: Any, first: float, ahead: Any = None) -> dict[str, Any]:
    """Means by budget; `ahead` are the differences of the chain to these values."""
    shown = []
    for at, budget in enumerate(BUDGETS):
        shown.append({"budget": budget, **_intervals(values[:, at])})
        if ahead is not None:
            shown[-1]["chain ahead"] = _intervals(ahead[:, at])
    return {"what": what, "questions": len(values), "first is right": round(first, 4), "by budget": shown}


def _intervals(values: Any) -> dict[str, list[float]]:
    """Means with 95 % intervals: the bootstrap of `bench quality`, of three other measures."""
    found = zip(MEASURES, means(values).values(), strict=True)
    return {name: [round(value, 4) for value in (each.mean, each.low, each.high)] for name, each in found}
