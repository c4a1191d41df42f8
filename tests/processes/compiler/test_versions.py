"""Versions: a version that compiled means the same for ever; what there was, and in what two differ."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.errors import Corrupt, NotFound
from context_plane.processes.compiler import history
from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.compiler.history import Record
from context_plane.processes.compiler.versions import difference
from context_plane.processes.language.diagnostic import Place
from context_plane.processes.linked import LinkedGate, LinkedProcess, LinkedStep
from tests.processes.compiler.folders import codes, compiled, put, sound
from tests.processes.corpus.cases import CHECK
from tests.processes.corpus.world import surroundings


def version(number: int, rest: str = "") -> str:
    return CHECK.replace("version: 1", f"version: {number}") + rest


# --- what may change -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "# A comment\n" + version(3).replace("\n", "   # more\n"),
        '{"version": 3, "process": "check", "steps": [{"action": run_tests, id: "verify"}]}\n',
        f"interface: other\nversion: 1\n---\n{version(3)}",
    ],
    ids=["comments", "layout", "place"],
)
def test_how_a_version_is_written_may_change(tmp_path: Path, text: str) -> None:
    """Comments, layout, order of keys and place are not what it declares."""
    sound(tmp_path, version(3))
    digest = sound(tmp_path).processes["check"].digest
    assert sound(tmp_path, text).processes["check"].digest == digest


def test_what_a_version_declares_may_not(tmp_path: Path) -> None:
    """The remedy names the next version, which then is fine; so is the old one as it was."""
    sound(tmp_path, version(3))
    catalog = compiled(tmp_path, version(3, "description: Another\n"))
    (found,) = catalog.diagnostics
    assert found.code == "version-reused"
    assert found.remedy == "set version: 4, or while no run has used version 3, cortex process check --amend"
    assert not catalog.processes
    sound(tmp_path, version(4, "description: Another\n"))
    sound(tmp_path, version(3))
    assert codes(compiled(tmp_path, version(2))) == ["version-went-back"]
    assert codes(compiled(tmp_path, version(3, "description: Again\n"))) == ["version-reused"]
    sound(tmp_path, version(9))


def test_a_version_that_no_run_used_may_be_amended(tmp_path: Path) -> None:
    """What is recorded is replaced; from then on it is that which may not change."""
    sound(tmp_path, version(3))
    put(tmp_path, version(3, "description: Better\n"))
    compiling = Compiler(tmp_path, surroundings())
    assert codes(compiling.compile()) == ["version-reused"]
    assert codes(Compiler(tmp_path, surroundings(), amend=True).compile()) == []
    assert codes(compiling.compile()) == []  # what was recorded changed, though no file did
    assert compiling.history("check")[0].description == "Better"
    assert codes(compiled(tmp_path, version(3))) == ["version-reused"]


def test_a_child_of_a_new_version_is_another_process_of_the_same_version(tmp_path: Path) -> None:
    """Runs pin the digest: what the child declares itself did not change."""
    child = "---\nprocess: child\nversion: 1\nextends: check\n"
    before = sound(tmp_path, version(1) + child).processes["child"]
    after = sound(tmp_path, version(2, "description: More\nknowledge: [engineering.testing]\n") + child).processes[
        "child"
    ]
    assert (before.version, after.version) == (1, 1)
    assert before.digest != after.digest


def test_a_child_of_a_version_that_changed_is_not_run(tmp_path: Path) -> None:
    """It would run what nobody gave a number."""
    child = "---\nprocess: child\nversion: 1\nextends: check\n---\nprocess: heir\nversion: 1\nextends: child\n"
    sound(tmp_path, version(1) + child)
    catalog = compiled(tmp_path, version(1, "description: Other\n") + child)
    assert codes(catalog) == ["version-reused"]
    assert catalog.broken == {"check", "child", "heir"}


def test_a_broken_version_is_not_recorded(tmp_path: Path) -> None:
    """Nor one of a process that something else keeps from being run: it may still change."""
    compiled(tmp_path, version(1, "description: 3\n"))
    compiled(tmp_path, version(1, "extends: nothing\n"))
    compiled(tmp_path, version(1, "trigger: {type: event, match: {type: cortex.*}}\n"))
    assert not list(tmp_path.rglob("*.json"))
    sound(tmp_path, version(1, "description: Done\n"))


# --- records ---------------------------------------------------------------------------------------------------------


def test_the_history_of_a_process(tmp_path: Path) -> None:
    """The oldest first, with digests, places and steps; also of one that is gone."""
    one = sound(tmp_path, version(1)).processes["check"]
    two = sound(tmp_path, "# moved\n" + version(10, "description: Ten\n")).processes["check"]
    put(tmp_path, "")
    compiling = Compiler(tmp_path, surroundings())
    found = compiling.history("check")
    assert [(each.version, each.digest, each.description) for each in found] == [
        (1, one.digest, ""), (10, two.digest, "Ten"),
    ]  # fmt: skip
    assert found[1].place == Place("processes.yaml", 2, 10)
    assert found[1].steps == ("verify",)
    with pytest.raises(NotFound, match="did you mean check"):
        compiling.history("chekc")
    with pytest.raises(NotFound, match="version 2 of check was never compiled"):
        compiling.diff("check", 1, 2)


def test_a_record_holds_all_that_a_reader_needs(tmp_path: Path) -> None:
    """The source as it was written, and the linked process; and nothing of when."""
    sound(tmp_path, "# Why\n" + version(1))
    path = tmp_path / ".compiled" / "check.1.json"
    raw = json.loads(path.read_bytes())
    assert raw["source"] == "# Why\n" + version(1)
    assert raw["linked"]["steps"][0]["id"] == "verify"
    assert raw.keys() == {
        "seal", "declaration", "digest", "format", "place", "process", "source", "version", "linked",
    }  # fmt: skip


@pytest.mark.parametrize("damage", [b"", b"{}", b"x", b'{"seal":"sha256:' + b"0" * 64 + b'",}'])
def test_a_damaged_record_is_told(tmp_path: Path, damage: bytes) -> None:
    """Never passed over: nothing else knows what the version was."""
    sound(tmp_path, version(1))
    record = tmp_path / ".compiled" / "check.1.json"
    record.write_bytes(damage)
    compiling = Compiler(tmp_path, surroundings(fingerprint="other"))
    catalog = compiling.compile()
    assert [(each.code, each.place.file) for each in catalog.diagnostics] == [
        ("history-corrupt", ".compiled/check.1.json")
    ]
    assert not catalog.processes
    with pytest.raises(Corrupt, match=r"check 1 is damaged .*check\.1\.json"):
        compiling.history("check")
    record.unlink()
    assert codes(compiling.compile()) == []


def test_a_record_under_another_name_is_told(tmp_path: Path) -> None:
    """Whole, but not that of the version."""
    sound(tmp_path, version(1))
    folder = tmp_path / ".compiled"
    (folder / "check.2.json").write_bytes((folder / "check.1.json").read_bytes())
    with pytest.raises(Corrupt, match="that of another"):
        Compiler(tmp_path, surroundings()).history("check")


def test_what_is_not_a_record_is_left_alone(tmp_path: Path) -> None:
    """Files of other names, and what another writer is writing; what a killed one left is removed."""
    folder = tmp_path / ".compiled"
    folder.mkdir()
    for name in ("notes.txt", "check.json", "check.01.json", "Check.1.json", ".check.1.json.x.tmp", ".old.tmp"):
        (folder / name).write_text("x")
    os.utime(folder / ".old.tmp", (0, 0))
    sound(tmp_path, version(1))
    assert Compiler(tmp_path, surroundings()).history("check")[0].version == 1
    assert not (folder / ".old.tmp").exists()
    assert (folder / ".check.1.json.x.tmp").exists()


@pytest.mark.parametrize("fails", ["write_bytes", "replace"])
def test_a_full_disk_is_told_and_leaves_nothing_half(
    tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes run all the same; what was recorded before stays."""
    sound(tmp_path, version(1))
    before = {path.name: path.read_bytes() for path in (tmp_path / ".compiled").iterdir()}

    def full(*args: Any) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path if fails == "write_bytes" else history.os, fails, full)
        catalog = compiled(tmp_path, version(2))
    assert [(each.code, each.severity) for each in catalog.diagnostics] == [("not-recorded", "warning")]
    assert catalog.processes["check"].version == 2
    assert {path.name: path.read_bytes() for path in (tmp_path / ".compiled").iterdir()} == before
    sound(tmp_path)
    assert (tmp_path / ".compiled" / "check.2.json").exists()


