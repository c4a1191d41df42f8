"""The registry: where actions and gates come from, what did not load, who has a name."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from context_plane.errors import Conflict, NotFound
from context_plane.processes.linked import Command, Declared, ModelNeeds
from context_plane.processes.registry import commands, plugins, trust
from context_plane.processes.registry.decorators import action, declared_in, gate
from context_plane.processes.registry.handler import Action, Gate
from context_plane.processes.registry.python_files import _module_name
from context_plane.processes.registry.registry import Registry, open_registry
from tests.processes.registry.world import built_in, settings, step

GOOD = """\
from context_plane.processes import action, gate

@action("local.hello", inputs={"name": "text"})
def hello(step):
    '''Greets.'''
    return {"said": f"hello {step.inputs['name']}"}

@gate("local.open")
def is_open(call):
    return True
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "processes").mkdir()
    return tmp_path


@pytest.fixture(autouse=True)
def packages(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """The entry points of installed packages: none but those that a test puts here."""
    found: list[EntryPoint] = []
    monkeypatch.setattr(plugins, "_found", lambda group: [e for e in found if e.group == group])
    plugins.provided.cache_clear()
    monkeypatch.setattr(plugins, "provided", plugins.provided.__wrapped__)
    return found


def write(home: Path, name: str, text: str) -> Path:
    path = home / "processes" / name
    path.write_text(text)
    return path


def test_files_of_the_home_are_loaded(home: Path, tmp_path: Path) -> None:
    """Those directly in its folder; drafts and what is hidden are left out."""
    path = write(home, "actions.py", GOOD)
    write(home, "_draft.py", "raise ValueError")
    write(home, ".hidden.py", "raise ValueError")
    (home / "processes" / "inner").mkdir()
    (home / "processes" / "inner" / "deep.py").write_text("raise ValueError")
    found = open_registry(settings(home))
    assert found.problems == ()
    made = found.action("local.hello")
    assert (made.description, made.origin) == ("Greets.", f"{path}:3")
    assert made.handler(step(tmp_path, {"name": "Ada"})) == {"said": "hello Ada"}
    assert found.gate("local.open").origin == f"{path}:8"
    assert "local.hello" not in open_registry(settings(home), load_python=False).actions


def test_what_did_not_change_is_not_loaded_again(home: Path) -> None:
    """And what did is, also where time and size are the same as before."""
    path = write(home, "a.py", GOOD + "x = 1\n")
    first = open_registry(settings(home))
    assert open_registry(settings(home)) is first
    before, other = path.stat(), path.with_suffix(".new")
    other.write_text(GOOD.replace("local.hello", "local.hallo") + "x = 2\n")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    second = open_registry(settings(home))
    assert "local.hello" not in second.actions
    assert "local.hallo" in second.actions
    path.unlink()
    assert "local.hallo" not in open_registry(settings(home)).actions
    assert not [name for name in sys.modules if name.startswith("context_plane_home_") and name.endswith("_a")]


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("x = 1\ndef (", "SyntaxError", 2),
        ("import no_such_module_here", "ModuleNotFoundError: No module named 'no_such_module_here'", 1),
        ("def f():\n    1 / 0\n\nf()", "ZeroDivisionError", 2),
        ("import sys\nsys.exit(3)", "SystemExit: 3", 2),
        (GOOD.replace("local.hello", "Local Hello"), "'Local Hello' is no name", 3),
        ("\n\nimport json\njson.loads('{')", "JSONDecodeError", 4),
        ("x = '\0'", "null bytes", None),
        ("# \xff".encode("latin-1").decode("latin-1") + "\nraise Exception", "Exception", 2),
    ],
)
def test_a_file_that_does_not_load_is_a_problem_of_its_own(home: Path, text: str, says: str, line: int | None) -> None:
    """File, line and remedy; the others are there."""
    path = write(home, "broken.py", text)
    write(home, "good.py", GOOD)
    found = open_registry(settings(home))
    assert "local.hello" in found.actions
    (problem,) = found.problems
    assert says in problem.what
    if line is not None:
        assert problem.where == f"{path}:{line}"
    assert problem.where.startswith(str(path))
    assert problem.remedy
    path.write_text("x = 1")
    assert open_registry(settings(home)).problems == ()


def test_a_broken_file_leaves_nothing_behind(home: Path) -> None:
    """Not even what it registered before it broke; and the one that worked before is gone."""
    path = write(home, "a.py", GOOD)
    assert "local.hello" in open_registry(settings(home)).actions
    path.write_text(GOOD + "raise ValueError('no')\n")
    found = open_registry(settings(home))
    assert "local.hello" not in found.actions
    assert [each.what for each in found.problems] == ["it does not load: ValueError: no"]
    assert declared_in(_module_name(path)) == []
    assert _module_name(path) not in sys.modules


