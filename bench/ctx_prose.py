"""CTX on text documents: tokens saved in each mode, what the check sees, wrong decodes, speed.

Documents are those of this repository, those under ``documents`` in the folder of real data, and the ``*.md`` and
``*.txt`` of the folder that ``CONTEXT_PLANE_BENCH_TEXTS`` names, each where there is one.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from bench.clock import stopwatch
from bench.ctx_documents import document
from bench.ctx_mutations import MUTATIONS
from context_plane.ctx import tokens
from context_plane.ctx.prose import Level, Mode, check, decode, encode
from context_plane.ctx.prose.check import compare

REPOSITORY: Final = Path(__file__).parents[1]
ADVERSARIAL: Final = int(os.environ.get("CONTEXT_PLANE_BENCH_ADVERSARIAL", "20000"))
MISTAKES: Final = 500
SEED: Final = 20_261_127
REACHED: Final = {
    Mode.EXACT: {Level.BYTES},
    Mode.VERBATIM: {Level.BYTES, Level.STRUCTURE},
    Mode.COMPACT: {Level.BYTES, Level.STRUCTURE},
    Mode.SEMANTIC: set(Level),
}


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """One line a document, then the table in Markdown, mistakes seen, wrong decodes, and speeds."""
    texts = {path.name: path.read_bytes().decode("utf-8") for path in _paths()}
    figures = [_saved(name, text) for name, text in texts.items()]
    yield from figures
    (folder / "table.md").write_text(_table(figures))
    print((folder / "table.md").read_text())
    yield from _mistakes(list(texts.values()))
    yield _wrong_decodes()
    yield from _speeds("\n\n".join(text for name, text in texts.items() if name.endswith((".md", ".txt"))))


def _paths() -> list[Path]:
    """The documents, those of the repository first."""
    found = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
    found += sorted((REPOSITORY / "docs" / "spec").glob("*.md"))
    data = os.environ.get("CONTEXT_PLANE_TEST_DATA", "")
    if data and (Path(data) / "documents").is_dir():
        found += sorted(path for path in (Path(data) / "documents").rglob("*.*") if path.suffix != "")
    texts = os.environ.get("CONTEXT_PLANE_BENCH_TEXTS", "")
    if texts:
        found += sorted(path for path in Path(texts).iterdir() if path.suffix in (".md", ".txt"))
    return found


def _saved(name: str, text: str) -> dict[str, Any]:
    """Tokens of a document and percent saved in each mode; fails if a mode does not keep what it promises."""
    raw = tokens.count(text)
    figures: dict[str, Any] = {"what": name, "tokens": raw}
    for mode in Mode:
        ctx = encode(text, mode)
        level = check(text, ctx).level
        assert level in REACHED[mode], (name, mode, level)
        figures[mode.value] = round(100 * (1 - tokens.count(ctx) / raw), 1)
    return figures


def _table(figures: list[dict[str, Any]]) -> str:
    lines = ["| document | tokens | exact | verbatim | compact | semantic |", "|---|---|---|---|---|---|"]
    for row in figures:
        saved = " | ".join(f"{row[mode.value]} %" for mode in Mode)
        lines.append(f"| {row['what']} | {row['tokens']:,} | {saved} |")
    return "\n".join(lines) + "\n"


def _mistakes(texts: list[str]) -> Iterator[dict[str, Any]]:
    """How many mistakes of each kind, put into sections of the documents as they decode, the check sees."""
    sections = [part for text in texts for part in re.split(r"\n(?=#{1,3} |\d+(?:\.\d+)+\.? )", text)]
    sections = [part for part in sections if 200 < len(part) < 12_000]
    for mode in (Mode.VERBATIM, Mode.SEMANTIC):
        rng = random.Random(SEED)
        for kind, mutate in MUTATIONS.items():
            made = seen = tried = 0
            while made < MISTAKES and tried < 100 * MISTAKES:
                tried += 1
                original = rng.choice(sections)
                decoded = decode(encode(original, mode))
                mutated = mutate(decoded, rng)
                if mutated is not None and mutated != decoded:
                    made += 1
                    seen += compare(original, mutated).level not in REACHED[mode]
            yield {"what": f"{kind} seen by the check of {mode}", "made": made, "seen": seen, "bar": made}


def _wrong_decodes() -> dict[str, Any]:
    """Made-up documents, each in every mode: how many do not decode to what the mode promises, or grow."""
    rng = random.Random(SEED)
    forms: Counter[str] = Counter()
    wrong = grown = 0
    for _ in range(ADVERSARIAL):
        text = document(rng)
        raw = tokens.count(text) + (tokens.count("§text\n") if text.startswith("§text") else 0)
        for mode in Mode:
            ctx = encode(text, mode)
            wrong += check(text, ctx).level not in REACHED[mode] or (mode is Mode.EXACT and decode(ctx) != text)
            grown += tokens.count(ctx) > raw
            forms[ctx.partition("\n")[0].split(" ")[1] if ctx.startswith("§text ") else "as it is"] += 1
    return {
        "what": "made-up documents, each in every mode",
        "documents": ADVERSARIAL,
        "wrong": wrong,
        "grown": grown,
        "bar": 0,
        "written as": dict(forms.most_common()),
    }


def _speeds(text: str) -> Iterator[dict[str, Any]]:
    """Megabytes of UTF-8 a second, for a quarter, a half and a whole million bytes of the documents."""
    for size in (250_000, 500_000, 1_000_000):
        part = text[:size]
        megabytes = len(part.encode()) / 1e6
        figures: dict[str, Any] = {"what": "MB/s", "megabytes": round(megabytes, 2)}
        for mode in Mode:
            with stopwatch() as encoding:
                ctx = encode(part, mode)
            with stopwatch() as decoding:
                decode(ctx)
            figures[f"encode {mode}"] = round(megabytes / encoding.seconds, 2)
            figures[f"decode {mode}"] = round(megabytes / max(decoding.seconds, 1e-6), 1)
        yield figures | {"bar encode verbatim": 1}