# --- differences -----------------------------------------------------------------------------------------------------


def test_what_differs_between_two_versions(tmp_path: Path) -> None:
    """Gates, knowledge and steps that came, went, changed and moved, and any other key; as data and in words."""
    sound(
        tmp_path,
        """
        process: check
        version: 1
        description: Old
        inputs: {a: {type: text}}
        knowledge: [engineering.testing, project.ci_pipeline]
        gates: [branch_clean, {gate: within_hours, inputs: {start: 1, end: 2}}]
        steps:
          - {id: one, action: run_tests, inputs: {a: "${inputs.a}"}}
          - {id: two, action: run_tests, timeout: 5s, gates: [tests_pass]}
          - {id: three, action: run_tests}
          - {id: four, action: run_tests}
        """,
    )
    sound(
        tmp_path,
        """
        process: check
        version: 2
        inputs: {a: {type: text}, b: {default: 1}}
        knowledge: [project.ci_pipeline, engineering.design_review]
        gates: [{gate: within_hours, inputs: {start: 1, end: 3}}, execution_context_exists]
        steps:
          - {id: four, action: run_tests}
          - {id: one, action: run_tests, inputs: {a: "${inputs.a}", b: "${inputs.b}"}}
          - {id: new, action: write_code}
          - {id: two, action: run_tests, timeout: 1m, retries: 2}
        """,
    )
    compiling = Compiler(tmp_path, surroundings())
    found = compiling.diff("check", 1, 2)
    assert str(found).splitlines() == [
        "check 1 → 2",
        "- description: Old",
        '+ inputs b: {"default":1,"required":false}',
        "- gate branch_clean",
        '~ gate within_hours: inputs: {"end":2,"start":1} → {"end":3,"start":1}',
        "+ gate execution_context_exists",
        "- topic engineering/testing",
        "+ topic engineering/design_review",
        "- step three",
        '~ step one: inputs: {"a":"${inputs.a}"} → {"a":"${inputs.a}","b":"${inputs.b}"}',
        "+ step new: after one",
        "~ step two: timeout: 5 → 60",
        '+ step two: retries: {"max":2}',
        "- gate of two tests_pass",
        "> step four: after two → first",
    ]
    assert found.to_json()["changes"][0] == {"kind": "removed", "what": "description", "before": "Old"}
    assert str(compiling.diff("check", 2, 2)) == "check 2 → 2: the same"


