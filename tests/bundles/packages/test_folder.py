"""The folder: one broken file takes nothing else with it, and circles are refused with the way around them."""

from __future__ import annotations

from pathlib import Path

from context_plane.bundles.packages.folder import read_packages


def write(folder: Path, name: str, text: str) -> None:
    (folder / f"{name.replace('/', '-')}.yaml").write_text(f"package: {name}\nscope: team\n{text}\n")


def test_files_that_do_not_read_leave_the_others(tmp_path: Path) -> None:
    """Each with its error, and the name where it says one."""
    write(tmp_path, "good", "knowledge: [a]")
    write(tmp_path, "typo", "knowlegde: [a]")
    (tmp_path / "list.yml").write_text("- a\n")
    (tmp_path / "notes.txt").write_text("no package")
    found = read_packages(tmp_path)
    assert list(found.good) == ["good"]
    assert {each.file.name: each.name for each in found.broken} == {"list.yml": "", "typo.yaml": "typo"}
    assert all(each.error.where.startswith(str(each.file)) for each in found.broken)


def test_no_folder_is_no_packages(tmp_path: Path) -> None:
    """And no error."""
    assert read_packages(tmp_path / "packages").good == {}


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """The first file keeps it."""
    write(tmp_path, "a", "knowledge: [a]")
    (tmp_path / "b.yaml").write_text("package: a\nscope: org\nknowledge: [b]\n")
    found = read_packages(tmp_path)
    assert found.good["a"].scope == "team"
    assert "there twice, first in a.yaml" in found.broken[0].error.what
    assert found.broken[0].error.where == f"{tmp_path / 'b.yaml'}:1: package"


def test_circles_across_files_are_refused_with_their_path(tmp_path: Path) -> None:
    """All that are in the circle; those that only build on it are not, and say so when they are compiled."""
    write(tmp_path, "a", "packages: [base, b]")
    write(tmp_path, "b", "packages: [c]")
    write(tmp_path, "c", "knowledge: [x]\npackages:\n  - base\n  - a")
    write(tmp_path, "base", "knowledge: [x]")
    write(tmp_path, "user", "packages: [a]")
    found = read_packages(tmp_path)
    assert list(found.good) == ["base", "user"]
    told = {each.name: each.error for each in found.broken}
    assert told["a"].what == "packages build on each other in a circle: a → b → c → a"
    assert told["b"].what.endswith("b → c → a → b")
    assert told["c"].where == f"{tmp_path / 'c.yaml'}:6: packages.1"
