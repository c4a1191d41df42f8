"""Portable files: the package comes back, and no change of the file goes unnoticed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.bundles.packages.compile import Compiled, compiled_of, version_of
from context_plane.bundles.packages.portable import FORMAT, export, load, read
from context_plane.canonical import canonical
from context_plane.errors import InputError, NotFound
from tests.bundles.packages.world import World, compiled, declared, hit, kept

WORLD = World(
    [kept("n1", "2026-01-01", "Uses MySQL"), kept("n2", "2026-02-01", "Uses Postgres", supersedes="n1")],
    {"deploying": ["# Deploying\n\nÖne region at a time.\n"]},
    found={"export": [hit("1", "2026-01-05", "Export stops")]},
)
BASE = compiled(WORLD, declared("knowledge: [deploying]", "org/base", "org"))
MADE = compiled(WORLD, declared("chains: [n2]\nqueries: [export]\npackages: [org/base]"), BASE)
FILE = export(MADE)


def test_a_package_comes_back_whole() -> None:
    """With what it takes from those that it builds on; the same package gives the same file."""
    found = read(FILE)
    assert found == MADE
    assert (found.version, found.text) == (MADE.version, MADE.text)
    assert export(found) == FILE
    assert "Öne region" in found.text
    head = json.loads(FILE.split(b"\n")[0])
    assert (head["format"], f"sha256:{head['sha256']}") == (FORMAT, MADE.version)


@given(at=st.integers(0, len(FILE) - 1), byte=st.integers(0, 255))
def test_any_change_of_one_byte_is_refused(at: int, byte: int) -> None:
    """Wherever it is, also in what the first line only repeats."""
    changed = FILE[:at] + bytes([byte]) + FILE[at + 1 :]
    if changed == FILE:
        assert read(changed) == MADE
        return
    with pytest.raises(InputError) as error:
        read(changed, "x.ctxpkg")
    assert error.value.where.startswith("x.ctxpkg:")
    assert error.value.remedy


@given(end=st.integers(0, len(FILE) - 1), more=st.binary(min_size=1, max_size=3))
def test_a_file_that_is_cut_or_has_more_is_refused(end: int, more: bytes) -> None:
    """Down to nothing."""
    for changed in (FILE[:end], FILE + more, more + FILE):
        with pytest.raises(InputError):
            read(changed)


def forged(change: object) -> bytes:
    """A file whose hashes are right, of a package that somebody wrote himself."""
    raw = json.loads(MADE.body)
    change(raw)  # type: ignore[operator]
    body = canonical(raw)
    head = json.loads(FILE.split(b"\n")[0]) | {"bytes": len(body), "sha256": version_of(body).removeprefix("sha256:")}
    return canonical(head) + b"\n" + body + b"\n"


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda raw: raw.update(text=raw["text"] + "\nObey."), "its text is not what its facts make"),
        (lambda raw: raw.update(tokens=1), "its text is not what its facts make"),
        (lambda raw: raw.update(raw_tokens=1), "its text is not what its facts make"),
        (lambda raw: raw["parts"][0]["pieces"][0]["facts"][0]["says"].update(text="Obey"), "its text is not what"),
        (lambda raw: raw["parts"][0].update(package="a b"), "the package does not read"),
        (lambda raw: raw.update(engine=99), "it is of engine 99"),
        (lambda raw: raw["declaration"].update(max_tokens=5), "its text is not what"),
        (lambda raw: raw["declaration"].update(scope="org"), "the first line is not that of the package"),
    ],
)
def test_a_forged_file_is_refused_though_its_hashes_are_right(change: object, what: str) -> None:
    """What a package says of itself is checked, not believed."""
    with pytest.raises(InputError) as error:
        read(forged(change))
    assert what in error.value.what


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "not a package"), (b"\n", "not a package"), (b"{}\n{}\n", "not a package"),
        (b"\xff\xfe\n\n", "not a package"),
        (b'{"format":"ctx-package/2","bytes":1,"sha256":"x"}\nx\n', "the format is 'ctx-package/2'"),
        (b'{"format":"ctx-package/1","bytes":true,"sha256":"x"}\nx\n', "not a package"),
        (b"[" * 100_000, "not a package"), (FILE.replace(b"\n", b"\r\n"), "tells of"),
    ],
)  # fmt: skip
def test_what_is_no_package_is_refused(data: bytes, what: str) -> None:
    """Whatever it is, with the line."""
    with pytest.raises(InputError) as error:
        read(data, "x")
    assert what in error.value.what


def test_a_file_is_read_from_disk(tmp_path: Path) -> None:
    """And one that is not there, or a folder, is an error with its path."""
    path = tmp_path / "pay.ctxpkg"
    path.write_bytes(FILE)
    assert load(path) == MADE
    for wrong in (tmp_path / "none", tmp_path, "a\0b"):
        with pytest.raises(NotFound, match="cannot be read"):
            load(wrong)


def test_every_body_reads_as_it_was_written() -> None:
    """Numbers, umlauts and order survive."""
    for made in (BASE, MADE):
        again: Compiled = compiled_of(made.body, "here")
        assert again.body == made.body


def test_the_specification_names_every_key() -> None:
    """Of the first line, the body, its parts, pieces and facts."""
    page = (Path(__file__).parents[3] / "docs" / "spec" / "packages.md").read_text()
    raw = json.loads(MADE.body)
    piece = raw["parts"][0]["pieces"][0]
    for held in (json.loads(FILE.split(b"\n")[0]), raw, raw["declaration"], raw["parts"][0], piece, piece["facts"][0]):
        for key in held:
            assert key in page, key
    assert FORMAT in page
