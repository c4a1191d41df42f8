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
don't-know                 know
the customer's             custom
C++                        c++, c
東京都                      東京, 京都, 東, 京, 都
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
from context_plane.retrieval.text.stopwords import STOP_WORDS

VERSION: Final = 3
"""Raised with every change by which the same text becomes other terms."""
NONE: Final = "none"
"""The language without stop words and stems."""
LONGEST: Final = 64
"""Characters of a term; of longer ones (hashes, base64) the first that many."""
_LONGEST_NAME: Final = 256
"""Characters of a compound that may be a name; a longer one (a line of numbers, encoded bytes) is only split."""
_REMEMBERED: Final = 200_000

# Where combining marks are in every version of Unicode up to 16: to go through all of it would take 60 ms.
_MARKED: Final = (
    *(range(0x300, 0x1E00), range(0x20D0, 0x2100), range(0x2CE0, 0x2E00), range(0x3020, 0x30A0)),
    *(range(0xA660, 0xAC00), range(0xFB1E, 0xFB1F), range(0xFE00, 0xFE30), range(0x10100, 0x10400)),
    *(range(0x10A00, 0x11F60), range(0x13430, 0x13460), range(0x16100, 0x16140), range(0x16A00, 0x17000)),
    *(range(0x1BC90, 0x1BCA0), range(0x1CF00, 0x1CF50), range(0x1D160, 0x1D250), range(0x1DA00, 0x1DAB0)),
    *(range(0x1E000, 0x1E960), range(0xE0100, 0xE01F0)),
)


