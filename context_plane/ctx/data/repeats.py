"""Repeats: strings that come again and again, said once before the document and referred to from then on.

Here belongs which strings are worth it, and putting references in their place and back. Agents' steps repeat whole
answers of tools; in records it is columns that do (`planning`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from context_plane.ctx.data.scalars import Reference
from context_plane.ctx.tokens import counter

_SHORTEST: Final = 24
"""Characters of a string below which none is worth a line."""
_REFERENCE: Final = 2.5
_LINE: Final = 4
"""Tokens of a reference, and of a line beside its string."""
_LEAST: Final = 8
"""Tokens that a string must save."""
_WORTH: Final = 0.02


def find(value: Any, tokens: int) -> list[str]:
    """The strings that are worth a line of their own, in the order in which they first come; none where all together
    save too little of a document's tokens to lay it out once more."""
    often = Counter(each for each in _strings(value) if len(each) >= _SHORTEST)
    count, total, found = counter(), 0.0, list[str]()
    for text, times in often.items():
        if times > 1 and _writable(text):
            saved = (times - 1) * count(text) - times * _REFERENCE - _LINE
            if saved >= _LEAST:
                total += saved
                found.append(text)
    return found if total >= _WORTH * tokens else []


def referring(value: Any, texts: Sequence[str]) -> Any:
    """The value with references in the place of these strings."""
    known = {text: Reference(number) for number, text in enumerate(texts, 1)}
    return _mapped(value, lambda each: known.get(each, each) if type(each) is str else each)


def resolved(value: Any, texts: Mapping[int, str]) -> Any:
    """The value with the strings that its references stand for. Raises `ValueError` for one that stands for none."""

    def text_of(each: Any) -> Any:
        if not isinstance(each, Reference):
            return each
        if each.number not in texts:
            raise ValueError(f"*{each.number} refers to nothing")
        return texts[each.number]

    return _mapped(value, text_of)


def _writable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _strings(value: Any) -> Iterator[str]:
    todo = [value]
    while todo:
        each = todo.pop()
        if isinstance(each, dict):
            todo += reversed(each.values())
        elif isinstance(each, (list, tuple)):
            todo += reversed(each)
        elif type(each) is str:
            yield each


def _mapped(value: Any, change: Any) -> Any:
    """A copy of a value, its scalars changed. Without recursion."""
    root: list[Any] = [value]
    todo: list[tuple[Any, Any]] = [(root, 0)]
    while todo:
        holder, place = todo.pop()
        each = holder[place]
        if isinstance(each, dict):
            each = holder[place] = dict(each)
            todo += [(each, name) for name in each]
        elif isinstance(each, (list, tuple)):
            each = holder[place] = list(each)
            todo += [(each, number) for number in range(len(each))]
        else:
            holder[place] = change(each)
    return root[0]
