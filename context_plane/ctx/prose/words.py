"""Which words of English the mode ``semantic`` may leave out, and which phrases it may say shorter.

Here belong the lists, and the rules of when a word on them carries a fact after all. They are published in
`docs/spec/ctx-text.md` and are part of the format: the encoder leaves out what they allow, the checker accepts nothing
else. No checker sees what such a list does to meaning, so a word comes on it only after a look at what it does to text:
``be``, ``been`` and ``being`` stay (without them "stops being a limitation" says the contrary), as do ``was`` and
``were`` (tense is a fact), ``itself`` ("configures itself") and ``just`` ("not just").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

ARTICLES: Final = frozenset("a an the".split())
COPULAS: Final = frozenset("is are".split())
LINKS: Final = frozenset("that which".split())
FILLERS: Final = frozenset("really actually basically simply very".split())
EXPLETIVE: Final = "there"

NEGATIONS: Final = frozenset(
    "not no never none nor neither nobody nothing nowhere cannot without hardly scarcely barely rarely seldom few "
    "little only".split()
)
"""Before one of these a copula stays, and after one a filler: what they deny must be seen."""
_NO_NOUN: Final = frozenset(
    "and or but nor is are was were be been being am has have had do does did can could may might must shall should "
    "will would in on at of to from by with for as than if then when while that which who whose it its they their this "
    "these those he she we you i not no".split()
)
"""What an article is not followed by: before one of these ``a`` is the name of something."""
_COUNTED: Final = frozenset(
    "few little lot bit couple dozen hundred thousand million billion trillion day week month quarter year hour minute "
    "second night time piece head share".split()
)
"""After ``a`` these are numbers, amounts and rates: "a few" is more than "few", "twice a day" is a rate."""
_OBJECT: Final = frozenset(
    "a an the it they we you i he she this these those its their our your his her my each every all no one".split()
)
"""What follows ``that`` and ``which`` where English leaves them out too: a subject of its own."""
_GOVERNING: Final = frozenset(
    "in on at of to from by with for as than about after before like over under through into upon within during until "
    "and or but nor so except given provided now not only just".split()
)
"""After one of these ``that`` is a pronoun or half of a conjunction: "in that case", "so that", "of which"."""
_OPENING: Final = frozenset("that which who whoever whatever what nothing nobody none no neither".split())
"""So near behind one of these a copula stays: it may be that of the whole sentence ("what was seen is kept")."""
_NEAR: Final = 8
_ENDS: Final = tuple(".!?:;—\u2013")
_PAUSES: Final = (*_ENDS, ",", ")")

PHRASES: Final[tuple[tuple[str, str], ...]] = (
    ("due to the fact that", "because"),
    ("at this point in time", "now"),
    ("for the purpose of", "for"),
    ("has the ability to", "can"),
    ("have the ability to", "can"),
    ("in the event that", "if"),
    ("with the exception of", "except"),
    ("the majority of", "most"),
    ("in addition to", "besides"),
    ("a large number of", "many"),
    ("a number of", "several"),
    ("as a result of", "because of"),
    ("each and every", "every"),
    ("in order to", "to"),
    ("in spite of", "despite"),
    ("as well as", "and"),
    ("are able to", "can"),
    ("is able to", "can"),
    ("make use of", "use"),
    ("makes use of", "uses"),
    ("prior to", "before"),
    ("subsequent to", "after"),
)
_PHRASE: Final = re.compile(
    r"(?<!\S)(?:" + "|".join(phrase for phrase, _ in PHRASES) + r")(?!\S)"
    r"|(?<=[\w)] )(?<![Tt]here )(?:is|are) (?P<article>an?|the) (?=(?P<noun>\S+))"
)
_APOSTROPHE: Final = re.compile(r"(?<=\w)\u2019(?=\w)")
_SHORTER: Final = dict(PHRASES)
_UNTOUCHED: Final = re.compile(
    r"(?<!`)(`{1,3})[^`]+\1(?!`)"  # code
    r"|\[[^\[\]]*\](?:\([^()\s]*\)|\[[^\[\]]*\])?"  # links, references, footnotes
    r"|\"[^\"]*\"|“[^“”]*”|«[^«»]*»|(?<!\w)'[^']*'(?!\w)|(?<!\w)\u2018[^\u2018\u2019]*\u2019(?!\w)"  # quotations
    r"|<[^<>]*>|\$[^$\s][^$]*\$|(?<!\S)[^\s/\\@_={}|]*+[/\\@_={}|]\S*"  # tags, formulas, paths, names
    r"|[\"“«`].*"  # code or a quotation that does not end
)


def pieces(line: str) -> list[tuple[str, bool]]:
    """The words of a line, each with whether rules may touch it: words of code, links and quotations they may not."""
    spans = [match.span() for match in _UNTOUCHED.finditer(line)]
    found, span = [], 0
    for match in re.finditer(r"[^ ]+", line):
        at, end = match.span()
        while span < len(spans) and spans[span][1] <= at:
            span += 1
        touched = span < len(spans) and spans[span][0] < end
        found.append((match[0], not touched))
    return found


def shortened(line: str) -> str:
    """A line with every phrase of the table said shorter, outside of code, links and quotations; an apostrophe
    within a word is that of ASCII."""
    if "\u2019" in line:
        line = _APOSTROPHE.sub("'", line)
    if not _PHRASE.search(line):
        return line
    found, at = [], 0
    for span in _UNTOUCHED.finditer(line):
        found += [_PHRASE.sub(_shorter, line[at : span.start()]), span[0]]
        at = span.end()
    return "".join([*found, _PHRASE.sub(_shorter, line[at:])])


def _shorter(match: re.Match[str]) -> str:
    shorter = _SHORTER.get(match[0])
    if shorter is not None:
        return shorter
    return "= " if _article(match["article"], match["noun"]) else match[0]


def droppable(line: str) -> list[tuple[str, bool]]:
    """The words of a line, each with whether it says nothing that is lost without it."""
    found = pieces(line)
    plain = [word for word, _ in found]
    return [(word, free and _may_go(plain, at)) for at, (word, free) in enumerate(found)]


def _may_go(words: Sequence[str], at: int) -> bool:
    word = words[at]
    if at + 1 >= len(words):
        return False
    low = word.lower()
    before, after = words[at - 1] if at else "", words[at + 1]
    if word != low and not (word.istitle() and (at == 0 or before.endswith(_ENDS))):
        return False
    if low in ARTICLES:
        return _article(low, after)
    if low in COPULAS:
        return word == low and _copula(words, at)
    if low in LINKS:
        return word == low and at > 0 and _link(words, at)
    if low == EXPLETIVE:
        return after in COPULAS and _copula(words, at + 1)
    return low in FILLERS and before.lower() not in NEGATIONS and after[0].isalpha()


def _article(article: str, after: str) -> bool:
    core = after.strip(".,;:!?()[]\"'“”\u2018\u2019*_").lower()
    if not core or not (core[0].isalnum()) or core in _NO_NOUN:
        return False
    return article == "the" or core not in _COUNTED


def _copula(words: Sequence[str], at: int) -> bool:
    if at == 0 or at + 1 >= len(words):
        return False
    after = words[at + 1].lower().strip(".,;:!?()\"'“”\u2018\u2019*_")
    if after in NEGATIONS or after.endswith(("n't", "n\u2019t")) or not words[at + 1][0].isalnum():
        return False
    return not _within_clause(words, at)


def _within_clause(words: Sequence[str], at: int) -> bool:
    """Whether a clause within the sentence, or a word that denies, is so near before a copula that without it one would
    not see where the clause ends."""
    if not words[at - 1][-1].isalnum():
        return words[at - 1][-1] != ")"
    for before in reversed(words[max(0, at - _NEAR) : at - 1]):
        if before.endswith(_PAUSES):
            return False
        if before.lower() in _OPENING:
            return True
    return words[at - 1].lower() in _OPENING - LINKS


def _link(words: Sequence[str], at: int) -> bool:
    before, after = words[at - 1], words[at + 1]
    if before.lower() in _GOVERNING:
        return False
    if after in COPULAS:
        return (before[-1].isalnum() or before[-1] == ",") and _copula(words, at + 1)
    return before[-1].isalnum() and after in _OBJECT
