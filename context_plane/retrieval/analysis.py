"""Analysis: from text to the terms that are indexed and asked for.

Here belongs everything that decides whether two words are the same term: folding, stop words, stems, identifiers,
scripts without spaces. The identity of the analysis is stored with every shard; whoever changes what a text becomes
raises `VERSION`.

Identifiers are kept whole and split, ordinary words only split:

=========================  ==================================================
text                       terms
=========================  ==================================================
AUTH-1234                  auth-1234, auth, 1234
payment_service            payment_service, payment, servic
src/main.py                src/main.py, src, main, py
ann@example.org            ann@example.org, ann, exampl, org
v1.2.3                     v1.2.3, v1, 2, 3
HTTPServer                 httpserver, http, server
state-of-the-art           state, art
and/or                     (nothing: both are stop words)
10,000                     10000
0.05                       0.05
don't                      (nothing: a stop word)
the customer's             custom
C++                        c++, c
東京都                      東京, 京都
=========================  ==================================================
"""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from functools import lru_cache
from typing import Any, Final

from context_plane.errors import InputError
from context_plane.retrieval.stopwords import STOP_WORDS

VERSION: Final = 1
"""Raised with every change by which the same text becomes other terms."""
NONE: Final = "none"
"""The language without stop words and stems."""
LONGEST: Final = 64
"""Characters of a term; of longer ones (hashes, base64) the first that many."""
_LONGEST_NAME: Final = 256
"""Characters of a compound that may be a name; a longer one (a line of numbers, encoded bytes) is only split."""
_REMEMBERED: Final = 200_000

# Vowel signs of Indic and South-East Asian scripts are marks, which \w leaves out.
_MARKS: Final = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f"
_SIGNS: Final = (
    "\u0951-\u0957\u0962\u0963\u0981-\u0983\u09bc-\u09cd\u0a01-\u0a03\u0a3c-\u0a4d\u0a81-\u0a83\u0abc-\u0acd"
)
_MORE: Final = "\u0b01-\u0b03\u0b3c-\u0b57\u0b82\u0bbe-\u0bcd\u0c00-\u0c04\u0c3e-\u0c56\u0c81-\u0c83\u0cbc-\u0cd6"
_LAST: Final = "\u0d00-\u0d03\u0d3e-\u0d4d\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd"
_BEYOND: Final = "\u102b-\u103e\u17b4-\u17d3"
_WORD: Final = rf"[\w{_MARKS}{_SIGNS}{_MORE}{_LAST}{_BEYOND}]"
# A word, and whatever words are tied to it by one character. Possessive, so that no text makes the search go back.
_TOKEN: Final = re.compile(rf"{_WORD}++(?:[-./@:'\u2019\\,&+#~=%]{_WORD}++)*+(?:\+\+|#)?+")
_PART: Final = re.compile(rf"{_WORD}++")
_HUMP: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\WA-Za-z0-9_]+")
_CAPITALS_WITHIN: Final = re.compile(r"[a-z][A-Z]|[A-Z]{2}[A-Z][a-z]")
_SHORTEST_NAME: Final = 7
_DECIMAL: Final = re.compile(r"[0-9]+\.[0-9]+")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_UNSPACED: Final = re.compile(
    r"[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\u0e01-\u0e5b\u0e81-\u0edf\u1000-\u109f\u1780-\u17dd\U00020000-\U0003ffff]+"
)
_LETTERS_WITH_MARKS: Final = re.compile(r"[\u0300-\u036f]")
# Sorting a run of marks, as normal forms do, takes the square of its length; no word has more than a few on a letter.
_FLOODS: Final = re.compile(rf"([{_MARKS}]{{30}})[{_MARKS}]+")
_KINDS: Final = frozenset("_@/.:#+")


