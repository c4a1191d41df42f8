"""What a text becomes: the table of the analysis, equal terms for equal words, and texts made to hurt."""

from __future__ import annotations

import re
import sys
import threading
import unicodedata
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import InputError
from context_plane.retrieval.text import analysis
from context_plane.retrieval.text.analysis import LONGEST, Analyzer, fold, languages, term_hash

ENGLISH = Analyzer()
PLAIN = Analyzer("none")
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
MEGABYTE = 1 << 20
# What the analysis treats in a way of its own, to be put together.
PIECES = st.sampled_from(
    [
        *"AUTH-1234 a_b src/x.py 10,000 0.05 don't C++ 東京 ガ ไทย é ß HTTPServer _ - . / ' +".split(),
        *("e\u0301", "\u2019s", "\0", "\ud800", "\u0301"),
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=5), st.just(" "))).map("".join)


def wide(text: str) -> str:
    """ASCII in the full width of East Asian letters."""
    return "".join(chr(ord(c) + 0xFEE0) for c in text)


def table() -> list[tuple[str, list[str]]]:
    """The rows of the module's docstring."""
    body = (analysis.__doc__ or "").split("=\n", 2)[2].rpartition("\n====")[0]
    rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in body.splitlines() if "==" not in line]
    return [(text, [] if terms.startswith("(") else terms.split(", ")) for text, terms in rows]


def test_the_table_of_the_docstring_is_true() -> None:
    """All of its rows, so that it can be read as documentation."""
    assert len(table()) == 15
    for text, terms in table():
        assert ENGLISH.terms(text) == terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("paymentService getUserID", "paymentservic payment servic getuserid get user id"),
        ("C# F# A/B", "c# c f# f a/b b"),
        ("2026-03-01 10:30 1/2", "2026-03-01 2026 03 01 10:30 10 30 1/2 1 2"),
        ("/usr/local/bin C:\\Temp", "usr/local/bin usr local bin c temp"),
        ("running, ran! (runs)", "run ran run"),
        ("The cat. and the dog", "cat dog"),
        ("customers' rock'n'roll O\u2019Brien", "custom rock roll brien"),
        ("1,234,567 1,5 ١٢", "1234567 1,5 1 5 ١٢"),
        ("iPhone eBay", "iphon ebay"),  # short names are words
        ("GPT-4 gpt4", "gpt-4 gpt 4 gpt4"),
        ("key=value a&b x~y", "key valu b x y"),
    ],
)
def test_identifiers_are_kept_whole_and_split(text: str, terms: str) -> None:
    """What the table leaves open."""
    assert ENGLISH.terms(text) == terms.split()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CAFÉ", "cafe"),
        ("STRASSE", "straße"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
        ("ЁЛКА", "елка"),
        ("İSTANBUL", "istanbul"),
        ("ﬁne", "fine"),
        (wide("ABC12"), "abc12"),
        (wide("10") + "," + wide("000"), "10000"),
        ("AUTH-1234", "auth-1234"),
        ("Payment_Service", "payment_service"),
        ("src/Main.PY", "SRC/main.py"),
        ("don\u2019t customer\u2019s", "don't customer's"),
        ("ｶﾞ", "ガ"),
    ],
)
def test_case_accents_and_compatibility_forms_do_not_tell_words_apart(one: str, other: str) -> None:
    """The same terms, whichever way it is written."""
    assert ENGLISH.terms(one) == ENGLISH.terms(other)


def test_a_camel_case_name_is_found_in_lower_case() -> None:
    """A query is often typed without capitals."""
    assert ENGLISH.terms("paymentservice") == ["paymentservic"]
    for text in ("paymentService", "PaymentService", "com.example.paymentService", "get_paymentService"):
        assert "paymentservic" in ENGLISH.terms(text)


@pytest.mark.parametrize(
    "text", ["AUTH-1234", "HTTPServer", "C++", "C#", "payment_service", "src/main.py", "10,000", "0.05", "don't"]
)
def test_identifiers_in_full_width_are_identifiers(text: str) -> None:
    """As an East Asian keyboard writes them."""
    assert ENGLISH.terms(wide(text)) == ENGLISH.terms(text)


