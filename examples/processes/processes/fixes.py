"""Mending code: which line is wrong, how it has to read, and that it was tried first.

Without a model a fault is looked for among small changes: another operator, a number more or less by one. One is
taken if the failing test passes with it in a copy of the repository and the fewest others fail. With a model
(models.yaml) what it proposes is tried first, in the same way: models propose, tests decide.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
import sys
import tempfile
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from io import StringIO
from pathlib import Path
from typing import Any, Final

from context_plane.processes import Declared, ModelNeeds, Step, StepFailure, action
from context_plane.processes.linked import Command
from context_plane.processes.registry import commands
from context_plane.processes.registry.builtin.files import write
from context_plane.processes.registry.builtin.paths import inside, writable

SECONDS: Final = 10.0
"""How long the tests may take with one change: a wrong one may never end."""
MOST: Final = 60
"""Changes that are tried."""
_COMPARED: Final = {
    ">": (">=", "<"), ">=": (">", "<="), "<": ("<=", ">"), "<=": ("<", ">="), "==": ("!=",), "!=": ("==",),
}  # fmt: skip
_OTHERS: Final = {"+": ("-",), "-": ("+",), "*": ("//",), "//": ("*",), "and": ("or",), "or": ("and",)}
_LIMITS: Final = {(">", ">="): "leaves the limit itself out", ("<", "<="): "leaves the limit itself out",
                  (">=", ">"): "takes the limit itself in", ("<=", "<"): "takes the limit itself in"}  # fmt: skip
_FAILED: Final = re.compile(r"^(?:(?:FAIL|ERROR): |(?:FAILED|ERROR) )(.+?)(?: - .*)?$", re.M)
_LEFT_OUT: Final = shutil.ignore_patterns(".git", ".ci", ".venv", "node_modules", "__pycache__")
_MODEL: Final = ModelNeeds(("code",))
_UNITTEST: Final = ["python", "-B", "-m", "unittest"]
_COMMANDS: Final = {
    "command": Declared("list", False, _UNITTEST, "runs the test that is named behind it"),
    "suite": Declared("list", False, [*_UNITTEST, "discover", "-s", "tests", "-t", "."], "runs all tests"),
}


@dataclass(frozen=True)
class Edit:
    """One line that is to read differently."""

    file: str
    line: int
    before: str
    after: str
    cause: str
    by: str
    """What proposed it: ``operators``, or a model's name."""


@action(
    "analyze_failure",
    keyed=True,
    model=_MODEL,
    model_optional=True,
    inputs={
        "test": Declared("text", description="the failing test, as the command takes it"),
        "error": Declared("text", description="what it says"),
        "code": Declared("mapping", description="as find_relevant_code tells it: {file, name, line, end, code}"),
        **_COMMANDS,
    },
)
def analyze_failure(step: Step) -> dict[str, Any]:
    """Finds the root cause of a failing test, the one line that is wrong and how it has to read: {file, line, before,
    after, cause, by}."""
    test, code = str(step.inputs["test"]), step.inputs["code"]
    asked = f"The test {test} fails: {step.inputs['error']}\nWhich line of this function is wrong?"
    edit = _repaired(step, test, code, asked)
    if edit is None:
        remedy = "it was fixed meanwhile, or CI tests something else than what is checked out here"
        raise StepFailure(f"{test} passes here", where=step.id, remedy=remedy, retryable=False)
    return asdict(edit)


@action(
    "write_code",
    keyed=True,
    inputs={"edit": Declared("mapping", False, {}, "as analyze_failure tells it: {file, line, before, after}")},
)
def write_code(step: Step) -> dict[str, Any]:
    """Changes one line of a file, if it still reads as it did: {files, diff}. The same again changes nothing."""
    given = step.inputs["edit"]
    try:
        edit = Edit(str(given["file"]), int(given["line"]), str(given["before"]), str(given["after"]), "", "")
    except (KeyError, ValueError, TypeError) as error:
        remedy = "give edit: {file, line, before, after}"
        raise StepFailure(f"that is no edit: {given!r:.100}", where=step.id, remedy=remedy, retryable=False) from error
    return {"files": [edit.file], "diff": _apply(step, edit)}


@action(
    "write_fix",
    keyed=True,
    model=_MODEL,
    model_optional=True,
    inputs={"report": Declared("mapping", description="as read_bug_report tells it"), **_COMMANDS},
)
def write_fix(step: Step) -> dict[str, Any]:
    """Writes the test that a bug report asks for, and the smallest change that makes it pass: {files, diff, cause}."""
    report = step.inputs["report"]
    test, code = report["test"], report["code"]
    asked = f"A customer reports: {report['title']}. {report['summary']}\nWhich line of this function is wrong?"
    name = test["path"].removesuffix(".py").replace("/", ".")
    edit = _repaired(step, name, code, asked, {test["path"]: test["text"]})
    write(replace(step, inputs=test))
    if edit is None:
        cause = "The examples of the report pass: it was fixed before, or by an attempt that was cut off."
        return {"files": [test["path"], code["file"]], "diff": "", "cause": cause}
    return {"files": [test["path"], edit.file], "diff": _apply(step, edit), "cause": edit.cause}


# --- finding a change ------------------------------------------------------------------------------------------------


