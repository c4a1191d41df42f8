"""Checking certain files: what they are among the others, and no fault passed over in silence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from tests.processes.compiler.folders import codes, put
from tests.processes.corpus.cases import CHECK
from tests.processes.corpus.world import surroundings

CHILD = "process: child\nversion: 1\nextends: check\nsteps: [{id: last, action: run_tests}]\n"
OTHER = CHECK.replace("check", "other")
OPEN = "process: check\nversion: 1\nsteps: [{id: verify, action: run_tests\n"
"""A document that cannot be read to its end."""


def test_files_are_checked_among_the_others(tmp_path: Path) -> None:
    """They may extend what the folder has, and replace it; of the folder only what concerns them is told."""
    home = tmp_path / "home"
    put(home, CHECK + "---\n" + OTHER.replace("run_tests", "nothing") + "---\ninterface: face\nversion: 1\n")
    draft = put(tmp_path, CHILD, "draft.yaml")
    catalog = Compiler(home, surroundings()).check([draft])
    assert set(catalog.processes) == {"child"}
    assert not catalog.interfaces
    assert catalog.diagnostics == ()
    draft.write_text(CHILD.replace("check", "other"))
    catalog = Compiler(home, surroundings()).check([draft])
    assert [(each.code, each.place.file) for each in catalog.diagnostics] == [("unknown-action", "processes.yaml")]
    assert catalog.broken == {"child"}
    draft.write_text(OTHER + "timeout: 5\n")
    catalog = Compiler(home, surroundings()).check([draft])
    assert [(each.code, each.place.file) for each in catalog.diagnostics] == [("misplaced-key", str(draft))]
    assert not (home / ".compiled").exists()


def test_a_file_of_the_folder_is_checked_once(tmp_path: Path) -> None:
    """Whatever path it is given by, it is not there twice; a folder stands for what is in it."""
    path = put(tmp_path, CHECK)
    put(tmp_path, CHILD, "child.yaml")
    (tmp_path / "link").symlink_to(tmp_path)
    compiling = Compiler(tmp_path, surroundings())
    for given, names in (
        (path, {"check"}), (tmp_path / "link" / "processes.yaml", {"check"}), (tmp_path, {"check", "child"}),
    ):  # fmt: skip
        catalog = compiling.check([given])
        assert catalog.diagnostics == ()
        assert set(catalog.processes) == names
    assert codes(compiling.check([tmp_path / "none.yaml"])) == ["file-unreadable"]


def test_checking_does_not_disturb_compiling(tmp_path: Path) -> None:
    """The catalog of the folder is what it was."""
    put(tmp_path, CHECK)
    draft = put(tmp_path / "drafts", CHECK.replace("run_tests", "nothing"), "draft.txt")
    compiling = Compiler(tmp_path, surroundings())
    first = compiling.compile()
    assert codes(compiling.check([draft])) == ["unknown-action"]
    assert compiling.compile() is first


def checked(home: Path, *paths: Path) -> Catalog:
    return Compiler(home, surroundings(), record=False).check(paths)


def test_a_draft_takes_the_place_of_what_cannot_be_read(tmp_path: Path) -> None:
    """It is looked at, not taken for what is broken in the folder."""
    put(tmp_path / "home", OPEN)
    catalog = checked(tmp_path / "home", put(tmp_path, CHECK, "draft.yaml"))
    assert (set(catalog.processes), catalog.broken, catalog.diagnostics) == ({"check"}, frozenset(), ())
    catalog = checked(tmp_path / "none", put(tmp_path, OPEN, "draft.yaml"))
    assert (codes(catalog), catalog.broken) == (["yaml-syntax"], {"check"})


def test_a_file_of_the_folder_is_told_what_the_folder_is_told(tmp_path: Path) -> None:
    """It takes the place of no other there: what two files declare is declared twice."""
    first, second = put(tmp_path, CHECK, "a.yaml"), put(tmp_path, CHECK, "b.yaml")
    (whole,) = Compiler(tmp_path, surroundings(), record=False).compile().diagnostics
    for given, place in ((second, str(second)), (first, "b.yaml")):
        catalog = checked(tmp_path, given)
        assert [(each.code, each.place.file) for each in catalog.diagnostics] == [(whole.code, place)]
        assert catalog.broken == {"check"}
    draft = put(tmp_path / "drafts", CHECK, "draft.txt")
    assert codes(checked(tmp_path, draft)) == []
    assert codes(checked(tmp_path, first, second, draft)) == ["duplicate-process", "duplicate-process"]


def test_a_file_is_there_once_by_whatever_names(tmp_path: Path) -> None:
    """Also one that is not of the folder."""
    draft = put(tmp_path, CHECK, "draft.yaml")
    (tmp_path / "link.yaml").symlink_to(draft)
    catalog = checked(tmp_path / "home", draft, tmp_path / "link.yaml", Path(os.path.relpath(draft)))
    assert catalog.diagnostics == ()
    assert {place.file for place in catalog.sources.values()} == {str(draft)}


WHY = {
    "a parent that cannot be read": ({"a.yaml": OPEN}, "yaml-syntax", "a.yaml"),
    "an action that cannot be read": ({"a.yaml": CHECK, "b.yaml": "action: act\nrun: [ls\n"}, "yaml-syntax", "b.yaml"),
    "an interface that cannot be read": (
        {"a.yaml": CHECK, "b.yaml": "interface: face\nversion: 1\ninputs: {\n"}, "yaml-syntax", "b.yaml",
    ),
    "a parent that is there twice": ({"a.yaml": CHECK, "b.yaml": CHECK}, "duplicate-process", "b.yaml"),
    "parents in a circle": (
        {"a.yaml": CHECK + "extends: other\n", "b.yaml": OTHER + "extends: check\n"}, "circular-inheritance", "a.yaml",
    ),
    "a parent's parent that is sealed": (
        {"a.yaml": CHECK + "extends: other\n", "b.yaml": OTHER.replace("version: 1", "version: 1\nsealed: true")},
        "sealed-process", "a.yaml",
    ),
    "a loop with another": (
        {
            "a.yaml": CHECK,
            "b.yaml": "process: again\nversion: 1\ntrigger: {type: event, match: {type: told}}\nsteps:\n"
            "  - {id: a, action: ingest, inputs: {events: [{type: asked}]}}\n",
        },
        "trigger-loop", "b.yaml",
    ),
}  # fmt: skip
USES = """
process: draft
version: 1
extends: check
implements: face
trigger: {type: event, match: {type: asked}}
steps:
  - {id: a, action: act}
  - {id: b, action: ingest, inputs: {events: [{type: told}]}}
