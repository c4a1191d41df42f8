"""The one token counter: exact o200k_base counts, offline.

Here belongs counting, and which vocabulary counts are in; what a budget is spent on is decided elsewhere. The
vocabulary comes in the wheel of `bpe-openai` (GitHub's Rust tokenizer) and is loaded at the first count, about half a
second and 130 MB once a process. Its compiled binding is used, not its Python wrapper, which builds a table of 200,000
Python objects that nothing here needs and has no count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

TOKENIZER: Final = "o200k_base"

_LOCK: Final = threading.Lock()
_loaded: Callable[[str], int] | None = None


def count(text: str) -> int:
    """Tokens of `text` in o200k_base. Special tokens such as ``<|endoftext|>`` are counted as the text they are.

    Raises `UnicodeEncodeError` for a lone surrogate, which is not text.
    """
    return (_loaded or counter())(text)


def counter() -> Callable[[str], int]:
    """The counting function itself, for loops in which one call more for each text would show."""
    global _loaded
    with _LOCK:  # loading twice would cost the memory twice
        if _loaded is None:
            from bpe_openai._bindings import tokenizer_for_encoding

            _loaded = tokenizer_for_encoding(TOKENIZER).count
    return _loaded