def _ranges_of_marks() -> str:
    r"""Vowel signs, points and other marks on letters, which ``\w`` leaves out, as ranges for a class."""
    found: list[str] = []
    for block in _MARKED:
        categories = "".join(map(unicodedata.category, map(chr, block)))  # two letters each
        runs = [(run.start() // 2, run.end() // 2) for run in re.finditer("(?:M[nc])+", categories)]
        found += [f"{chr(block[start])}-{chr(block[end - 1])}" for start, end in runs]
    return "".join(found)


_MARKS: Final = _ranges_of_marks()
_TIES: Final = r"-./@:\\,&+#~=%"
# A word, and whatever words are tied to it by one character. Possessive, so that no text makes the search go back. The
# look ahead spares what follows most words, a space, the way through all the ranges.
_TOKEN: Final = re.compile(rf"\w++(?:[{_TIES}'\u2019]\w++|(?![\0-\x7f])[{_MARKS}]++\w*+)*+(?:\+\+|#)?+")
_ASCII_TOKEN: Final = re.compile(rf"\w++(?:[{_TIES}']\w++)*+(?:\+\+|#)?+", re.ASCII)
_TIED: Final = re.compile(f"[{_TIES}']")
_BETWEEN_WORDS: Final = re.compile(f"[{_TIES}_]")
_HUMP: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\WA-Za-z0-9_]+")
_CAPITALS_WITHIN: Final = re.compile(r"[a-z][A-Z]|[A-Z]{2}[A-Z][a-z]")
_SHORTEST_NAME: Final = 7
_DECIMAL: Final = re.compile(r"[0-9]+\.[0-9]+")
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+")
_UNSPACED: Final = re.compile(
    r"[\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    r"\u0e01-\u0e5b\u0e81-\u0edf\u1000-\u109f\u1780-\u17dd\U00020000-\U0003ffff]+"
)
_PARTED: Final = re.compile(f"({_UNSPACED.pattern})")
_WORD_SIGN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""A character of Chinese or Japanese that is often a word by itself."""
# Signs in the full width of East Asian letters tie what ASCII ones would, between letters of either width; elsewhere
# they are the punctuation of sentences without spaces.
_WIDE_TIES: Final = "".join(chr(ord(sign) + 0xFEE0) for sign in "-./@:'\\,&+#~=%_")
_BESIDE: Final = r"[0-9A-Za-z\u00aa-\u0dff\uff10-\uff19\uff21-\uff3a\uff41-\uff5a]"
_WIDE_SIGN: Final = re.compile(rf"[{_WIDE_TIES}](?<={_BESIDE}.)(?:(?={_BESIDE})|(?<=\uff03)|(?<=\uff0b)\uff0b)")
# Accents, and the selectors of variants of a character, which say how it looks.
_UNHEARD: Final = re.compile(r"[\u0300-\u036f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Sorting a run of marks, as normal forms do, takes the square of its length; no word has more than a few on a letter.
# The last two are marks in the half width of kana, which are letters until they are normalised.
_FLOODS: Final = re.compile(rf"[{_MARKS}\uff9e\uff9f]{{31,}}")
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
        if text.isascii():  # the usual case, with fewer letters to look for
            return _ASCII_TOKEN.findall(text)
        return _TOKEN.findall(_WIDE_SIGN.sub(lambda sign: _compose(sign[0]), text))

    def terms(self, text: str) -> list[str]:
        """The terms of a text in their order, with repeats."""
        known, found = self._known, list[str]()
        for token in self.tokens(text):
            terms = known.get(token)
            if terms is None:
                terms = self.expand(token)
                if len(known) >= _REMEMBERED:
                    known.clear()
                if len(token) <= LONGEST:  # what is longer hardly comes again
                    known[token] = terms
            found += terms
        return found

    def asked(self, text: str) -> list[str]:
        """The terms of a question. Of single characters that also make pairs there is no need to ask."""
        terms = self.terms(text)
        if text.isascii():
            return terms
        pairs = "".join(term for term in terms if len(term) == 2)
        return [term for term in terms if len(term) != 1 or term not in pairs or not _WORD_SIGN.fullmatch(term)]

    def expand(self, token: str) -> tuple[str, ...]:
        """The terms of one raw token. Pure."""
        if token.isascii():
            return self._expand(token)
        # Once more, because a character may stand for several words, as ½ does.
        pieces = _TOKEN.findall(_compose(token))
        return tuple(term for piece in pieces for term in self._expand(piece))

    def _expand(self, token: str) -> tuple[str, ...]:
        """The terms of a token in composed characters, compatibility forms replaced."""
        token = token.replace("\u2019", "'")
        folded = fold(token)
        if folded in self._stop:
            return ()
        if _THOUSANDS.fullmatch(folded):
            return (folded.replace(",", ""),)
        if _DECIMAL.fullmatch(folded):
            return (folded[:LONGEST],)
        if _TIED.search(token) is None:
            return self._word(token, folded)
        whole = [folded[:LONGEST]] if len(token) <= _LONGEST_NAME and _is_identifier(token) else []
        found = list(whole)
        for part in self._apart(token):
            found += self._word(part, fold(part))
        return tuple(dict.fromkeys(found)) if whole else tuple(found)

    def _word(self, word: str, folded: str) -> tuple[str, ...]:
        """The terms of letters and digits without anything between them."""
        if not word.isascii() and _UNSPACED.search(word):
            return tuple(self._unspaced(word))
        humps = _humps(word)
        if len(humps) > 1:
            # The whole as the same word without capitals becomes it, for queries are typed in lower case.
            return tuple(dict.fromkeys(filter(None, map(self._term, (folded, *map(fold, humps))))))
        term = self._term(folded)
        return (term,) if term else ()

    def _apart(self, token: str) -> list[str]:
        """The words of a compound: split at ``_`` too, without contractions that are stop words, and of other words
        with an apostrophe without a possessive s or the end of a contraction."""
        words: list[str] = []
        for piece in filter(None, _BETWEEN_WORDS.split(token)):
            if "'" not in piece:
                words.append(piece)
            elif fold(piece) not in self._stop:
                stems = piece.split("'")
                words += [stem for stem in stems if len(stem) > 2] or stems[:1]
        return words

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

    def _unspaced(self, word: str) -> list[str]:
        """Pairs of neighbouring characters where words are not told apart by spaces, and those single characters that
        can be words; words elsewhere, such as a name in Latin letters within a sentence of Chinese."""
        found: list[str] = []
        for part in filter(None, _PARTED.split(_UNHEARD.sub("", word))):
            text = fold(part)
            if _UNSPACED.match(part) is None:
                found += self._word(part, text)
            else:
                found += [text] if len(text) == 1 else [text[i : i + 2] for i in range(len(text) - 1)]
                found += _WORD_SIGN.findall(text) if len(text) > 1 else []
        return found


def fold(text: str) -> str:
    """A text without case, compatibility forms and the accents of Latin, Greek and Cyrillic letters."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", _compose(text).casefold())
    return unicodedata.normalize("NFC", _UNHEARD.sub("", folded))


def _compose(text: str) -> str:
    """A text without compatibility forms, letters and their marks in one; case as it was."""
    return unicodedata.normalize("NFKC", _FLOODS.sub(lambda flood: flood[0][:30], text))


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
    if any(c.isdigit() for c in token):
        return not _THOUSANDS.fullmatch(token)
    tied = set(_BETWEEN_WORDS.findall(token))
    if tied == {"/"}:
        return token.count("/") > 1 or not token.islower()
    if tied == {"."}:
        return token.islower() or token.count(".") > 1
    return not _KINDS.isdisjoint(tied)


def _humps(word: str) -> list[str]:
    """``HTTPServer`` as HTTP and Server: the parts of a name with capitals within; short words stay whole."""
    if "_" in word:
        return [piece for piece in word.split("_") if piece]
    if len(word) < _SHORTEST_NAME or not word.isascii() or _CAPITALS_WITHIN.search(word) is None:
        return [word]
    return _HUMP.findall(word)