@pytest.mark.parametrize("sign", "-./@:,&~=%_")
def test_a_sign_in_full_width_ties_no_sentences(sign: str) -> None:
    """Between words that spaces do not part it is punctuation, between others what ASCII would be."""
    assert ENGLISH.asked(f"東京{wide(sign)}大阪") == ["東京", "大阪"]
    assert ENGLISH.asked(f"東京{wide(sign)}v2") == ["東京", "v2"]
    assert ENGLISH.terms(f"auth{wide(sign)}v2") == ENGLISH.terms(f"auth{sign}v2")


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("½ x⑴", "1 2 x 1"),
        ("coŀlecció", "col leccio"),
        ("ﬂatFile", "flatfile flat file"),
        ("Foo™ 5℃", "foo 5"),  # what is no letter is none in another form either
        ("葛\U000e0100城 1\ufe0f\u20e3", "葛城 1"),  # variants of a character are that character
    ],
)
def test_compatibility_forms_are_what_they_stand_for(text: str, terms: str) -> None:
    """Words, signs and capitals alike."""
    assert PLAIN.asked(text) == terms.split()


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("don't-know", "know"),
        ("know-don\u2019t", "know"),
        ("don't/can't", ""),
        ("don't_know", "don't_know know"),
        ("customer's-choice", "custom choic"),
        ("john's.txt", "john's.txt john txt"),
    ],
)
def test_a_contraction_within_a_compound_is_no_term(text: str, terms: str) -> None:
    """`don't` alone is a stop word."""
    assert ENGLISH.terms(text) == terms.split()


@pytest.mark.parametrize("form", get_args(Form))
@pytest.mark.parametrize(
    "word",
    ["Việt", "Ελλάδα", "ёлка", "한국어", "नमस्ते", "क़लम", "إلى", "আমি", "தமிழ்", "മലയാളം", "ภาษา", "ລາວ", "ខ្មែរ", "မြန်မာ"],
)
def test_a_word_is_one_in_every_normal_form(word: str, form: Form) -> None:
    """Composed and decomposed texts find each other, and no vowel sign cuts a word in two."""
    terms = PLAIN.terms(unicodedata.normalize(form, word))
    assert terms == PLAIN.terms(word)
    spaced = word in ("ภาษา", "ລາວ", "ខ្មែរ", "မြန်မာ")
    assert spaced or terms == [fold(word)]


@pytest.mark.parametrize("word", ["ガギグ", "パソコン", "東京都"])
def test_decomposed_japanese_is_japanese(word: str) -> None:
    """Names of files on a Mac are decomposed."""
    assert PLAIN.terms(unicodedata.normalize("NFD", word)) == PLAIN.terms(word)


@pytest.mark.parametrize("word", ["සිංහල", "ދިވެހި", "བོད", "שָׁלוֹם"])
def test_vowel_signs_do_not_cut_words(word: str) -> None:
    """Sinhala, Thaana, Tibetan, pointed Hebrew: else their words are found as consonants alone."""
    assert len(PLAIN.terms(word)) == 1
    assert PLAIN.terms(f"{word}.{word}") == PLAIN.terms(word) * 2  # a full stop without a space makes no name


def test_every_combining_mark_is_of_the_word_it_is_on_and_no_word_alone() -> None:
    """In any script. A heart in red is a heart and a mark."""
    for mark in filter(lambda c: unicodedata.category(c) in ("Mn", "Mc"), map(chr, range(sys.maxunicode + 1))):
        assert PLAIN.tokens(f"{mark} a{mark}b {mark}") == [f"a{mark}b"]


def test_scripts_without_spaces_are_pairs() -> None:
    """So that any part of a text of two characters or more is found; latin words within stay words."""
    pairs = ["日本", "本語", "語テ", "テキ", "キス", "スト"]
    assert PLAIN.asked("日本語テキスト") == pairs
    assert PLAIN.terms("日本語テキスト") == [*pairs, "日", "本", "語"]
    assert PLAIN.asked("猫") == PLAIN.terms("猫") == ["猫"]
    assert PLAIN.asked("黒猫 x 猫") == ["黒猫", "x"]
    assert PLAIN.terms("ไทย") == ["ไท", "ทย"]
    assert PLAIN.asked("Python入門v2") == ["python", "入門", "v2"]
    assert PLAIN.asked("调用PaymentService失败") == ["调用", "paymentservice", "payment", "service", "失败"]
    assert PLAIN.asked("葛\ufe00飾") == ["葛飾"]
    assert PLAIN.terms("東") == ["東"]
    assert PLAIN.asked("\U00020000\U00020001\U00020002") == ["\U00020000\U00020001", "\U00020001\U00020002"]


