"""The corpus: one fault a file, told at its exact place and nothing else; and nothing told of what is right."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.language.codes import CODES
from tests.processes.corpus.cases import BROKEN, MADE, VALID, compiled, expected, told
from tests.processes.corpus.world import surroundings

EXPECTED = expected()


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_a_fault_is_told_at_its_place_and_nothing_else_is(case: str, tmp_path: Path) -> None:
    """Code, severity, file, line and column; and what to do about it."""
    catalog = compiled(case, tmp_path)
    assert told(catalog) == EXPECTED[case]
    assert all(each.message and each.remedy for each in catalog.diagnostics)


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_what_has_an_error_is_not_to_be_run(case: str, tmp_path: Path) -> None:
    """No process is both broken and in the catalog, and an error in a file leaves no process of it sound."""
    catalog = compiled(case, tmp_path)
    assert not set(catalog.processes) & catalog.broken
    assert set(catalog.processes) | catalog.broken >= set(catalog.sources)
    if any(each.severity == "error" for each in catalog.diagnostics) and "check" in catalog.sources:
        assert "check" not in catalog.processes or case in SOUND_BESIDE


SOUND_BESIDE = {
    "unknown-document-second",  # the fault is in another document
    "missing-key-run", "bad-version-interface",
}  # fmt: skip


def test_the_parser_in_python_tells_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML was built without libyaml, files are read ten times slower, but not otherwise."""
    monkeypatch.delattr(yaml, "CSafeLoader")
    for case in EXPECTED:
        (tmp_path / case).mkdir()
        assert told(compiled(case, tmp_path / case)) == EXPECTED[case], case
    shutil.copytree(VALID, tmp_path / "valid")
    assert not Compiler(tmp_path / "valid", surroundings()).compile().diagnostics


def test_nothing_is_told_of_the_valid_corpus(tmp_path: Path) -> None:
    """All of it at once: the seed's examples, and every key that there is."""
    shutil.copytree(VALID, tmp_path, dirs_exist_ok=True)
    catalog = Compiler(tmp_path, surroundings()).compile()
    assert [str(each) for each in catalog.diagnostics] == []
    assert not catalog.broken
    assert set(catalog.processes) == set(catalog.sources)


def test_every_code_has_a_case_and_every_case_is_in_the_table() -> None:
    """A code that no file shows might never be told."""
    assert {each.code for case in EXPECTED.values() for each in case} == set(CODES)
    assert {path.name.removesuffix(".yaml") for path in BROKEN.iterdir()} | set(MADE) == set(EXPECTED)
    assert len(CODES) >= 45
