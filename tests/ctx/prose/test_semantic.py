"""The mode semantic: which words go, which stay whatever it costs, and that its check sees every mistake."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.ctx_mutations import MUTATIONS
from context_plane.ctx.prose import Level, Mode, check, decode, encode
from context_plane.ctx.prose.check import compare
from context_plane.ctx.prose.diagrams import read, write
from context_plane.ctx.prose.facts import differences
from context_plane.ctx.prose.semantic import reduced_line
from context_plane.ctx.prose.words import PHRASES, droppable


@pytest.mark.parametrize(
    ("line", "reduced"),
    [
        (
            "The plane is a log of events, and the tail of it is always read first.",
            "plane = log of events, and tail of it always read first.",
        ),
        (
            "This is why the agents that the runtime starts are kept in a table of their own.",
            "This why agents runtime starts are kept in table of their own.",
        ),
        (
            "Context that is stored in the log is read, and that is not a queue but what is a few words long.",
            "Context stored in log is read, and that is not queue but what is a few words long.",
        ),
        (
            "The model that is not local and the one that reads it, which is an engine, are a pair.",
            "model that is not local and one that reads it, which = engine, are pair.",
        ),
        (
            "There are three levels in order to check what an encoder has written.",
            "three levels to check what encoder has written.",
        ),
        (
            "It doesn\u2019t matter which of the two writers loses the race, as the log is simply read again.",
            "It doesn't matter which of two writers loses race, as log read again.",
        ),
    ],
)
def test_words_that_say_nothing_go(line: str, reduced: str) -> None:
    """Articles, copulas, conjunctions that English leaves out too, fillers, and phrases that have a shorter form."""
    assert reduced_line(line) == reduced


@pytest.mark.parametrize(
    "kept",
    [
        "is not", "are no longer", "is never", "is only", "a few", "a little", "a hundred", "twice a day", "was",
        "were", "be", "been", "being", "in that case", "so that", "of which", "not very", "must not", "itself", "just",
        '"the one"', "“the one”", "`the a is`", "[the text](the)", "option a and", "from A to B", "The Hague", "THE",
        "stops being a", "that fail", "which fail", "there is no", "(the", "is.", "without the", "a/the/an", "what is?",
    ],
)  # fmt: skip
def test_words_that_say_something_stay(kept: str) -> None:
    """Denials and what they deny, numbers, rates, tenses, quotations, code, links, names, restrictions."""
    line = f"Whoever reads in {kept} every other line of our text sees all of it, from first to last."
    found = reduced_line(line)
    shorter = "stops being every" if kept == "stops being a" else "without every" if kept == "without the" else kept
    assert shorter in found or kept in found


@pytest.mark.parametrize(
    "line",
    [
        "Le programme a lu le journal, et il a vu que rien ne manque depuis le premier jour.",
        "Vamos a ver cada evento que llega a la cola, y a leer lo que falta a continuación.",
        "Het log is een lijst van alles wat ooit is aangenomen, en is daarmee nooit leeg.",
    ],
)
def test_other_languages_are_left_alone(line: str) -> None:
    """Where ``a`` is a verb or a preposition it is no article, within an English document either."""
    assert check(line, encode(line, Mode.SEMANTIC)).level is Level.BYTES
    assert line in decode(encode(f"{DOCUMENT}\n{line}\n", Mode.SEMANTIC))


@pytest.mark.parametrize(("phrase", "shorter"), PHRASES)
def test_every_phrase_of_the_table_is_said_shorter(phrase: str, shorter: str) -> None:
    """And the check takes the two for the same."""
    line = f"We keep every event in one log {phrase} reading all of it once more at another time."
    assert reduced_line(line) == line.replace(phrase, shorter)
    assert not differences(line, line.replace(phrase, shorter))


@pytest.mark.parametrize(
    "text",
    [
        "# The title is the title of the text that is under it\n",
        "```\nthe code is the code that is run\n```\n",
        "| the a | is an are |\n|---|---|\n| the cell that is | a cell that is the last |\n",
        "    the code is the code\n    that is run and that is all there is to it\n",
        "The Title of a Paper\n",
    ],
)
def test_what_is_not_running_text_is_not_touched(text: str) -> None:
    """Headings, code, tables, and short lines that no sign ends."""
    assert check(text, encode(text, Mode.SEMANTIC)).level in (Level.BYTES, Level.STRUCTURE)


@given(
    st.lists(
        st.sampled_from(
            "the The a an is are that which not no there very was in order to x1 foo, bar. “ ” ` ( )".split()
        ),
        max_size=30,
    )
)
def test_what_the_encoder_leaves_out_the_check_lets_pass(words: list[str]) -> None:
    """For any line: the reduced one differs in nothing that counts, and reducing it again changes nothing."""
    line = " ".join(words)
    found = reduced_line(line)
    assert not differences(line, found)
    assert [word for word, _ in droppable(found)] == found.split()


CHART = (
    'flowchart TB subgraph S["The Store"] direction TB A["\U0001f4cb Log"]:::c B["Index & tail"] end '
    'A --> B B -->|"reads of"| S classDef c fill:#4a90d9,stroke:#2c5f8a'
)


def test_a_chart_keeps_its_graph() -> None:
    """Groups, texts, edges and their labels stay; paint, layout and pictographs go."""
    found = reduced_line(CHART)
    assert found == 'flowchart subgraph A["The Store"] B[Log] C[Index & tail] end B --> C -->|reads of| A'
    assert read(found) == read(CHART)
    assert not differences(CHART, found)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Log", "Lot"),
        ("--> C", "-.-> C"),
        ("reads of", "read of"),
        ("-->|reads of| A", "-->|reads of| B"),
        (" end", ""),
        ("The Store", "Store"),
    ],
)
def test_a_change_of_a_chart_is_seen(old: str, new: str) -> None:
    """Another text, kind of edge, label, end or group."""
    changed = reduced_line(CHART).replace(old, new, 1)
    assert differences(CHART, changed)


def test_prose_that_begins_like_a_chart_is_prose() -> None:
    """And a chart with anything unknown in it stays as it is."""
    assert read("graph databases store nodes and edges") is None
    odd = "flowchart TB A --> B click A href x.y"
    assert reduced_line(odd) == odd
    chart = read("graph LR A --> B")
    assert chart is not None
    assert write(chart) == "flowchart A --> B"


DOCUMENT = """\
# The store

