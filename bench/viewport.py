"""The viewport: 200 candidates of some 470 bytes, assembled into 2,000 tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from bench import corpus
from bench.clock import timed
from context_plane.bundles.viewport.assembly import assemble
from context_plane.bundles.viewport.sections import Item, Section
from context_plane.ctx import tokens

_SECTIONS: Final = {"state": 9, "memory": 5, "entity": 4, "events": 3, "knowledge": 2}
_EACH: Final = 40
_BUDGET: Final = 2_000


def assembly(folder: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - every case is given one
    """With tokens that are known, as where an index has counted them, and with all still to be counted."""
    made = corpus.make(_EACH * len(_SECTIONS) * 100, 8)
    for known in (True, False):
        each = [_sections(made.texts, start * _EACH * len(_SECTIONS), known=known) for start in range(100)]
        name = "tokens known" if known else "tokens counted"
        yield timed(f"200 candidates, {name}", lambda i, given=each: assemble(given[i % 100], _BUDGET))


def _sections(texts: list[str], start: int, *, known: bool) -> list[Section]:
    found = []
    for number, (name, priority) in enumerate(_SECTIONS.items()):
        first = start + number * _EACH
        items = [Item(str(n), texts[first + n], value=1 / (n + 1)) for n in range(_EACH)]
        if known:
            items = [replace(item, tokens=tokens.count(item.text)) for item in items]
        found.append(Section(name, tuple(items), priority=priority, most=600))
    return found