def test_one_function_name_can_be_used_twice_in_a_file(home: Path) -> None:
    """What is decorated counts, not what the name stands for in the end."""
    write(home, "a.py", GOOD + GOOD.replace("local.", "other."))
    assert {"local.hello", "other.hello"} <= set(open_registry(settings(home)).actions)


def test_dataclasses_work_in_a_file(home: Path, tmp_path: Path) -> None:
    """They look their module up."""
    text = (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int = 1\n"
    )
    write(home, "a.py", text + GOOD)
    assert open_registry(settings(home)).problems == ()


def test_no_bytecode_is_left_in_the_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home is for people."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    write(home, "a.py", GOOD)
    open_registry(settings(home))
    assert [path.name for path in (home / "processes").iterdir()] == ["a.py"]


def test_a_name_that_is_taken_is_a_problem_that_names_both(home: Path) -> None:
    """The first to come has it: built in before packages before files, files in the order of their names."""
    one, two = write(home, "one.py", GOOD), write(home, "two.py", GOOD)
    write(home, "three.py", "from context_plane.processes import action\n@action('git.commit')\ndef f(s): ...\n")
    found = open_registry(settings(home))
    told = sorted(problem.what for problem in found.problems)
    assert told == [
        f"the action 'git.commit' is there twice: in built in and in {home}/processes/three.py:2",
        f"the action 'local.hello' is there twice: in {one}:3 and in {two}:3",
        f"the gate 'local.open' is there twice: in {one}:8 and in {two}:8",
    ]
    assert found.actions["local.hello"].origin == f"{one}:3"
    assert found.actions["git.commit"].origin == "built in"


def test_what_yaml_declares_is_added(home: Path) -> None:
    """A name that is there, in Python or in YAML, is a conflict that names both."""
    registry = built_in()
    make = Action("make", commands.run, run=Command(("make",)), origin="a.yaml:1")
    check = Gate("check", commands.passes, run=Command(("make", "check")), origin="a.yaml:5")
    found = registry.with_declared([make], [check])
    assert (found.action("make"), found.gate("check")) == (make, check)
    assert "make" not in registry.actions
    with pytest.raises(Conflict, match=r"'make' is there twice: in a.yaml:1 and in b.yaml:1"):
        found.with_declared([replace(make, origin="b.yaml:1")])
    with pytest.raises(Conflict, match=r"'branch_clean' is there twice: in built in and in a.yaml:5"):
        found.with_declared([], [replace(check, name="branch_clean")])


def test_the_fingerprint_is_of_what_compiling_looks_at(home: Path) -> None:
    """Not of the code of a handler, but of where it stands: diagnostics name file and line."""
    path = write(home, "a.py", GOOD)
    first = open_registry(settings(home))
    path.write_text(GOOD.replace("hello {", "hallo {"))
    assert open_registry(settings(home)).fingerprint == first.fingerprint
    seen = {first.fingerprint}
    for text in (
        "# moved\n" + GOOD,
        GOOD.replace('"name": "text"', '"name": "any"'),
        GOOD.replace("Greets", "Welcomes"),
        GOOD.replace('"local.hello",', '"local.hello", keyed=True,'),
        GOOD.replace("local.open", "local.shut"),
        GOOD + "raise ValueError",
        GOOD + "raise KeyError",
    ):
        path.write_text(text)
        seen.add(open_registry(settings(home)).fingerprint)
    seen.add(first.with_declared([Action("x", commands.run, run=Command(("x",)))]).fingerprint)
    seen.add(first.with_declared([Action("x", commands.run, run=Command(("y",)))]).fingerprint)
    assert len(seen) == 10


def test_a_default_that_is_no_json_is_a_problem_of_its_file(home: Path) -> None:
    """With its line; the other files, and compiling, do without."""
    path = write(
        home,
        "bad.py",
        "from context_plane.processes import Declared\n\n" + GOOD.replace('"text"}', 'Declared("any", False, {1, 2})}'),
    )
    write(home, "good.py", GOOD.replace("local.", "other."))
    found = open_registry(settings(home))
    assert found.fingerprint.startswith("sha256:")
    assert "other.hello" in found.actions
    (problem,) = found.problems
    assert problem.where == f"{path}:5"
    assert "the default of input 'name' is {1, 2}" in problem.what


# --- whose files -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["file", "folder", "home"])
@pytest.mark.parametrize(("mode", "says"), [(0o002, "everybody"), (0o020, "the group 4242")])
def test_what_others_may_write_is_not_run(
    home: Path, monkeypatch: pytest.MonkeyPatch, what: str, mode: int, says: str
) -> None:
    """Neither the file nor a folder above it: it would run as whoever looks at processes."""
    path = write(home, "a.py", GOOD)
    write(home, "b.py", GOOD.replace("local.", "other."))
    changed = {"file": path, "folder": path.parent, "home": home}[what]
    before = open_registry(settings(home))
    assert before.problems == ()
    doubted(monkeypatch, changed, mode=mode, group=4242)
    found = open_registry(settings(home))
    assert "local.hello" not in found.actions
    assert ("other.hello" in found.actions) == (what == "file")
    problem = found.problems[0]
    assert problem.where == str(path)
    assert says in problem.what
    assert "chmod" in problem.remedy
    monkeypatch.undo()
    changed.touch()  # as chmod would, which this was
    assert "local.hello" in open_registry(settings(home)).actions


