"""Token counts: exact o200k_base, offline, and free until the first count."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from context_plane.ctx import tokens


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("hello world", 2),
        ("Hello, world!", 4),
        ("tiktoken is great!", 6),
        ("antidisestablishmentarianism", 6),
        ("2 + 2 = 4", 7),
        ("お誕生日おめでとう", 8),
        (" ", 1),
        ("\n\n\n", 1),
        ("日本語", 2),
        ("👩‍👩‍👧", 8),
        ("<|endoftext|>", 7),
        ("a" * 80, 10),
    ],
)
def test_counts_are_those_of_o200k(text: str, count: int) -> None:
    """Known counts of the vocabulary; special tokens are the text they are written in."""
    assert tokens.count(text) == count
    assert tokens.counter()(text) == count


def test_threads_may_count_at_once() -> None:
    """The vocabulary is loaded once, and many threads count the same."""
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tokens.count, ["the same text in every thread"] * 200)) == {6}


def test_importing_costs_nothing() -> None:
    """The module loads no vocabulary and not even the tokenizer before the first count."""
    code = "import sys; from context_plane.ctx.tokens import TOKENIZER; print(TOKENIZER, 'bpe_openai' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "o200k_base False\n"


def test_published_counts_are_met(data_dir: Path) -> None:
    """Counts of TOON's data sets, published with another implementation of the vocabulary, are met to the token."""
    folder = data_dir / "toon"
    counted = {}
    for entry in json.loads((folder / "token_counts.json").read_text()):
        path = folder / entry["track"] / f"{entry['name']}.json"
        if path.is_file():
            compact = json.dumps(json.loads(path.read_text()), ensure_ascii=False, separators=(",", ":"))
            counted[entry["track"], entry["name"]] = tokens.count(compact) == entry["tokens_o200k"]["json-compact"]
    assert counted
    assert all(counted.values()), counted
