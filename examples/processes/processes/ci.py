"""Reading a failed run of CI: which test failed, what it found, and which source it is about.

Logs of unittest and of pytest are read. Nothing is executed: files are parsed, and paths of the machine that CI runs
on are looked for in the workspace.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from context_plane.processes import Declared, Step, StepFailure, action
from context_plane.processes.registry.builtin.paths import inside

MOST: Final = 1 << 20
"""Bytes of a log that are read, from its end: failures are told last."""
_UNITTEST: Final = re.compile(r"^(?:FAIL|ERROR): \S+ \((\S+)\)$", re.M)
_FRAME: Final = re.compile(r'^  File "([^"]+)", line (\d+), in ', re.M)
_RAISED: Final = re.compile(r"^(\w[\w.]*(?:Error|Exception|Exit|Interrupt)\b.*)$", re.M)
_PYTEST: Final = re.compile(r"^_{3,} (.+?) _{3,}$", re.M)
_SUMMARY: Final = re.compile(r"^(?:FAILED|ERROR) (\S+?\.py::.+?)(?: - .*)?$", re.M)
_ENDS: Final = re.compile(r"^(\S+\.py):(\d+):", re.M)
_SAID: Final = re.compile(r"^E +(\S.*)$", re.M)
_VALUES: Final = re.compile(r"(?:AssertionError: )?(?:assert )?(.{1,200}?) (?:!=|==) (.{1,200})")


@dataclass(frozen=True)
class Failure:
    """One test that failed."""

    test: str
    """As its runner takes it: ``package.module.Class.test``, or ``path.py::Class::test``."""
    error: str
    frames: tuple[tuple[str, int], ...]
    """Files of the workspace and lines, from the test to where it went wrong."""


@action("read_ci_log", keyed=True, inputs={"log": Declared("text", description="the log, a file of the workspace")})
def read_ci_log(step: Step) -> dict[str, Any]:
    """Finds the first failing test in a log of unittest or pytest: {test, error, found, expected, frames: [{file,
    line}], others}."""
    path = inside(step.workspace, str(step.inputs["log"]))
    try:
        text = path.read_bytes()[-MOST:].decode(errors="replace").replace("\r\n", "\n")
    except OSError as error:
        remedy = "fetch the log of the run into the workspace, or correct the path in the event"
        raise StepFailure(f"the log does not read: {error.strerror}", where=path.name, remedy=remedy) from error
    failures = list(_of_unittest(text, step.workspace)) or list(_of_pytest(text, step.workspace))
    if not failures:
        remedy = "look at the log: the run may have failed before its tests began"
        raise StepFailure("the log names no failing test", where=path.name, remedy=remedy, retryable=False)
    first, *others = failures
    step.log(f"{len(failures)} failing, the first is {first.test}")
    values = _VALUES.fullmatch(first.error)
    return {
        "test": first.test, "error": first.error, "found": values[1] if values else None,
        "expected": values[2] if values else None,
        "frames": [{"file": file, "line": line} for file, line in first.frames],
        "others": [each.test for each in others],
    }  # fmt: skip


@action("find_relevant_code", keyed=True, inputs={"frames": Declared("list", description="as read_ci_log tells them")})
def find_relevant_code(step: Step) -> dict[str, Any]:
    """Finds the function that a failure is about: {file, name, line, end, code}. It is the deepest one of the traceback
    that is no test; where a test compares a wrong value, the one that the test calls there."""
    frames = [(str(each["file"]), int(each["line"])) for each in step.inputs["frames"]]
    if not frames:
        remedy = "check that the workspace holds what CI tested"
        raise StepFailure("no file of the traceback is in the workspace", where=step.id, remedy=remedy, retryable=False)
    deepest = next((each for each in reversed(frames) if not _is_test(each[0])), None)
    found = _around(step.workspace, *deepest) if deepest else _called(step.workspace, *frames[-1])
    if found is None:
        what, remedy = f"{frames[-1][0]}:{frames[-1][1]} calls nothing of the workspace", "a person has to look"
        raise StepFailure(what, where=step.id, remedy=remedy, retryable=False)
    file, node = found
    lines = (step.workspace / file).read_text("utf-8").splitlines()
    end = node.end_lineno or node.lineno
    step.log(f"{file}:{node.lineno} {node.name}")
    code = "\n".join(lines[node.lineno - 1 : end])
    return {"file": file, "name": node.name, "line": node.lineno, "end": end, "code": code}


# --- logs ------------------------------------------------------------------------------------------------------------


def _of_unittest(text: str, workspace: Path) -> Iterator[Failure]:
    for name, part in _parts(_UNITTEST, text):
        frames = _here([(m[1], int(m[2])) for m in _FRAME.finditer(part)], workspace)
        raised = _RAISED.search(part)
        yield Failure(name, raised[1] if raised else "", frames)


def _of_pytest(text: str, workspace: Path) -> Iterator[Failure]:
    ids = {each.partition("::")[2].replace("::", "."): each for each in _SUMMARY.findall(text)}
    for name, part in _parts(_PYTEST, text):
        frames = _here([(m[1], int(m[2])) for m in _ENDS.finditer(part)], workspace)
        said = _SAID.search(part)
        yield Failure(ids.get(name, name), said[1] if said else "", frames)


def _parts(heading: re.Pattern[str], text: str) -> Iterator[tuple[str, str]]:
    """What stands under each heading, up to the next."""
    found = list(heading.finditer(text))
    for at, match in enumerate(found):
        end = found[at + 1].start() if at + 1 < len(found) else len(text)
        yield match[1], text[match.end() : end]


def _here(frames: Sequence[tuple[str, int]], workspace: Path) -> tuple[tuple[str, int], ...]:
    """The frames whose files are in the workspace: of a path of another machine, the longest end that there is."""
    found = []
    for written, line in frames:
        parts = PurePosixPath(written.replace("\\", "/")).parts
        ends = ("/".join(parts[at:]) for at in range(len(parts)) if ".." not in parts and parts[at] != "/")
        known = next((each for each in ends if (workspace / each).is_file()), None)
        if known:
            found.append((known, line))
    return tuple(found)


# --- sources ---------------------------------------------------------------------------------------------------------

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_KINDS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_test(file: str) -> bool:
    path = PurePosixPath(file)
    return path.name.startswith("test_") or path.name == "conftest.py" or "tests" in path.parts


def _parsed(workspace: Path, file: str) -> ast.Module:
    try:
        return ast.parse((workspace / file).read_text("utf-8"), file)
    except (OSError, ValueError, SyntaxError) as error:
        raise StepFailure(f"{file} does not read: {error}", where="find_relevant_code", retryable=False) from error


def _around(workspace: Path, file: str, line: int) -> tuple[str, Definition] | None:
    """The innermost definition around a line."""
    around = [
        each
        for each in ast.walk(_parsed(workspace, file))
        if isinstance(each, _KINDS) and each.lineno <= line <= (each.end_lineno or line)
    ]
    return (file, max(around, key=lambda each: each.lineno)) if around else None


def _called(workspace: Path, file: str, line: int) -> tuple[str, Definition] | None:
    """The definition in the workspace that a test uses: by the names in its line, then in all of it."""
    tree = _parsed(workspace, file)
    imported = _imported(tree)
    inner = [
        each
        for each in ast.walk(tree)
        if isinstance(each, ast.stmt) and each.lineno <= line <= (each.end_lineno or line)
    ]
    for statement in sorted(inner, key=lambda each: -each.lineno):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id in imported:
                found = _defined(workspace, *imported[node.id])
                if found:
                    return found
    return None


def _imported(tree: ast.Module) -> Mapping[str, tuple[str, str]]:
    """Names to the module and the name there that they were imported from."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
        for alias in node.names
    }


def _defined(workspace: Path, module: str, name: str) -> tuple[str, Definition] | None:
    path = module.replace(".", "/")
    for file in (f"{path}.py", f"{path}/__init__.py"):
        if (workspace / file).is_file():
            for node in _parsed(workspace, file).body:
                if isinstance(node, _KINDS) and node.name == name:
                    return file, node
    return None
