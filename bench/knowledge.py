"""Knowledge: syncing a folder of real documents, reading topics, and what the size of chunks does to what is found."""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.clock import quantiles, stopwatch, timed
from context_plane import ContextPlane
from context_plane.ctx.prose.parse import parse
from context_plane.knowledge import chunks
from context_plane.retrieval.text import documents as text

REPOSITORY = Path(__file__).parents[1]
_SUFFIXES: Final = (".md", ".txt")
_EACH: Final = 60
"""Questions a document."""
_BUDGETS: Final = (500, 1_000, 2_000)
_SIZES: Final = ((150, 30), (200, 40), (250, 50), (300, 60), (400, 60))
_CHOSEN: Final = (chunks.MOST, chunks.SMALL)
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z-]{3,}")
_COMMON: Final = frozenset(
    "about also been between both does each from have into more must only other same shall should some such than that "
    "their then there these they this those used using what when where which will with".split()
)


class Question(NamedTuple):
    """Words of a paragraph and of the headings above it; found is a chunk that holds the paragraph."""

    topic: str
    paragraph: str
    text: str


def topics(folder: Path) -> Iterator[dict[str, Any]]:
    """A first sync, one in which nothing changed, and reads."""
    files = documents()
    if not files:
        yield {"what": "knowledge", "skipped": "no documents under CONTEXT_PLANE_TEST_DATA"}
        return
    home = folder / "home"
    size = _fill(home, files)
    plane = ContextPlane.open(home, embedder="none")
    for _ in range(2):
        plane.learn("warm")  # loads Arrow and the vocabulary of the tokenizer
    with stopwatch() as watch:
        learned = plane.learn("acme")
    yield {
        "what": "sync", "topics": len(learned.new), "chunks": learned.chunks, "mb": round(size / 1e6, 2),
        "seconds": round(watch.seconds, 3), "mb_per_s": round(size / 1e6 / watch.seconds, 2),
    }  # fmt: skip
    with stopwatch() as watch:
        assert plane.learn("acme").commit is None
    yield {"what": "sync, nothing changed", "seconds": round(watch.seconds, 3)}
    names = [info.name for info in plane.topics("acme")]
    yield timed("topic, warm", lambda i: plane.topic("acme", names[i % len(names)]))
    yield timed("topics, warm", lambda _: plane.topics("acme"))
    asked = [question.text for question in questions(files)]
    plane.warm("acme")
    yield timed("lookup, ten of all, warm", lambda i: plane.lookup("acme", asked[i % len(asked)]))
    yield timed(
        "lookup, ten of one topic, warm",
        lambda i: plane.lookup("acme", asked[i % len(asked)], topics=names[i % len(names)]),
    )
    yield {"what": "topic of a plane that has read nothing", **quantiles(lambda i: _cold(home, names[i % 19]), 19)}
    plane.close()


def sizes(folder: Path) -> Iterator[dict[str, Any]]:
    """How often the paragraph is found within a budget, by the tokens from which a section is cut; and where headings
    are not indexed beside the text."""
    files = documents()
    asked = list(questions(files))
    for most, small in _SIZES if files else ():
        chunks.MOST, chunks.SMALL = most, small  # type: ignore[misc]
        yield {"what": f"cut from {most} tokens", **_found(folder / f"home-{most}", files, asked)}
    if files:
        chunks.MOST, chunks.SMALL = _CHOSEN  # type: ignore[misc]
        text.OWN = {}  # type: ignore[misc]
        what = f"cut from {_CHOSEN[0]} tokens, headings not indexed"
        yield {"what": what, **_found(folder / "home-bare", files, asked)}


def _found(home: Path, files: dict[str, Path], asked: list[Question]) -> dict[str, Any]:
    _fill(home, files)
    with ContextPlane.open(home) as plane:
        learned = plane.learn("acme")
        spent = [_spent(plane, question) for question in asked]
    within = {
        f"within_{budget}": round(sum(each is not None and each <= budget for each, _ in spent) / len(spent), 3)
        for budget in _BUDGETS
    }
    first = sum(rank == 0 for _, rank in spent) / len(spent)
    return {"chunks": learned.chunks, "first": round(first, 3), **within}


def documents() -> dict[str, Path]:
    """The texts among the documents of the test data, by name of their topic."""
    data = Path(os.environ.get("CONTEXT_PLANE_TEST_DATA") or REPOSITORY.parent / "shared" / "data") / "documents"
    found = sorted(path for path in data.rglob("*") if path.suffix in _SUFFIXES)
    return {str(path.relative_to(data).with_suffix("")): path for path in found}


def questions(files: dict[str, Path]) -> Iterator[Question]:
    """Three words of a paragraph and two of the headings above it, in every document of as many paragraphs."""
    choice = random.Random(11)
    for topic, path in files.items():
        found = list(_paragraphs(path.read_text("utf-8")))
        for paragraph, words, above in choice.sample(found, min(_EACH, len(found))):
            picked = sorted(choice.sample(range(len(words)), 3))
            yield Question(topic, paragraph, " ".join([*choice.sample(above, 2), *(words[at] for at in picked)]))


def _paragraphs(text: str) -> Iterator[tuple[str, list[str], list[str]]]:
    lines, blocks = text.split("\n"), parse(text)
    path: list[tuple[int, str]] = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=False):
        if block.quote != (0, 0):
            continue
        if block.kind == "heading":
            path = [*(each for each in path if each[0] < len(block.mark)), (len(block.mark), block.lines[0])]
        elif block.kind in ("para", "item") and len(path) > 1:
            paragraph = "\n".join(lines[block.at : after.at if after else len(lines)]).strip()
            words, above = _words(paragraph), _words(" ".join(title for _, title in path[1:]))
            if len(words) >= 12 and len(above) >= 2:
                yield paragraph, words, above


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text) if word.lower() not in _COMMON]


def _spent(plane: ContextPlane, question: Question) -> tuple[int | None, int | None]:
    """Tokens of the chunks up to the one that holds the paragraph, and how many came before it."""
    total = 0
    for rank, found in enumerate(plane.lookup("acme", question.text, k=40)):
        total += found.chunk.tokens
        if found.topic == question.topic and question.paragraph in found.text:
            return total, rank
    return None, None


def _fill(home: Path, files: dict[str, Path]) -> int:
    for topic, path in files.items():
        target = home / "knowledge" / f"{topic}{path.suffix}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return sum(path.stat().st_size for path in files.values())


def _cold(home: Path, name: str) -> None:
    with ContextPlane.open(home, embedder="none") as plane:
        plane.topic("acme", name)
