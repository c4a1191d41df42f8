"""Compiling again: what changed is noticed, what did not is not done again, and all ways give the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from context_plane.processes.compiler import assembling, cache, files
from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from tests.processes.compiler.folders import codes, put, sound
from tests.processes.corpus.cases import BROKEN, CHECK, VALID
from tests.processes.corpus.world import surroundings

CHILD = "process: child\nversion: 1\nextends: check\nsteps: [{id: last, action: run_tests}]\n"
OTHER = CHECK.replace("check", "other")


class Counts:
    """How often a stage was called."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parsed: list[str] = []
        self.linked: list[str] = []
        parse, link = files.parse, assembling.link

        def parsing(raw: bytes, file: str) -> object:
            self.parsed.append(file)
            return parse(raw, file)

        def linking(resolved: object, *rest: object) -> object:
            self.linked.append(resolved.source.name)  # type: ignore[attr-defined]
            return link(resolved, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(files, "parse", parsing)
        monkeypatch.setattr(assembling, "link", linking)

    def take(self) -> tuple[list[str], list[str]]:
        """What was parsed and linked since it was last asked."""
        taken = sorted(self.parsed), sorted(self.linked)
        self.parsed.clear()
        self.linked.clear()
        return taken


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(monkeypatch)


def same(one: Catalog, other: Catalog) -> bool:
    """Whether two catalogs say the same."""
    return one.digest == other.digest and one.diagnostics == other.diagnostics and one.sources == other.sources


# --- what is compiled again ------------------------------------------------------------------------------------------


def test_only_what_depends_on_a_change_is_compiled_again(tmp_path: Path, counts: Counts) -> None:
    """The file that changed, its process, and that one's children."""
    put(tmp_path, CHECK, "check.yaml")
    put(tmp_path, CHILD, "child.yaml")
    put(tmp_path, OTHER, "other.yaml")
    compiling = Compiler(tmp_path, surroundings())
    first = compiling.compile()
    assert counts.take() == (["check.yaml", "child.yaml", "other.yaml"], ["check", "child", "other"])
    assert compiling.compile() is first
    assert counts.take() == ([], [])
    put(tmp_path, CHILD.replace("version: 1", "version: 2"), "child.yaml")
    assert compiling.compile().processes["child"].version == 2
    assert counts.take() == (["child.yaml"], ["child"])
    put(tmp_path, CHECK.replace("version: 1", "version: 2"), "check.yaml")
    assert compiling.compile().processes["child"].lineage == (("check", 2),)
    assert counts.take() == (["check.yaml"], ["check", "child"])
    (tmp_path / "other.yaml").rename(tmp_path / "moved.yaml")
    assert compiling.compile().sources["other"].file == "moved.yaml"
    (tmp_path / "moved.yaml").unlink()
    counts.take()
    assert set(compiling.compile().processes) == {"check", "child"}
    assert counts.take() == ([], [])


def test_what_uses_a_declared_thing_is_compiled_again_with_it(tmp_path: Path, counts: Counts) -> None:
    """An action, a gate or an interface that changes, comes or goes."""
    put(tmp_path, "action: act\nrun: [ls]\n", "act.yaml")
    put(tmp_path, "interface: face\nversion: 1\n", "face.yaml")
    put(tmp_path, CHECK.replace("run_tests", "act") + "implements: face\n", "check.yaml")
    put(tmp_path, OTHER, "other.yaml")
    compiling = Compiler(tmp_path, surroundings())
    compiling.compile()
    counts.take()
    put(tmp_path, "action: act\nrun: [ls, -l]\n", "act.yaml")
    found = compiling.compile().processes["check"].steps[0].run
    assert found is not None
    assert found.arguments == ("ls", "-l")
    assert counts.take() == (["act.yaml"], ["check"])
    put(tmp_path, "interface: face\nversion: 2\nrequired_steps: [{id: other}]\n", "face.yaml")
    assert codes(compiling.compile()) == ["interface-missing-step"]
    assert counts.take() == (["face.yaml"], ["check"])
    (tmp_path / "act.yaml").unlink()
    assert sorted(codes(compiling.compile())) == ["interface-missing-step", "unknown-action"]


def test_other_surroundings_are_noticed(tmp_path: Path) -> None:
    """What they hold is compiled in; their fingerprint tells when they change."""
    put(tmp_path, CHECK.replace("run_tests", "ask"))
    compiling = Compiler(tmp_path, surroundings())
    assert codes(compiling.compile()) == []
    assert codes(compiling.compile(surroundings(models=False))) == ["no-model"]
    assert codes(compiling.compile()) == ["no-model"]
    assert codes(compiling.compile(surroundings())) == []


def test_an_edit_of_the_same_length_in_the_same_moment_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size and times may say nothing: a file that was written a moment ago is looked into."""
    path = put(tmp_path, CHECK + "description: aaaa\n")
    stamp = files.stamp_of(str(path))
    monkeypatch.setattr(files, "stamp_of", lambda _: stamp)
    compiling = Compiler(tmp_path, surroundings(), record=False)
    compiling.compile()
    path.write_text(CHECK + "description: bbbb\n")
    assert compiling.compile().processes["check"].description == "bbbb"


def test_a_copy_with_the_same_time_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also long after: copying sets back when a file was written, and an archive gives many the same time."""
    monkeypatch.setattr(files, "_TICK", -1)
    path = put(tmp_path, CHECK + "description: aaaa\n")
    other = put(tmp_path / "other", CHECK + "description: bbbb\n", "other.txt")
    for each in (path, other):
        os.utime(each, (0, 0))
    compiling = Compiler(tmp_path, surroundings(), record=False)
    compiling.compile()
    shutil.copy2(other, path)
    assert os.stat(path).st_mtime == 0
    assert compiling.compile().processes["check"].description == "bbbb"


def test_a_compilation_after_others_is_as_one_from_nothing(tmp_path: Path) -> None:
    """Whatever was in the folder before, also what was wrong."""
    compiling = Compiler(tmp_path, surroundings(), record=False)
    for case in (
        "unknown-parent",
        "unknown-action-parent",
        "duplicate-process",
        "trigger-loop-two",
        "unknown-key-parent",
    ):
        shutil.copytree(BROKEN / case, tmp_path, dirs_exist_ok=True)
        assert same(compiling.compile(), Compiler(tmp_path, surroundings(), record=False).compile()), case
    shutil.copytree(VALID, tmp_path, dirs_exist_ok=True)
    assert same(compiling.compile(), Compiler(tmp_path, surroundings(), record=False).compile())
    for path in sorted(tmp_path.glob("*.yaml")):
        path.unlink()
        assert same(compiling.compile(), Compiler(tmp_path, surroundings(), record=False).compile()), path.name


def test_a_suggestion_does_not_outlive_what_it_suggests(tmp_path: Path) -> None:
    """What is told names what there is now."""
    put(tmp_path, CHECK.replace("run_tests", "count_word"), "check.yaml")
    put(tmp_path, "action: count_words\nrun: [wc]\n", "act.yaml")
    compiling = Compiler(tmp_path, surroundings())
    (found,) = compiling.compile().diagnostics
    assert found.remedy == "did you mean count_words?"
    (tmp_path / "act.yaml").unlink()
    (found,) = compiling.compile().diagnostics
    assert "count_words" not in found.remedy


def test_a_catalog_does_not_depend_on_where_its_documents_are(tmp_path: Path) -> None:
    """Its digest is that of what they declare: a line above them changes nothing."""
    text = "interface: face\nversion: 1\n---\naction: act\nrun: [ls]\n---\ngate: open\nrun: [ls]\n---\n" + CHECK
    put(tmp_path / "one", text)
    put(tmp_path / "two", "# Why\n" + text, "moved.yaml")
    one, two = (Compiler(tmp_path / name, surroundings()).compile() for name in ("one", "two"))
    assert one.digest == two.digest
    assert one.interfaces["face"].place != two.interfaces["face"].place
    put(tmp_path / "two", text.replace("[ls]", "[ls, -l]", 1), "moved.yaml")
    assert Compiler(tmp_path / "two", surroundings()).compile().digest != one.digest


def test_threads_may_compile_at_the_same_time(tmp_path: Path) -> None:
    """Each gets a whole catalog."""
    shutil.copytree(VALID, tmp_path, dirs_exist_ok=True)
    compiling = Compiler(tmp_path, surroundings())
    found: list[Catalog] = []
    threads = [threading.Thread(target=lambda: found.append(compiling.compile())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1


# --- the next process ------------------------------------------------------------------------------------------------


def test_the_next_process_compiles_nothing(tmp_path: Path, counts: Counts) -> None:
    """If neither files nor surroundings changed; and it has the same catalog."""
    shutil.copytree(VALID, tmp_path, dirs_exist_ok=True)
    first = Compiler(tmp_path, surroundings()).compile()
    counts.take()
    second = Compiler(tmp_path, surroundings()).compile()
    assert counts.take() == ([], [])
    assert same(first, second)
    assert dict(second.processes) == dict(first.processes)
    assert (second.interfaces, second.gates) == (first.interfaces, first.gates)
    assert second.actions == first.actions
    assert Compiler(tmp_path, surroundings(fingerprint="other")).compile().processes.keys() == first.processes.keys()
    assert counts.take()[1]


def test_a_copied_folder_is_the_same_folder(tmp_path: Path, counts: Counts) -> None:
    """Times and inodes of a checkout or an image are new; what is in the files is not."""
    put(tmp_path / "one", CHECK)
    Compiler(tmp_path / "one", surroundings()).compile()
    shutil.copytree(tmp_path / "one", tmp_path / "two", copy_function=shutil.copyfile)
    counts.take()
    assert set(Compiler(tmp_path / "two", surroundings()).compile().processes) == {"check"}
    assert counts.take() == ([], [])


def test_another_release_compiles_for_itself(tmp_path: Path, counts: Counts, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may tell other things of the same files."""
    put(tmp_path, CHECK)
    Compiler(tmp_path, surroundings()).compile()
    monkeypatch.setattr(cache, "_release", lambda: "another")
    counts.take()
    Compiler(tmp_path, surroundings()).compile()
    assert counts.take()[1] == ["check"]
    Compiler(tmp_path, surroundings()).compile()
    assert counts.take()[1] == []


@pytest.mark.parametrize("damage", ["cut", "empty", "changed", "other", "not text"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing depends on it."""
    put(tmp_path, CHECK)
    first = Compiler(tmp_path, surroundings()).compile()
    path = tmp_path / ".compiled" / cache.NAME
    body = path.read_bytes()
    if damage == "other":
        monkeypatch.setattr(cache, "COMPILER", "another compiler")
    damaged = {
        "cut": body[:-20],
        "empty": b"",
        "changed": body.replace(b"run_tests", b"run_texts"),
        "not text": b"\xff\n\xfe",
    }
    path.write_bytes(damaged.get(damage, body))
    again = Compiler(tmp_path, surroundings()).compile()
    assert same(first, again)
    assert damage == "other" or path.read_bytes() == body


def test_a_folder_that_is_not_ours_to_write_is_compiled_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a cache and without a word: such are images and mounted configuration."""
    put(tmp_path, CHECK)

    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("context_plane.processes.compiler.emit.write", refuse)
    monkeypatch.setattr("context_plane.processes.compiler.cache.write", refuse)
    assert set(sound(tmp_path).processes) == {"check"}
    assert not (tmp_path / ".compiled").exists()


def test_there_need_be_no_folder(tmp_path: Path) -> None:
    """A home without processes has none; nothing is made there."""
    catalog = Compiler(tmp_path / "none", surroundings()).compile()
    assert not catalog.processes
    assert not catalog.diagnostics
    assert not (tmp_path / "none").exists()


def test_compiling_in_another_process_gives_the_same_bytes(tmp_path: Path) -> None:
    """Records and digests depend on the sources alone, not on the order of a hash or a folder."""
    shutil.copytree(VALID, tmp_path / "one")
    shutil.copytree(VALID, tmp_path / "two")
    script = (
        "import sys; from context_plane.processes.compiler.compiler import Compiler;"
        "from tests.processes.corpus.world import surroundings;"
        "print(Compiler(sys.argv[1], surroundings()).compile().digest)"
    )
    digests = set()
    for seed, name in (("1", "one"), ("2", "two")):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / name)], env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3],
        )  # fmt: skip
        digests.add(done.stdout)
    assert len(digests) == 1
    records = {path.name: path.read_bytes() for path in (tmp_path / "one" / ".compiled").glob("*.json")}
    assert len(records) > 10
    assert records == {path.name: path.read_bytes() for path in (tmp_path / "two" / ".compiled").glob("*.json")}


# --- files -----------------------------------------------------------------------------------------------------------


def test_which_files_are_sources(tmp_path: Path) -> None:
    """Below the folder, by suffix, without what begins with a dot; mounted configuration is links."""
    put(tmp_path, CHECK, "a.yaml")
    put(tmp_path, OTHER, "deep/er/b.YML")
    put(tmp_path, CHECK, ".hidden.yaml")
    put(tmp_path, CHECK, ".git/c.yaml")
    put(tmp_path, "not: ours\n", "d.json")
    put(tmp_path, CHECK.replace("check", "linked"), "..data/e.txt")
    (tmp_path / "e.yaml").symlink_to(tmp_path / "..data" / "e.txt")
    (tmp_path / "f.yaml").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path)
    catalog = sound(tmp_path)
    assert {name: place.file for name, place in catalog.sources.items()} == {
        "check": "a.yaml", "linked": "e.yaml", "other": "deep/er/b.YML",
    }  # fmt: skip


def test_what_cannot_be_read_is_told_until_it_can(tmp_path: Path) -> None:
    """A pipe does not hang it; a link to nothing is looked at again."""
    put(tmp_path, CHECK)
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "link.yaml").symlink_to(tmp_path / "later")
    compiling = Compiler(tmp_path, surroundings())
    assert [str(each.place) for each in compiling.compile().diagnostics] == ["link.yaml:1:1", "pipe.yaml:1:1"]
    (tmp_path / "later").write_text(OTHER)
    (tmp_path / "pipe.yaml").unlink()
    assert set(compiling.compile().processes) == {"check", "other"}