STEPS = st.builds(LinkedStep, st.sampled_from("abcdef"), st.sampled_from("xy"), st.sampled_from(["", "t"]))
GATES = st.builds(LinkedGate, st.sampled_from("gh"))
PROCESSES = st.builds(
    LinkedProcess, st.just("p"), st.just(1), st.sampled_from(["", "d"]),
    knowledge=st.lists(st.sampled_from("uvw"), unique=True, max_size=3).map(tuple),
    gates=st.lists(GATES, unique_by=lambda gate: gate.name, max_size=2).map(tuple),
    steps=st.lists(STEPS, unique_by=lambda step: step.id, max_size=5).map(tuple),
)  # fmt: skip


def record(process: LinkedProcess, number: int) -> Record:
    return Record("p", number, "", process.digest, "", Place("f"), process)


@given(PROCESSES, PROCESSES)
def test_two_versions_differ_if_and_only_if_something_is_told(one: LinkedProcess, other: LinkedProcess) -> None:
    """And what came one way goes the other."""
    there, back = difference(record(one, 1), record(other, 2)), difference(record(other, 2), record(one, 1))
    assert (one == other) == (not there.changes)

    def told(changes: Any, kind: str) -> set[tuple[str, str]]:
        return {(each.what, each.name) for each in changes if each.kind == kind}

    assert told(there.changes, "added") == told(back.changes, "removed")
    assert told(there.changes, "changed") == told(back.changes, "changed")
    assert all(str(each) for each in there.changes)
