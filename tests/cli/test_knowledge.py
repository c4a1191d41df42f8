"""`cortex knowledge`: sync, list, show, search, as a person and as a script reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, refused

GUIDE = "# Guide\n\nHow we work.\n\n## Retries\n\nA failed job runs\tagain. \x1b[31m\r\n"


@pytest.fixture
def folder(cortex: Shell) -> Path:
    """The home's folder of knowledge, with one topic."""
    path = cortex.home / "knowledge"
    (path / "ci").mkdir(parents=True)
    (path / "ci" / "guide.md").write_bytes(GUIDE.encode())
    return path


def test_sync_says_what_changed(cortex: Shell, folder: Path) -> None:
    """Names and counts; the second time nothing."""
    done = cortex("knowledge", "sync", "acme")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == (
        "new: ci/guide\nacme: commit 1: 1 new, 0 changed, 0 unchanged, 0 removed, 0 refused; 1 chunk written\n"
    )
    assert "nothing changed: 0 new, 0 changed, 1 unchanged" in cortex("knowledge", "sync", "acme").stdout
    (folder / "ci" / "guide.md").unlink()
    assert "ci/guide" not in cortex("knowledge", "sync", "acme", "--keep-removed").stdout
    assert "removed: ci/guide" in cortex("knowledge", "sync", "acme").stdout


def test_sync_in_json(cortex: Shell, folder: Path) -> None:
    """Every name is there."""
    assert cortex.json("knowledge", "sync", "acme") == {
        "commit": 1, "new": ["ci/guide"], "changed": [], "unchanged": [], "removed": [], "refused": [], "left_out": [],
        "chunks": 1,
    }  # fmt: skip


def test_a_bad_file_is_named_and_the_others_are_learned(cortex: Shell, folder: Path) -> None:
    """Exit code 2, place and remedy on stderr, what is good is stored; other kinds of files are a warning."""
    (folder / "bad.md").write_bytes(b"x\n\xff")
    (folder / "sheet.csv").write_text("a,b\n")
    done = cortex("knowledge", "sync", "acme", "--json")
    assert done.exit_code == 2
    *_, warning, error = done.stderr.splitlines()
    assert warning.startswith("warning: left out")
    assert "sheet.csv" in warning
    assert error == f"error: line 2 is not UTF-8, bad.md in {folder}, save the file as UTF-8"
    shown = json.loads(done.stdout)
    assert (shown["new"], shown["left_out"]) == (["ci/guide"], ["sheet.csv"])
    assert shown["refused"] == [{"path": "bad.md", "reason": "line 2 is not UTF-8: save the file as UTF-8"}]


def test_a_folder_that_is_not_there(cortex: Shell) -> None:
    """Nothing is made."""
    assert "there is no folder of knowledge" in refused(cortex("knowledge", "sync", "acme"))
    assert "no such file" in refused(cortex("knowledge", "sync", "acme", "nowhere"))
    assert not cortex.home.exists()


def test_another_folder_and_a_single_file(cortex: Shell, folder: Path, tmp_path: Path) -> None:
    """Named on the command line."""
    (tmp_path / "notes.txt").write_text("A note.\n")
    cortex("knowledge", "sync", "acme")
    assert "new: notes\n" in cortex("knowledge", "sync", "acme", tmp_path / "notes.txt").stdout
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "x.md").write_text("X\n")
    done = cortex("knowledge", "sync", "acme", tmp_path / "docs")
    assert "removed: ci/guide, notes\n" in done.stdout


def test_list_is_a_table(cortex: Shell, folder: Path) -> None:
    """Of the view asked for."""
    cortex("knowledge", "sync", "acme")
    (folder / "a.md").write_text("A\n")
    cortex("knowledge", "sync", "acme")
    header, first, second = cortex("knowledge", "list", "acme").stdout.splitlines()
    assert header.split() == ["topic", "version", "tokens", "chunks", "since", "title"]
    assert first.split()[::5] == ["a", "a"]
    assert second.startswith("ci/guide")
    assert [each["name"] for each in cortex.json("knowledge", "list", "acme", "--known-at", "1")] == ["ci/guide"]
    (info, _) = cortex.json("knowledge", "list", "acme")
    assert set(info) == set("name entity version revision title time file chunks tokens bytes".split())