def _repaired(
    step: Step, test: str, code: Mapping[str, Any], asked: str, files: Mapping[str, str] | None = None
) -> Edit | None:
    """Of the changes of a function with which a test passes, the first with which the fewest others fail; `None` if it
    passes as it is. `files` are there besides. Raises `StepFailure` where there is none."""
    path = str(code["file"])
    lines = inside(step.workspace, path).read_text("utf-8").splitlines()
    tried, best, fewest = 0, None, sys.maxsize
    with _copied(step, files or {}) as folder:
        if _passes(step, folder, test):
            return None
        for edit in (*_proposed(step, code, lines, asked), *_small(path, lines, int(code["line"]), int(code["end"]))):
            if tried == MOST or not fewest:
                break
            tried += 1
            changed = [*lines[: edit.line - 1], edit.after, *lines[edit.line :]]
            (folder / path).write_text("\n".join([*changed, ""]), "utf-8")
            if _passes(step, folder, test) and (failing := _failing(step, folder)) < fewest:
                best, fewest = edit, failing
    if best is None:
        what, remedy = (
            f"none of {tried} small changes of {code['name']} in {path} makes {test} pass",
            "a person has to look",
        )
        raise StepFailure(what, where=step.id, remedy=f"{remedy}, or a model (models.yaml)", retryable=False)
    step.log(f"{tried} tried, {fewest} tests fail with the best; by {best.by}: {best.cause}")
    return best


def _small(file: str, lines: Sequence[str], first: int, last: int) -> Iterator[Edit]:
    """Changes of one operator or number between two lines: limits first, because that is where faults are."""
    tokens = [
        each
        for each in tokenize.generate_tokens(StringIO("\n".join([*lines, ""])).readline)
        if first <= each.start[0] <= last and each.type in (tokenize.OP, tokenize.NAME, tokenize.NUMBER)
    ]
    for table in (_COMPARED, _OTHERS):
        for token in tokens:
            for other in table.get(token.string, ()):
                yield _edit(file, lines, token, other)
    for token in tokens:
        if token.type == tokenize.NUMBER and token.string.replace("_", "").isdecimal():
            number = int(token.string)
            for other in (number + 1, number - 1):
                yield _edit(file, lines, token, str(other))


def _edit(file: str, lines: Sequence[str], token: tokenize.TokenInfo, other: str) -> Edit:
    number, start, end = token.start[0], token.start[1], token.end[1]
    line = lines[number - 1]
    wrong = _LIMITS.get((token.string, other), f"says {token.string}")
    cause = (
        f"`{line.strip()}` in {file}, line {number}, {wrong}; with {other} instead of {token.string} the tests pass."
    )
    return Edit(file, number, line, f"{line[:start]}{other}{line[end:]}", cause, "operators")


def _proposed(step: Step, code: Mapping[str, Any], lines: Sequence[str], asked: str) -> Iterator[Edit]:
    """What a model proposes, if there is one and it answers with what was asked for."""
    if step.ask is None:
        return
    shown = "\n".join(f"{number}: {lines[number - 1]}" for number in range(int(code["line"]), int(code["end"]) + 1))
    form = '{"line": NUMBER, "after": "the whole line as it should read", "cause": "one sentence"}'
    reply = step.ask(f"{asked}\n\nAnswer with JSON and nothing else: {form}", data=f"{code['file']}\n{shown}")
    try:
        said = json.loads(reply.text[reply.text.index("{") : reply.text.rindex("}") + 1])
        number, after, cause = int(said["line"]), str(said["after"]), str(said["cause"])
        if int(code["line"]) <= number <= int(code["end"]) and "\n" not in after:
            yield Edit(str(code["file"]), number, lines[number - 1], after, cause, reply.model)
    except (ValueError, KeyError, TypeError):
        step.log(f"{reply.model} did not answer with what was asked for")


# --- trying and writing ----------------------------------------------------------------------------------------------


@contextmanager
def _copied(step: Step, files: Mapping[str, str]) -> Iterator[Path]:
    """A copy of the workspace with further files, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="trying-") as holder:
        folder = Path(holder) / "copy"
        shutil.copytree(step.workspace, folder, symlinks=True, ignore=_LEFT_OUT)
        for name, text in files.items():
            path = writable(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        yield folder


def _passes(step: Step, folder: Path, test: str) -> bool:
    return _ran(step, folder, [*step.inputs["command"], test])[0]


def _failing(step: Step, folder: Path) -> int:
    """How many tests fail, as unittest and pytest tell them."""
    passed, printed = _ran(step, folder, step.inputs["suite"])
    return 0 if passed else max(1, len(set(_FAILED.findall(printed))))


def _ran(step: Step, folder: Path, command: Sequence[str]) -> tuple[bool, str]:
    """Whether a command ends with 0 in a copy, and what it prints."""
    try:
        run = Command(tuple(map(str, command)), check=False)
        ended = commands.run(replace(step, run=run, workspace=folder, timeout=SECONDS))
    except StepFailure as error:
        if not error.retryable:  # there is no such command: no change would help
            raise
        return False, ""
    return ended["passed"], f"{ended['stdout']}\n{ended['stderr']}"


def _apply(step: Step, edit: Edit) -> str:
    """Writes a change, and gives back how it looks."""
    old = inside(step.workspace, edit.file).read_text("utf-8")
    lines = old.splitlines(keepends=True)
    found = lines[edit.line - 1].rstrip("\r\n") if 0 < edit.line <= len(lines) else None
    if found not in (edit.before, edit.after):
        what = f"{edit.file}, line {edit.line}, does not read as it was when it was looked at"
        raise StepFailure(what, where=step.id, remedy="run the process again", retryable=False)
    lines[edit.line - 1] = edit.after + lines[edit.line - 1][len(found) :]
    new = "".join(lines)
    if new != old:
        write(replace(step, inputs={"path": edit.file, "text": new}))
    was = "".join([*lines[: edit.line - 1], f"{edit.before}\n", *lines[edit.line :]])
    shown = difflib.unified_diff(was.splitlines(), new.splitlines(), edit.file, edit.file, lineterm="", n=1)
    return "\n".join(shown)