A commit must not be lost, and there are 3 reasons that it may be refused: the writer has no lease, the disk is full, or
the record is larger than 4 KB. Readers can see the [log](https://example.org/log) and must never see half of it.

- The first item is about 10 segments.
- The second item should be read before the third one.
- The third item is the last of all.

| key | value |
|---|---|
| width | 72 |
| depth | 3 |
| height | 12 |
"""


@pytest.mark.parametrize("mode", [Mode.VERBATIM, Mode.SEMANTIC])
@pytest.mark.parametrize("kind", MUTATIONS)
def test_the_check_sees_every_mistake(kind: str, mode: Mode) -> None:
    """One hundred of each kind, in the text that CTX decodes to; the text itself passes."""
    decoded = decode(encode(DOCUMENT, mode))
    assert compare(DOCUMENT, decoded).level is not None
    rng = random.Random(kind)
    made = 0
    for _ in range(100):
        mutated = MUTATIONS[kind](decoded, rng)
        if mutated is not None and mutated != decoded:
            made += 1
            report = compare(DOCUMENT, mutated)
            assert report.level is None, mutated
            assert report.differences
            assert report.differences[0].where.startswith(("line ", "behind the end"))
    assert made > 50


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("is full", "was full"),
        ("The first", "A first"),
        ("log](", "the log]("),
        ("- The second item", "  - The second item"),
        ("# The store", "## The store"),
        ("reasons that it", "reasons it that"),
        ("| depth | 3 |", "| 3 | depth |"),
        ("must not", "must"),
        ("- The third item is the last of all.", "- The third item is the last of all.\n- the"),
        ("is the last of all.", "is the last of all. the"),
    ],
)
def test_the_check_takes_no_other_change(old: str, new: str) -> None:
    """Not even of words that may be missing: they may only be missing."""
    assert old in DOCUMENT
    assert compare(DOCUMENT, DOCUMENT.replace(old, new)).level is None


def test_the_check_names_the_level_and_what_keeps_it_from_the_next() -> None:
    """Bytes, structure, facts, or none."""
    assert check(DOCUMENT, DOCUMENT).level is Level.BYTES
    assert not check(DOCUMENT, DOCUMENT).differences
    loose = compare(DOCUMENT, DOCUMENT.replace("| width |", "|width|"))
    assert (loose.level, loose.differences[0].where) == (Level.STRUCTURE, "line 12")
    fewer = compare(DOCUMENT, DOCUMENT.replace("the writer", "writer"))
    assert (fewer.level, fewer.differences[0].where) == (Level.FACTS, "line 3: para")
    broken = compare(DOCUMENT, DOCUMENT.replace("10", "11").replace("| depth | 3 |\n", ""))
    assert broken.level is None
    assert [difference.where for difference in broken.differences[::2]] == ["line 6: item", "line 10: table"]


def test_long_prose_saves_without_losing_a_fact(data_dir: Path) -> None:
    """Real specifications as semantic: the same facts with fewer tokens than verbatim."""
    for name in ("rfc/draft-ietf-quic-multipath.txt", "openapi-spec/3.0.4.md", "system-design-primer.md"):
        text = (data_dir / "documents" / name).read_text("utf-8")
        ctx = encode(text, Mode.SEMANTIC)
        assert check(text, ctx).level is Level.FACTS
        assert ctx.startswith("§text semantic")
        assert len(ctx) < len(encode(text, Mode.COMPACT))