class Analyzer:
    """The analysis of one language. Safe for threads."""

    def __init__(self, language: str = "english") -> None:
        """`language` is one of Snowball's, or ``none``. Raises `InputError` for any other."""
        self.language = language
        self._stop = STOP_WORDS.get(language, frozenset())
        self._local = threading.local()
        self._known: dict[str, tuple[str, ...]] = {}
        if language != NONE and language not in languages():
            raise InputError(
                f"there is no analysis for {language[:40]!r}",
                where="analyzer",
                remedy=f"use {NONE} or one of {', '.join(languages())}",
            )

    @property
    def id(self) -> str:
        """Identity of the analysis: its version and language."""
        return f"{VERSION}/{self.language}"

    def tokens(self, text: str) -> list[str]:
        """The raw tokens of a text, in its own case; `expand` says what each stands for."""
        return _TOKEN.findall(text)

    def terms(self, text: str) -> list[str]:
        """The terms of a text in their order, with repeats."""
        known, found = self._known, list[str]()
        for token in _TOKEN.findall(text):
            terms = known.get(token)
            if terms is None:
                terms = self.expand(token)
                if len(known) >= _REMEMBERED:
                    known.clear()
                if len(token) <= LONGEST:  # what is longer hardly comes again
                    known[token] = terms
            found += terms
        return found

    def expand(self, token: str) -> tuple[str, ...]:
        """The terms of one raw token. Pure."""
        token = token.replace("\u2019", "'")
        folded = fold(token)
        if folded in self._stop:
            return ()
        if _THOUSANDS.fullmatch(folded):
            return (folded.replace(",", ""),)
        if _DECIMAL.fullmatch(folded):
            return (folded[:LONGEST],)
        parts = _PART.findall(token)
        if len(parts) == 1 and len(parts[0]) == len(token):
            return self._word(token, folded)
        whole = [folded[:LONGEST]] if len(token) <= _LONGEST_NAME and _is_identifier(token) else []
        found = list(whole)
        for part in _apart(parts, token):
            found += self._word(part, fold(part))
        return tuple(dict.fromkeys(found)) if whole else tuple(found)

    def _word(self, word: str, folded: str) -> tuple[str, ...]:
        """The terms of letters and digits without anything between them."""
        if not folded.isascii() and _UNSPACED.search(folded):
            return tuple(self._unspaced(folded))
        humps = _humps(word)
        if len(humps) > 1:
            return tuple(dict.fromkeys([folded[:LONGEST], *filter(None, map(self._term, map(fold, humps)))]))
        term = self._term(folded)
        return (term,) if term else ()

    def _term(self, folded: str) -> str:
        if not folded or folded in self._stop:
            return ""
        if self.language == NONE or not folded.isalpha():
            return folded[:LONGEST]
        return self._stem(folded[:LONGEST])

    def _stem(self, word: str) -> str:
        stemmer = getattr(self._local, "stemmer", None)
        if stemmer is None:  # one a thread: it keeps state
            import Stemmer

            stemmer = self._local.stemmer = Stemmer.Stemmer(self.language, 0)
        stemmed: str = stemmer.stemWord(word)
        return stemmed

    def _unspaced(self, folded: str) -> list[str]:
        """Pairs of neighbouring characters where words are not told apart by spaces, words elsewhere."""
        found: list[str] = []
        at = 0
        for run in _UNSPACED.finditer(folded):
            found += filter(None, (self._term(part) for part in (folded[at : run.start()],)))
            text = run[0]
            found += [text] if len(text) == 1 else [text[i : i + 2] for i in range(len(text) - 1)]
            at = run.end()
        return [*found, *filter(None, (self._term(part) for part in (folded[at:],)))]


def fold(text: str) -> str:
    """A text without case, compatibility forms and the accents of Latin, Greek and Cyrillic letters."""
    if text.isascii():
        return text.lower()
    text = _FLOODS.sub(r"\1", text)
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return unicodedata.normalize("NFC", _LETTERS_WITH_MARKS.sub("", folded))


def term_hash(term: str) -> int:
    """The 64 bits under which shards know a term; never 0."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


@lru_cache(maxsize=1)
def languages() -> tuple[str, ...]:
    """The languages that there are stemmers for."""
    import Stemmer

    found: list[Any] = Stemmer.algorithms()
    return tuple(sorted(found))


def _is_identifier(token: str) -> bool:
    """Whether a compound is a name of something: it holds a digit or a sign that prose does not tie words with."""
    if token.replace("'", "").isalpha():
        return False
    if any(c.isdigit() for c in token):
        return not _THOUSANDS.fullmatch(token)
    tied = {c for c in token if not c.isalnum()}
    if tied == {"/"}:
        return token.count("/") > 1 or not token.islower()
    if tied == {"."}:
        return token.islower() or token.count(".") > 1
    return not _KINDS.isdisjoint(tied)


def _apart(parts: list[str], token: str) -> list[str]:
    """The words of a compound: split at ``_`` too, and without a possessive s or the end of a contraction."""
    if "'" in token:
        stems = [part for part in token.split("'") if len(part) > 2] or [token.split("'")[0]]
        parts = [each for stem in stems for each in _PART.findall(stem)]
    return [piece for part in parts for piece in part.split("_") if piece]


def _humps(word: str) -> list[str]:
    """``HTTPServer`` as HTTP and Server: the parts of a name with capitals within; short words stay whole."""
    if "_" in word:
        return [piece for piece in word.split("_") if piece]
    if len(word) < _SHORTEST_NAME or not word.isascii() or _CAPITALS_WITHIN.search(word) is None:
        return [word]
    return _HUMP.findall(word)