def test_list_without_topics_says_what_to_do(cortex: Shell, acme: Shell) -> None:
    """A tenant of events alone."""
    assert "cortex knowledge sync" in acme("knowledge", "list", "acme").stdout
    assert acme.json("knowledge", "list", "acme") == []


def test_show_is_the_file_to_the_byte(cortex: Shell, folder: Path) -> None:
    """On stdout; which version it is goes to stderr."""
    cortex("knowledge", "sync", "acme")
    done = cortex("knowledge", "show", "acme", "ci.guide")
    assert done.stdout_bytes == GUIDE.encode()
    assert done.stderr.startswith("ci/guide  sha256:")
    found = cortex.json("knowledge", "show", "acme", "ci/guide")
    assert "".join(chunk["text"] for chunk in found["chunks"]) == GUIDE
    assert set(found["chunks"][0]) == {"n", "heading", "text", "tokens", "event_id"}


def test_show_on_a_terminal_drives_nothing(cortex: Shell, folder: Path) -> None:
    """Control characters are written out, tabs are spaces."""
    cortex("knowledge", "sync", "acme")
    seen, _ = cortex.on_terminal("knowledge", "show", "acme", "ci/guide", which="stdout")
    assert "\x1b[31m" not in seen
    assert "\\x1b[31m" in seen
    assert "A failed job runs   again." in seen


def test_show_lists_chunks(cortex: Shell, folder: Path) -> None:
    """With their headings and how they begin."""
    body = "".join(f"## Part {number}\n\n{'word ' * 100}\n\n" for number in range(2))
    (folder / "long.md").write_text(f"# Long\n\n{body}")
    cortex("knowledge", "sync", "acme")
    _, first, second = cortex("knowledge", "show", "acme", "long", "--chunks").stdout.splitlines()
    assert "Long > Part 0" in first
    assert "Long > Part 1" in second


def test_show_of_versions_gone_by(cortex: Shell, folder: Path) -> None:
    """By the beginning of the version, and by log number."""
    cortex("knowledge", "sync", "acme")
    version = cortex.json("knowledge", "list", "acme")[0]["version"]
    (folder / "ci" / "guide.md").write_text("new\n")
    cortex("knowledge", "sync", "acme")
    show = ("knowledge", "show", "acme", "ci/guide")
    assert cortex(*show).stdout == "new\n"
    assert cortex(*show, "--version", version[:15]).stdout_bytes == GUIDE.encode()
    assert cortex(*show, "--known-at", "1").stdout_bytes == GUIDE.encode()
    assert "never had a version" in refused(cortex(*show, "--version", "00000000"))


def test_show_of_nothing_names_what_looks_like_it(cortex: Shell, folder: Path) -> None:
    """Exit code 2, as for whatever does not exist."""
    cortex("knowledge", "sync", "acme")
    assert "did you mean ci/guide?" in refused(cortex("knowledge", "show", "acme", "ci/gudie"))


def test_search_prints_chunks(cortex: Shell, folder: Path) -> None:
    """Topic, headings, score, text; all of it in JSON."""
    (folder / "other.md").write_text("# Other\n\nJobs are jobs.\n")
    cortex("knowledge", "sync", "acme")
    done = cortex("knowledge", "search", "acme", "which job runs again", "-k", "1")
    first, second, third = done.stdout.splitlines()
    assert first.startswith("1. ci/guide  Guide")
    assert "bm25" in second
    assert "ci/guide#1/0" in second
    assert "How we work." in third
    (hit,) = cortex.json("knowledge", "search", "acme", "jobs", "--topic", "other")
    names = "topic entity version title n heading text tokens event_id score scores source time"
    assert set(hit) == set(names.split())
    assert cortex("knowledge", "search", "acme", "zebra").stdout == "nothing found\n"
    assert "no topic 'absent'" in refused(cortex("knowledge", "search", "acme", "jobs", "--topic", "absent"))


def test_reading_a_topic_imports_no_heavy_library(cortex: Shell, folder: Path) -> None:
    """Neither Arrow nor DuckDB nor a tokenizer."""
    cortex("knowledge", "sync", "acme")
    code = (
        "import sys\nfrom context_plane.cli.main import main\n"
        "try:\n    main(['knowledge', 'show', 'acme', 'ci/guide', '--json'])\n"
        "except SystemExit as end:\n    print(end.code, *sorted({'duckdb', 'pyarrow', 'numpy', 'pydantic', 'yaml',"
        " 'lancedb', 'bpe_openai'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **cortex.env}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "0"
