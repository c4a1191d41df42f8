"""Doubts: whether what is said before and after some words keeps them from being a statement.

Here belong negation, what may or might be, and questions. What is a statement otherwise is decided in `statements`.
"""

from __future__ import annotations

import re
from typing import Final

_DOUBTS: Final = frozenset(
    "not never neither nor none nothing hardly cannot without would could might may can if unless whether until till "
    "once when before after while maybe perhaps possible possibly probable probably potential potentially suspected "
    "likely unlikely need needs needed want wants wanted wish wishes wished must let's please propose proposes "
    "proposed proposing proposal suggest suggests suggested suggesting consider considers considered considering fail "
    "fails failed failing unable forget forgot forgotten refuse refuses refused refusing".split()
)
_PAIRS: Final = frozenset(
    ("no longer", "rather than", "instead of", "have to", "has to", "had to", "let us", "how to", "no need")
)
_BETWEEN: Final = 5
"""Words that may lie between a doubt and what it is about."""
_LONGEST: Final = 140
_MARKS: Final = "*_\"'\u201c\u201d\u2018[]<>"
# Where a clause ends, so that what is said in it does not hold for the next. A verb without an ending goes on with what
# was begun: "does not fix #4 and close #5", but "does not change the API and closes #5".
_CLAUSE: Final = re.compile(
    r"[.!?;:,](?=[ ]|\Z)|[()\u2014]|[ ][-\u2013][ ]"
    r"|(?<!\w)(?:but|so|and(?=[ ](?:will|shall|should|this|that|it|i|we|to|then)[ ]))(?=[ ])",
    re.I,
)
_AND: Final = re.compile(r"(?<!\w)and(?=[ ])", re.I)
_HANGING: Final = re.compile(
    r"(?<!\w)(?:not|never|\w{1,8}n['\u2019]t|would|could|might|may|can|cannot|to|if|please)[ ]*\Z", re.I
)
_SENTENCE: Final = re.compile(r"[.!?;](?=[ ]|\Z)")
_AUXILIARY: Final = "is|are|was|were|do|does|did|can|could|should|shall|would|will"
_ASKS: Final = re.compile(
    rf"\A\W*(?:{_AUXILIARY}|has|have|may|might|must)(?:n['\u2019]t)?[ ]"
    rf"|\b(?:{_AUXILIARY})[ ](?:we|you|i|this|it|that|these|there)\b"
    r"|\A\W*(?:what|why|who|when|where|how|which)\b",
    re.I,
)
_QUESTION: Final = re.compile(r"[^.!?\n]{0,100}\?")
_ASKED_AT_ONCE: Final = re.compile(r"[\W_]{0,3}?\?")


def doubted(before: str, *, bare: bool = False) -> bool:
    """Whether what follows is denied, or said of what may be. `bare`: it begins with a verb without an ending."""
    clause = _line(before)[-_LONGEST:]
    clause = clause[_behind(_CLAUSE, clause) :]
    if not bare:
        clause = clause[_behind(_AND, clause) :]
    words = [word.strip(_MARKS).lower().replace("\u2019", "'") for word in clause.split()[-_BETWEEN - 2 :]]
    return any(_is_doubt(words, place) for place in range(max(0, len(words) - _BETWEEN - 1), len(words)))


def _is_doubt(words: list[str], place: int) -> bool:
    word = words[place]
    if word == "not" and words[place + 1 : place + 2] == ["only"]:
        return False
    return word in _DOUBTS or word.endswith("n't") or (place > 0 and f"{words[place - 1]} {word}" in _PAIRS)


def asked(before: str, after: str) -> bool:
    """Whether the sentence that words stand in is a question."""
    if "?" not in after:
        return False
    if _ASKED_AT_ONCE.match(after):
        return True
    line = _line(before)
    return _QUESTION.match(after) is not None and _ASKS.search(line[_behind(_SENTENCE, line) :]) is not None


def _behind(expression: re.Pattern[str], text: str) -> int:
    """Where the last match ends; 0 without one."""
    return max((match.end() for match in expression.finditer(text)), default=0)


def _line(before: str) -> str:
    """The line that words stand in as far as they do; with the line before it where a sentence is wrapped."""
    head, broken, line = before.rpartition("\n")
    if not broken:
        return line
    above = head[head.rfind("\n") + 1 :].rstrip(" ")
    if not line.strip(" *_-+>[]"):  # the words begin their line
        return above if _HANGING.search(above) else ""
    wrapped = above and above[-1] not in ".!?:;," and line.lstrip()[0].islower()
    return f"{above} {line.lstrip()}" if wrapped else line
