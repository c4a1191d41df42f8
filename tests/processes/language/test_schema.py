"""The JSON Schema: what it lets through and what not, against the files that the compiler is held against."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from context_plane.processes.language.reading import read
from context_plane.processes.language.schema import schema
from tests.processes.corpus.cases import BROKEN, VALID, expected

VALIDATOR = jsonschema.Draft202012Validator(schema())
SHAPES = (
    "unknown-key misplaced-key missing-key wrong-type bad-name bad-version bad-duration bad-retries bad-budget "
    "bad-value bad-run bad-match unknown-need not-a-mapping unknown-document removed-gate removed-inherited"
).split()
BEYOND = {
    # What is missing depends on other keys, and what is zero in a unit is still zero.
    "missing-key-action", "missing-key-command", "missing-key-run",
    # One of several documents.
    "unknown-document-second",
}  # fmt: skip
CASES = [
    case for case, each in expected().items()
    if len(each) == 1 and each[0].code in SHAPES and (BROKEN / f"{case}.yaml").exists() and case not in BEYOND
]  # fmt: skip


def test_it_is_a_schema() -> None:
    """By its own meta-schema."""
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", sorted(VALID.rglob("*.y*ml")), ids=lambda path: path.name)
def test_it_takes_what_the_compiler_takes(path: Path) -> None:
    """Every document of the valid corpus."""
    documents = read(path.read_bytes(), path.name).documents
    assert documents
    for document in documents:
        assert [error.message for error in VALIDATOR.iter_errors(document.data)] == []


@pytest.mark.parametrize("case", CASES)
def test_it_refuses_what_has_another_shape(case: str) -> None:
    """Every fault of keys and types in the broken corpus, in at least one document of its file."""
    documents = read((BROKEN / f"{case}.yaml").read_bytes(), case).documents
    assert any(not VALIDATOR.is_valid(document.data) for document in documents)


def test_it_knows_most_faults_of_shape() -> None:
    """So that the test above does not silently shrink."""
    assert len(CASES) >= 55


def test_editors_are_told_what_keys_mean() -> None:
    """Each key of each kind has a description, in plain words."""
    for kind, shape in schema()["$defs"].items():
        for key, each in shape["properties"].items():
            assert each["description"], (kind, key)
            assert "\\" not in each["description"]
