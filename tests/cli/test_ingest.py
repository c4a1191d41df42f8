"""`cortex ingest`: what it prints, what it refuses, and what becomes of bad events."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, event, refused

BAD = [
    ("not json", "not JSON"),
    ("[1, 2]", "not a JSON object"),
    (event(9, time="2026-03-01T09:30:00"), "offset"),
    (event(9, time="1700-01-01T00:00:00Z"), "1700"),
    (event(9, time="2200-01-01T00:00:00Z"), "2200"),
    (event(9, id=""), "id is missing"),
    (event(9, subject="acme"), "not an entity"),
    (event(9, type="cortex.step"), "reserved"),
    (event(9, data={"x": "\x00"}), "NUL"),
    (json.dumps(event(9)).replace('"team"', "NaN"), "NaN"),
    ("[" * 9_000 + "]" * 9_000, ""),
]

CALLS = """\
source: phone
format: cloudevents
index: {with: [speaker], neighbours: {before: 1}}
"""


def test_prints_counts_and_the_commit(cortex: Shell) -> None:
    """Accepted, duplicate, rejected, commit."""
    path = cortex.write("a.jsonl", event(1), event(2), event(1))
    done = cortex("ingest", path, "--tenant", "acme")
    assert done.stdout == f"{path}: commit 1, 2 accepted, 1 duplicate, 0 rejected\n"
    assert done.stderr == ""


def test_json_has_the_shape_of_the_contract(cortex: Shell) -> None:
    """Exactly these keys; the same file again adds nothing."""
    path = cortex.write("a.jsonl", event(1), event(2))
    first = cortex.json("ingest", path, "--tenant", "acme")
    assert first == {"commit": 1, "accepted": 2, "duplicates": 0, "rejected": []}
    assert cortex.json("ingest", path, "--tenant", "acme") == {
        "commit": 1,
        "accepted": 0,
        "duplicates": 2,
        "rejected": [],
    }


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_event_refuses_the_file_and_names_its_line(cortex: Shell, line: object, reason: str) -> None:
    """Nothing of the batch is stored, and the line is in the error."""
    path = cortex.write("a.jsonl", event(1), line)
    done = cortex("ingest", path, "--tenant", "acme", "--json")
    said = refused(done)
    assert f"{path}:2" in said
    assert "--skip-bad" in said
    report = json.loads(done.stdout)
    assert (report["commit"], report["accepted"]) == (None, 0)
    assert [each["line"] for each in report["rejected"]] == [2]
    assert reason in report["rejected"][0]["reason"]
    assert "has no events" in refused(cortex("sql", "acme", "SELECT 1"))


def test_the_first_twenty_bad_events_are_shown(cortex: Shell) -> None:
    """A file of nothing but mistakes does not fill the screen."""
    path = cortex.write("a.jsonl", *["{"] * 33)
    done = cortex("ingest", path, "--tenant", "acme")
    refused(done)
    *shown, more = done.stdout.splitlines()
    assert [line.startswith(f"{path}:{n}: ") for n, line in enumerate(shown, 1)] == [True] * 20
    assert more == "and 13 more"


def test_a_conflicting_event_is_refused_with_its_line(acme: Shell) -> None:
    """The same id with other content is not the same event."""
    path = acme.write("b.jsonl", event(1, time="2026-03-05T00:00:00Z"))
    assert f"{path}:1" in refused(acme("ingest", path, "--tenant", "acme"))


def test_skip_bad_keeps_the_good_and_writes_the_rest_to_the_home(cortex: Shell) -> None:
    """The rejects file says where each event stood, why it was left out, and what it was."""
    bad = event(2, time="yesterday")
    path = cortex.write("a.jsonl", event(1), bad, "{oops", event(3))
    done = cortex("ingest", path, "--tenant", "acme", "--skip-bad")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1] == f"{path}: commit 1, 2 accepted, 0 duplicate, 2 rejected"
    file = cortex.home / "rejects" / "a.jsonl.rejects.jsonl"
    assert str(file) in done.stderr
    first, second = map(json.loads, file.read_text().splitlines())
    assert (first["file"], first["line"], first["event"]) == (str(path), 2, bad)
    assert (second["line"], second["event"]) == (3, "{oops")
    assert all(each["reason"] for each in (first, second))


def test_rejects_are_never_written_over_another_file(cortex: Shell) -> None:
    """A second run takes the next name; a name that the user gave must be free."""
    path = cortex.write("a.jsonl", event(1), "{oops")
    for _ in range(2):
        assert cortex("ingest", path, "--tenant", "acme", "--skip-bad").exit_code == 0
    names = sorted(file.name for file in (cortex.home / "rejects").iterdir())
    assert names == ["a.jsonl.rejects.2.jsonl", "a.jsonl.rejects.jsonl"]
    taken = cortex.write("taken.jsonl")
    said = refused(cortex("ingest", path, "--tenant", "acme", "--skip-bad", "--rejects", taken))
    assert "exists" in said
    assert taken.read_text() == ""


def test_one_rejects_file_takes_those_of_all_paths(cortex: Shell, tmp_path: Path) -> None:
    """Named by the user, it says of each event which file it came from; without bad events it is not made."""
    one, two = cortex.write("one.jsonl", "{", event(1)), cortex.write("two.jsonl", event(2), "}")
    into = tmp_path / "rejects.jsonl"
    done = cortex("ingest", one, two, "--tenant", "acme", "--skip-bad", "--rejects", into)
    assert done.exit_code == 0
    found = [json.loads(line) for line in into.read_text().splitlines()]
    assert [(each["file"], each["line"]) for each in found] == [(str(one), 1), (str(two), 2)]
    clean = cortex.write("clean.jsonl", event(7))
    assert cortex("ingest", clean, "--tenant", "acme", "--skip-bad", "--rejects", tmp_path / "none").exit_code == 0
    assert not (tmp_path / "none").exists()


def test_several_files_are_several_batches(cortex: Shell) -> None:
    """Each has its commit; one that is refused does not keep the others out."""
    files = [cortex.write(f"{n}.jsonl", event(n)) for n in (1, 2, 3)]
    files[1].write_text("{oops\n")
    done = cortex("ingest", *files, "--tenant", "acme", "--json")
    assert str(files[1]) in refused(done)
    report = json.loads(done.stdout)
    assert [(each["path"], each["commit"]) for each in report["files"]] == list(
        zip(map(str, files), [1, None, 2], strict=True)
    )
    assert report["totals"] == {"accepted": 2, "duplicates": 0, "rejected": 1}


def test_reads_standard_input_and_compressed_files(cortex: Shell, tmp_path: Path) -> None:
    """A dash is standard input, .gz is unpacked, an array is one batch."""
    text = json.dumps([event(1), event(2)])
    assert cortex.json("ingest", "-", "--tenant", "acme", stdin=text)["accepted"] == 2
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(json.dumps(event(3)).encode()))
    assert cortex.json("ingest", tmp_path / "a.jsonl.gz", "--tenant", "acme")["accepted"] == 1


def test_a_batch_id_makes_the_second_time_a_report_of_the_first(cortex: Shell) -> None:
    """It names one batch, so it goes with one file."""
    path = cortex.write("a.jsonl", event(1), event(2))
    first = cortex.json("ingest", path, "--tenant", "acme", "--batch-id", "monday")
    path.write_text("not read again")
    assert cortex.json("ingest", path, "--tenant", "acme", "--batch-id", "monday") == first
    assert "--batch-id" in refused(cortex("ingest", path, path, "--tenant", "acme", "--batch-id", "x"))


def test_reads_through_a_source_mapping_of_the_home(cortex: Shell) -> None:
    """By its name, or by the path of its file."""
    assert cortex("init").exit_code == 0
    deals = cortex.home / "examples" / "deals.csv"
    assert cortex.json("ingest", deals, "--tenant", "acme", "--source", "deals")["accepted"] == 2
    mapping = cortex.home / "sources" / "deals.yaml"
    assert cortex.json("ingest", deals, "--tenant", "acme", "--source", mapping)["duplicates"] == 2
    assert "deals" in refused(cortex("ingest", deals, "--tenant", "acme", "--source", "dials"))


def test_cloudevents_with_a_declaration_are_found_by_what_it_names(cortex: Shell) -> None:
    """Read as without `--source`, from a file or standard input; found by a field and by the turn before."""
    (cortex.home / "sources").mkdir(parents=True)
    (cortex.home / "sources" / "calls.yaml").write_text(CALLS)
    turns = [("1", "Ann", "Which plan has SSO?"), ("2", "Ben", "The business plan."), ("3", "Ann", "Good.")]
    path = cortex.write(
        "turns.jsonl", *(event(n, source="phone", data={"speaker": who, "text": text}) for n, who, text in turns)
    )
    done = cortex("ingest", path, "--tenant", "acme", "--source", "calls")
    assert done.stdout == f"{path}: commit 1, 3 accepted, 0 duplicate, 0 rejected\n"
    again = cortex.json("ingest", "-", "--tenant", "acme", "--source", "calls", stdin=path.read_text())
    assert again["duplicates"] == cortex.json("ingest", path, "--tenant", "acme")["duplicates"] == 3
    found = {word: cortex.json("search", "acme", word) for word in ("Ben", "SSO")}
    assert [(hit["event_id"], hit["text"]) for hit in found["Ben"]] == [("2", "The business plan.")]
    assert [(hit["event_id"], hit["text"]) for hit in found["SSO"]] == [
        ("1", "Which plan has SSO?"),
        ("2", "The business plan."),
    ]


def test_a_bad_event_read_with_a_declaration_is_named_as_without(cortex: Shell) -> None:
    """The line, and the same remedy."""
    (cortex.home / "sources").mkdir(parents=True)
    (cortex.home / "sources" / "calls.yaml").write_text(CALLS)
    path = cortex.write("a.jsonl", event(1), event(2, subject="acme"))
    plain = cortex("ingest", path, "--tenant", "acme")
    declared = cortex("ingest", path, "--tenant", "acme", "--source", "calls")
    assert f"{path}:2" in refused(declared)
    assert (declared.stdout, declared.stderr) == (plain.stdout, plain.stderr)


def test_a_declaration_with_keys_of_a_mapping_is_refused(cortex: Shell) -> None:
    """Whoever reads through it, searches by it or examines the home is told the file, the key and the remedy."""
    path = cortex.write("a.jsonl", event(1))
    (cortex.home / "sources").mkdir(parents=True)
    file = cortex.home / "sources" / "calls.yaml"
    file.write_text(f"{CALLS}timezone: UTC\n")
    said = refused(cortex("ingest", path, "--tenant", "acme", "--source", "calls"))
    assert f"{file}:4: timezone, leave timezone out" in said
    assert cortex("ingest", path, "--tenant", "acme").exit_code == 0
    assert f"{file}:4: timezone" in refused(cortex("search", "acme", "SSO"))
    (check,) = [each for each in json.loads(cortex("doctor", "--json").stdout)["checks"] if "calls" in each["name"]]
    assert (check["state"], check["remedy"].partition(",")[0]) == ("missing", "leave timezone out")
    file.write_text(CALLS)
    (check,) = [each for each in json.loads(cortex("doctor", "--json").stdout)["checks"] if "calls" in each["name"]]
    assert (check["state"], check["detail"]) == ("ok", "what is indexed of phone")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["missing.jsonl", "--tenant", "acme"], "missing.jsonl"),
        ([".", "--tenant", "acme"], "folder"),
        (["a.jsonl", "--tenant", "ACME Corp"], "--tenant"),
        (["a.jsonl", "--tenant", "../evil"], "'../evil'"),
        (["a.jsonl", "--tenant", "acme", "--rejects", "r"], "--skip-bad"),
    ],
)
def test_what_cannot_go_well_is_refused_before_anything_is_stored(
    cortex: Shell, monkeypatch: pytest.MonkeyPatch, args: list[str], words: str
) -> None:
    """The error names the path or the option, and no home is made."""
    monkeypatch.chdir(cortex.write("a.jsonl", event(1)).parent)
    assert words in refused(cortex("ingest", *args))
    assert not cortex.home.exists()


def test_a_truncated_file_is_an_error_that_names_it(cortex: Shell, tmp_path: Path) -> None:
    """Half a gzip is not taken for the whole."""
    path = tmp_path / "cut.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(json.dumps(event(n)).encode() + b"\n" for n in range(999)))[:-20])
    assert str(path) in refused(cortex("ingest", path, "--tenant", "acme"))


def test_a_store_that_cannot_be_written_is_a_no(cortex: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file where the store's folder should be: exit code 1, and the place in the line."""
    path = cortex.write("a.jsonl", event(1))
    cortex.home.mkdir()
    (cortex.home / "store").write_text("in the way")
    assert str(cortex.home / "store") in refused(cortex("ingest", path, "--tenant", "acme"), 1)


def test_nothing_but_the_result_is_printed_off_a_terminal(cortex: Shell) -> None:
    """No progress bar in a log file."""
    path = cortex.write("a.jsonl", *(event(n) for n in range(3_000)))
    done = cortex("ingest", path, "--tenant", "acme")
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_a_terminal_shows_progress(cortex: Shell) -> None:
    """On stderr, so that the result can be piped."""
    path = cortex.write("a.jsonl", *(event(n) for n in range(3_000)))
    shown, printed = cortex.on_terminal("ingest", path, "--tenant", "acme", "--json", which="stderr")
    assert "events" in shown
    assert json.loads(printed)["accepted"] == 3_000
