"""Texts as tokenizers and servers take them."""

from __future__ import annotations

from collections.abc import Sequence


def encodable(text: str) -> str:
    """The text with a question mark for each lone surrogate, which UTF-8 cannot hold and tokenizers refuse."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def spoken(texts: Sequence[str]) -> tuple[list[int], list[str]]:
    """The texts that are more than white space, and before them their rows: models give white space a vector too."""
    rows = [row for row, text in enumerate(texts) if text and not text.isspace()]
    return rows, [encodable(texts[row]) for row in rows]
