"""Scoping: the tokens of a context that was searched for against those of all there is, at a floor of recall.

Seed 001 (11.1) claims at least 80 % fewer input tokens than stuffing. Fewer tokens alone are arithmetic: any budget has
them. So the bar is that .9 of the evidence is in a context of a fifth of the tokens. What had to be chosen was chosen
on some conversations and documents (`evidence`), and is reported on the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from bench import quality
from bench.evidence import INDEXED, Corpus, Question, conversations, documents
from context_plane.bundles.viewport.assembly import Viewport, assemble
from context_plane.bundles.viewport.sections import Item, Section
from context_plane.ctx import tokens
from context_plane.evaluation.measures import means
from context_plane.plane import ContextPlane

BUDGETS: Final = (500, 1_000, 2_000, 2_500, 3_000, 4_000, 6_000, 8_000, 12_000)
FIFTH: Final = "a fifth of all"
"""The last budget: what is left where 80 % are saved of every question."""
FLOOR: Final = 0.9
"""Mean recall of the evidence that is to be reached."""

_ASKED: Final = {"nothing": ("path", "title"), "parents": ("path",), "all": ("path", "title")}
"""By what documents are asked, by what of their headings is indexed."""


def scoping(folder: Path) -> Iterator[dict[str, Any]]:
    """Curves of tokens and recall by budget, and where they reach the floor."""
    data = Path(os.environ.get("CONTEXT_PLANE_TEST_DATA") or quality.REPOSITORY.parent / "shared" / "data").resolve()
    if not (data / "locomo").is_dir() or not (data / "documents").is_dir():
        yield {"what": "scoping", "skipped": "locomo or documents are not under CONTEXT_PLANE_TEST_DATA"}
        return
    with ContextPlane.open(folder / "locomo") as plane:
        corpus = conversations(plane, data / "locomo")
        yield from _measured(plane, corpus, "question", "locomo")
        yield from _measured(plane, corpus, "question", "locomo, bm25", mode="bm25")
        yield from _curves(plane, corpus, "question", "locomo, by score a token", ranked=False)
    with ContextPlane.open(folder / "documents") as plane:
        for indexed in INDEXED:
            corpus = documents(plane, data / "documents", indexed, _ASKED[indexed])
            for asked in corpus.asked:
                yield from _measured(plane, corpus, asked, f"documents, headings indexed: {indexed}, asked by {asked}")


def _measured(plane: ContextPlane, corpus: Corpus, asked: str, what: str, mode: Any = "auto") -> Iterator[Any]:
    """The curves, and where they reach the floor."""
    found = list(_curves(plane, corpus, asked, what, mode))
    yield from found
    dev, held = (each["curve"] for each in found)
    chosen = least(dev)
    yield {
        "what": f"{what}, recall {FLOOR}",
        "held out": least(held),
        "with the budget of dev": next((row for row in held if chosen and row["budget"] == chosen["budget"]), None),
        "bar": f"recall {FLOOR} in {FIFTH}",
        "measured": held[-1]["recall"],
        "met": held[-1]["recall"][0] >= FLOOR,
    }


def _curves(
    plane: ContextPlane, corpus: Corpus, asked: str, what: str, mode: Any = "auto", *, ranked: bool = True
) -> Iterator[dict[str, Any]]:
    """The curve on what choices were made on, and on what they were not made on. `ranked` takes the best hits, as
    `plane.context` does; else those of the highest score a token, which are the short ones."""
    for part in ("dev", "held out"):
        questions = [each for each in corpus.asked[asked] if (each.entity in corpus.dev) == (part == "dev")]
        values = sweep(plane, corpus, questions, mode, ranked=ranked)
        whole = round(sum(corpus.whole[each.entity] for each in questions) / len(questions))
        yield {"what": f"{what}, {part}", "questions": len(questions), "whole": whole, "curve": curve(values)}


def sweep(plane: ContextPlane, corpus: Corpus, questions: Sequence[Question], mode: Any, *, ranked: bool) -> Any:
    """f64[questions, budgets, 4]: tokens, and what `of_context` says."""
    sizes = {id_: tokens.count(text) for id_, text in corpus.shown.items()}
    place = {id_: at for at, id_ in enumerate(corpus.shown)}
    rows = []
    for each in questions:
        hits = plane.search(corpus.tenant, each.text, entity=each.entity, mode=mode, k=corpus.hits)
        scores = sorted((place[hit.event_id], hit.event_id, hit.score) for hit in hits)
        items = [Item(id_, corpus.shown[id_], score, tokens=sizes[id_]) for _, id_, score in scores]
        found = Section("found", tuple(items), ranked=ranked)
        whole = corpus.whole[each.entity]
        contexts = [assemble([found], budget) for budget in (*BUDGETS, whole // 5)]
        rows.append([(one.tokens, *of_context(one, whole, each.gold)) for one in contexts])
    return np.array(rows, float)


def of_context(context: Viewport, whole: int, gold: frozenset[str]) -> tuple[float, float, float]:
    """By how much a context is smaller than the whole, the share of the evidence in it, and whether all of it is."""
    taken = {item.id for _, item in context.items}
    return 1 - context.tokens / whole, len(gold & taken) / len(gold), float(gold <= taken)


def curve(values: Any) -> list[dict[str, Any]]:
    """The means by budget, each with its 95 % interval: the bootstrap of `bench quality`, of three other measures."""
    found = []
    for at, budget in enumerate((*BUDGETS, FIFTH)):
        about = zip(("fewer", "recall", "complete"), means(values[:, at, 1:]).values(), strict=True)
        shown = {name: [round(value, 4) for value in (each.mean, each.low, each.high)] for name, each in about}
        found.append({"budget": budget, "tokens": round(values[:, at, 0].mean()), **shown})
    return found


def least(found: Sequence[dict[str, Any]], floor: float = FLOOR) -> dict[str, Any] | None:
    """The smallest of the fixed budgets whose mean recall is at least the floor."""
    return next((row for row in found if row["budget"] != FIFTH and row["recall"][0] >= floor), None)