def test_a_language_has_its_stems_and_none_has_neither_stems_nor_stop_words() -> None:
    """What is a stop word in one language is a word in another."""
    assert Analyzer("german").terms("Häuser") == Analyzer("german").terms("haus")
    assert PLAIN.terms("the running services") == ["the", "running", "services"]
    assert Analyzer("none").id != Analyzer("english").id


@pytest.mark.parametrize("language", ["klingon", "", "English", "none "])
def test_an_unknown_language_is_told_the_known_ones(language: str) -> None:
    """Place and remedy."""
    with pytest.raises(InputError) as error:
        Analyzer(language)
    assert error.value.where == "analyzer"
    assert all(known in error.value.remedy for known in ("none", *languages()))


@pytest.mark.parametrize(
    "text", ["", " \n\t", "\0\x01\x7f\x9f", "\ud800\udfff", "…—!?", "🙂🙃", "\u2764\ufe0f", "\u0301" * 9, "\ufeff"]
)
def test_texts_without_words_have_no_terms(text: str) -> None:
    """Control characters, lone surrogates, punctuation, marks without letters."""
    assert ENGLISH.terms(text) == []


def test_lone_surrogates_and_control_characters_part_words() -> None:
    """They are of no word and in no term."""
    assert ENGLISH.terms("alpha\ud800beta\0gamma\udfff") == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize(
    "piece",
    [
        "x",
        "aB",
        "a-",
        "a_",
        "a'b",
        "ab''",
        "1.",
        "1,000,",
        "c++",
        "東",
        "東a",
        "กิ",
        "é",
        "a\u0301",
        "\ud800",
        "\0",
        "/",
        "A1@",
    ],
)
def test_a_megabyte_without_spaces_is_analysed(piece: str) -> None:
    """No more terms than pairs and characters, none longer than the longest; a quadratic step would take minutes."""
    text = piece * (MEGABYTE // len(piece))
    terms = ENGLISH.terms(text)
    assert len(terms) <= 2 * len(text)
    assert max(map(len, terms), default=0) <= LONGEST


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u05b0\u0591", "\uff9e\u0301"])
def test_a_flood_of_marks_is_normalised_in_short_runs(monkeypatch: pytest.MonkeyPatch, marks: str) -> None:
    """Marks of two classes in turn are quadratic in the interpreter, for events and for queries alike."""
    longest = 0

    class Counting:
        def normalize(self, form: Form, text: str) -> str:
            nonlocal longest
            longest = max(longest, *map(len, re.findall(f"[{marks}]*", text)))
            return unicodedata.normalize(form, text)

    monkeypatch.setattr(analysis, "unicodedata", Counting())
    PLAIN.terms("q" + marks * 1_500)
    assert 0 < longest < 1_500


def test_what_is_remembered_does_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does forgetting change an answer."""
    monkeypatch.setattr(analysis, "_REMEMBERED", 10)
    analyzer = Analyzer("none")
    words = [f"w{n}" for n in range(100)] * 2
    assert analyzer.terms(" ".join(words)) == words
    assert len(analyzer._known) <= 10


def test_threads_share_an_analyzer() -> None:
    """Each has a stemmer of its own; all get the same."""
    analyzer, found = Analyzer(), list[list[str]]()
    text = " ".join(f"services{n} running walked customers" for n in range(200))
    threads = [threading.Thread(target=lambda: found.append(analyzer.terms(text))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [Analyzer().terms(text)] * 4


@given(one=TEXTS, other=TEXTS, language=st.sampled_from(["english", "none"]))
def test_lines_are_analysed_apart(one: str, other: str, language: str) -> None:
    """The terms of two texts with a newline between them are those of each; and the same for whoever asks again."""
    analyzer = Analyzer(language)
    terms = analyzer.terms(f"{one}\n{other}")
    assert terms == analyzer.terms(one) + analyzer.terms(other) == Analyzer(language).terms(f"{one}\n{other}")
    assert terms == [term for token in analyzer.tokens(f"{one}\n{other}") for term in analyzer.expand(token)]


@given(text=TEXTS)
def test_terms_are_folded_bounded_and_never_empty(text: str) -> None:
    """In any text."""
    for term in PLAIN.terms(text):
        assert 0 < len(term) <= LONGEST
        assert term == term.lower() or fold(term) == term
        assert term_hash(term)