def test_what_belongs_to_another_user_is_not_run(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What belongs to root may be."""
    path = write(home, "a.py", "raise ValueError")
    doubted(monkeypatch, path, owner=os.geteuid() + 7)
    (problem,) = open_registry(settings(home)).problems
    assert f"belongs to another user ({os.geteuid() + 7})" in problem.what
    assert problem.remedy.endswith(f"chown {os.geteuid()} {path}")
    monkeypatch.undo()
    path.write_text(GOOD)
    doubted(monkeypatch, path, owner=0)
    assert open_registry(settings(home)).problems == ()


def test_a_normal_home_is_trusted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a umask of 002 lets the user's own group write."""
    path = write(home, "a.py", GOOD)
    for each in (path, home / "processes", home):
        each.chmod(each.stat().st_mode | 0o020)
    monkeypatch.setattr(trust.os, "getegid", lambda: 4242)
    monkeypatch.setattr(trust, "_primary_group", lambda: 4242)
    doubted(monkeypatch, path, mode=0o020, group=4242)
    assert open_registry(settings(home)).problems == ()


def doubted(monkeypatch: pytest.MonkeyPatch, path: Path, mode: int = 0, **given: int) -> None:
    """Has a path be somebody's who a test cannot be."""
    real = trust.state_of

    def state_of(each: Path) -> tuple[int, ...]:
        found = real(each)
        if each != path:
            return found
        return (found[0] | mode, given.get("owner", found[1]), given.get("group", found[2]))

    monkeypatch.setattr(trust, "state_of", state_of)
    path.touch()


def test_unknown_names_have_a_remedy() -> None:
    """The nearest."""
    with pytest.raises(NotFound, match=r"did you mean git.commit\?"):
        built_in().action("git.comit")
    with pytest.raises(NotFound, match="did you mean branch_clean"):
        built_in().gate("branch_cleen")
    with pytest.raises(NotFound, match="there are: none"):
        Registry().gate("x")


# --- packages --------------------------------------------------------------------------------------------------------


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A module of an installed package."""
    found: Any = ModuleType("acme_actions")
    monkeypatch.setitem(sys.modules, "acme_actions", found)

    def hello(step: Any) -> str:
        return "hello"

    hello.__module__ = "acme_actions"
    found.hello = action("acme.hello")(hello)
    found.open = gate("acme.open")(hello)
    found.ready = Gate("acme.ready", lambda call: True)
    found.nothing = 5
    found.misspelt = Action("acme.hello", hello, model=ModelNeeds(sensitivity="Restricted"))  # type: ignore[arg-type]
    found.bad_default = Action("acme.hello", hello, inputs={"x": Declared("any", False, {1})})
    (tmp_path / "acme_exits.py").write_text("import sys; sys.exit(3)")
    monkeypatch.syspath_prepend(tmp_path)
    yield found
    from context_plane.processes.registry.decorators import forget

    forget("acme_actions")


def test_packages_provide_actions_and_gates(packages: list[EntryPoint], module: Any, home: Path) -> None:
    """A decorated function, an object, or all of a module."""
    packages += [
        EntryPoint("acme.hello", "acme_actions:hello", "context_plane.actions"),
        EntryPoint("acme", "acme_actions", "context_plane.gates"),
        EntryPoint("acme.ready", "acme_actions:ready", "context_plane.gates"),
    ]
    found = open_registry(settings(home))
    assert found.problems == ()
    assert found.action("acme.hello").origin == "acme_actions:hello"
    assert {"acme.open", "acme.ready"} <= set(found.gates)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("acme.hello", "no_such_package:x", "does not load: ModuleNotFoundError"),
        ("acme.hello", "acme_actions:gone", "does not load: AttributeError"),
        ("acme.hello", "acme_actions:nothing", "is no action"),
        ("acme.hello", "acme_actions:ready", "is no action"),
        ("acme.hello", "acme_actions:misspelt", "sensitivity is 'Restricted'"),
        ("acme.hello", "acme_actions:bad_default", "the default of input 'x' is {1}"),
        ("acme.hello", "acme_exits", "does not load: SystemExit: 3"),
        ("other", "acme_actions:hello", "names the action 'acme.hello'"),
    ],
)
def test_a_package_that_cannot_be_used_is_a_problem(
    packages: list[EntryPoint], module: Any, home: Path, name: str, value: str, says: str
) -> None:
    """By name, with what to do; nothing else is missing."""
    packages.append(EntryPoint(name, value, "context_plane.actions"))
    found = open_registry(settings(home))
    (problem,) = found.problems
    assert says in problem.what
    assert (problem.where, bool(problem.remedy)) == (value, True)
    assert "git.commit" in found.actions