"""


@pytest.mark.parametrize("why", WHY)
def test_what_keeps_a_draft_from_being_run_is_told(tmp_path: Path, why: str) -> None:
    """Wherever it stands; and what else is wrong in the folder is not."""
    files, code, file = WHY[why]
    home = tmp_path / "home"
    for name, text in files.items():
        put(home, text, name)
    put(home, "process: elsewhere\nversion: 1\nextends: nothing\n---\nprocess: odd\nodd: 1\n", "y.yaml")
    put(home, "process: unread\nversion: 1\nsteps: [\n", "x.yaml")
    if "act" not in why:
        put(home, "action: act\nrun: [ls]\n", "act.yaml")
    if "face" not in why:
        put(home, "interface: face\nversion: 1\n", "face.yaml")
    catalog = checked(home, put(tmp_path, USES, "draft.yaml"))
    assert [(each.code, each.place.file) for each in catalog.diagnostics] == [(code, file)]
    assert catalog.broken == {"draft"}


def test_a_record_that_is_damaged_is_told_to_a_draft(tmp_path: Path) -> None:
    """It stands beside the folder's files, and says what the version was."""
    put(tmp_path / "home", CHECK)
    Compiler(tmp_path / "home", surroundings()).compile()
    record = tmp_path / "home" / ".compiled" / "check.1.json"
    record.write_text("{}")
    for text, name in ((CHECK, "check"), (CHILD, "child")):
        catalog = checked(tmp_path / "home", put(tmp_path, text, "draft.yaml"))
        assert [str(each.place) for each in catalog.diagnostics] == [".compiled/check.1.json:1:1"]
        assert catalog.broken == {name}


def test_a_file_of_too_much_hides_no_parent(tmp_path: Path) -> None:
    """What comes after a hundred findings is not looked at, and a child of it cannot be run. A draft of that comes
    first, and nothing is told of what does not concern it."""
    odd = CHECK.replace("check", "odd_{}").replace("run_tests", "nothing") + "---\n"
    put(tmp_path / "home", "".join(odd.format(number) for number in range(150)) + CHECK, "a.yaml")
    catalog = checked(tmp_path / "home", put(tmp_path / "home", CHILD, "z.yaml"))
    assert [(each.code, each.place.file) for each in catalog.diagnostics] == [("too-many-findings", "a.yaml")]
    assert catalog.broken == {"child"}
    (tmp_path / "home" / "z.yaml").unlink()
    assert checked(tmp_path / "home", put(tmp_path, CHILD, "draft.yaml")).diagnostics == ()
