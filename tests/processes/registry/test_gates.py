"""Gates about entities, files, inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from context_plane import ContextPlane
from context_plane.errors import InputError
from context_plane.log.append import append
from tests.processes.registry.world import judge

EVENT = {
    "specversion": "1.0", "id": "1", "source": "ci", "type": "ci.failed", "subject": "build/1",
    "time": "2026-03-01T00:00:00Z", "data": {},
}  # fmt: skip


@pytest.fixture
def plane(tmp_path: Path) -> Any:
    with ContextPlane.open(tmp_path / "home") as found:
        yield found


def test_execution_context_exists(tmp_path: Path, plane: ContextPlane) -> None:
    """An event or a memory of the entity opens it; a tenant or an entity that nobody knows does not."""
    name = "execution_context_exists"
    assert "has no events" in judge(name, tmp_path, plane=plane).reason
    plane.ingest("acme", [EVENT])
    assert judge(name, tmp_path, plane=plane).seen == {"entity": "build/1", "events": 1}
    closed = judge(name, tmp_path, plane=plane, entity="build/2")
    assert (closed.passed, closed.seen) == (False, {"entity": "build/2", "events": 0})
    assert closed.reason.startswith("nothing is known about build/2")
    plane.remember("acme", "build/2", "It is flaky")
    assert judge(name, tmp_path, plane=plane, entity="build/2").passed


def test_what_the_plane_records_itself_does_not_open_it(tmp_path: Path, plane: ContextPlane) -> None:
    """Receipts do not make an entity known, and neither do records of runs."""
    plane.ingest("acme", [EVENT])
    own = {**EVENT, "source": "cortex/run", "type": "cortex.execution.accepted", "subject": "build/2"}
    append(plane._tenant("acme").history, [own])
    assert plane.timeline("acme", "build/2").num_rows == 1
    assert not judge("execution_context_exists", tmp_path, plane=plane, entity="build/2").passed


def test_file_exists(tmp_path: Path) -> None:
    """In the workspace and nowhere else."""
    (tmp_path / "a").mkdir()
    assert judge("file_exists", tmp_path, {"path": "a"}).passed
    closed = judge("file_exists", tmp_path, {"path": "a/b"})
    assert (closed.passed, closed.reason) == (False, "there is no a/b in the workspace")
    with pytest.raises(InputError, match="not in the workspace"):
        judge("file_exists", tmp_path, {"path": "../x"})


@pytest.mark.parametrize(
    ("value", "given"), [("x", True), (0, True), (False, True), ("", False), (None, False), ([], False)]
)
def test_input_given(tmp_path: Path, value: Any, given: bool) -> None:
    """Says something: 0 and false do."""
    said = judge("input_given", tmp_path, {"name": "branch"}, arguments={"branch": value})
    assert (said.passed, said.reason) == (given, "" if given else "the input branch is not given")
    assert not judge("input_given", tmp_path, {"name": "other"}, arguments={"branch": "x"}).passed


def judged(tmp_path: Path, outputs: dict[str, Any], **inputs: Any) -> tuple[bool, str]:
    said = judge("tests_pass", tmp_path, inputs, outputs=outputs)
    return said.passed, said.reason


def test_tests_pass(tmp_path: Path) -> None:
    """The newest step that says so counts, or the one that is named."""
    failed, passed, none = {"passed": False, "exit_code": 1}, {"passed": True}, {"text": "x"}
    assert judged(tmp_path, {"a": failed, "b": passed, "c": none}) == (True, "")
    assert judged(tmp_path, {"a": passed, "b": failed}) == (False, "the tests of step b fail")
    assert judged(tmp_path, {"a": passed, "b": failed}, step="a") == (True, "")
    assert judged(tmp_path, {"c": none}, step="c") == (False, "step 'c' does not say whether tests passed")
    assert judged(tmp_path, {}, step="gone") == (False, "step 'gone' does not say whether tests passed")
    for outputs in ({}, {"c": none}, {"c": ["passed"]}, {"c": {"passed": "yes"}}, {"c": None}):
        assert judged(tmp_path, outputs) == (False, "no step before says whether tests passed: run them in a step")


OUTPUT = {"files": [{"path": "a.py", "lines": 7}], "state": "open", "n": 3, "ok": True, "none": None}


@pytest.mark.parametrize(
    ("path", "compare", "value", "passed"),
    [
        ("state", "equal", "open", True),
        ("state", "equal", "shut", False),
        ("state", "unequal", "shut", True),
        ("files.0.path", "equal", "a.py", True),
        ("files.0", "equal", {"path": "a.py", "lines": 7}, True),
        ("", "equal", OUTPUT, True),
        ("n", "equal", 3.0, True),
        ("n", "less", 3, False),
        ("n", "at_most", 3, True),
        ("n", "greater", 2.5, True),
        ("n", "at_least", 4, False),
        ("state", "greater", "closed", True),
        ("n", "less", "4", False),
        ("ok", "equal", 1, False),
        ("ok", "greater", 0, False),
        ("none", "equal", None, True),
        ("none", "less", 1, False),
        ("state", "contains", "pe", True),
        ("state", "contains", 1, False),
        ("files", "contains", {"path": "a.py", "lines": 7}, True),
        ("files.0", "contains", "path", True),
        ("n", "contains", 3, False),
    ],
)
def test_output_is(tmp_path: Path, path: str, compare: str, value: Any, passed: bool) -> None:
    """Values as JSON has them: true is not 1, and a text is not less than a number."""
    inputs = {"step": "look", "path": path, "compare": compare, "value": value}
    said = judge("output_is", tmp_path, inputs, outputs={"look": OUTPUT})
    assert said.passed == passed
    assert bool(said.reason) != passed


def test_output_is_closed_where_there_is_nothing(tmp_path: Path) -> None:
    """Whatever the comparison; one that there is not is refused."""
    outputs = {"look": OUTPUT}
    for path in ("gone", "files.1", "files.x", "n.x", "files.-1", "state.0"):
        said = judge("output_is", tmp_path, {"step": "look", "path": path, "compare": "unequal"}, outputs=outputs)
        assert (said.passed, said.reason) == (False, f"the output of look has no {path}")
    assert judge("output_is", tmp_path, {"step": "x"}, outputs=outputs).reason == "step 'x' has no output"
    with pytest.raises(InputError, match="use one of equal, unequal"):
        judge("output_is", tmp_path, {"step": "look", "compare": "="}, outputs=outputs)
