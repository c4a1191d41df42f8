"""Reading what a change is asked for by: bug reports and specifications, Markdown with examples as Python sessions.

Whoever may write a report must not get code run by it: of an example only a call with literal arguments is taken, of
a function of the module that the document names. The examples become a test; nothing is executed here.
"""

from __future__ import annotations

import ast
import doctest
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from context_plane.processes import Declared, Step, StepFailure, action
from context_plane.processes.registry.builtin.paths import inside

_HEADING: Final = re.compile(r"^(#{1,6}) +(.+?) *#*$", re.M)
_MODULE: Final = re.compile(r"^Module: `([\w/]+\.py)`", re.M)
_SIGNATURE: Final = re.compile(r"`(\w+)\((\w+): (\w+), (\w+): (\w+)\) -> (\w+)`")
_FREE: Final = re.compile(r"^Free from: (\d+)", re.M)
_ROW: Final = re.compile(r"^\| *([\w ]+?) *\| *(\d+) *\|$", re.M)
_PATH: Final = {"document": Declared("text", description="the document, a Markdown file of the workspace")}


@dataclass(frozen=True)
class Document:
    """A document with its parts."""

    path: str
    title: str
    sections: dict[str, str]
    text: str

    @property
    def module(self) -> str:
        """The module that it is about. Raises `StepFailure` where it names none."""
        found = _MODULE.search(self.text)
        if found is None:
            remedy = "add a line such as: Module: `shop/returns.py`"
            raise StepFailure("it names no module", where=self.path, remedy=remedy, retryable=False)
        return found[1]


@action(
    "analyze_requirements", keyed=True, inputs={"document": Declared("text", False, "README.md", "a Markdown file")}
)
def analyze_requirements(step: Step) -> dict[str, Any]:
    """Reads a document that asks for a change: {title, document, module, sections: [heading]}."""
    document = _read(step)
    return _about(document)


@action("read_bug_report", keyed=True, inputs=_PATH)
def read_bug_report(step: Step) -> dict[str, Any]:
    """Reads a bug report: {title, document, module, sections, change, summary, code: {file, name, line, end}, test:
    {path, text}}. The examples under "What should happen" become a test that fails as long as the bug is there."""
    document = _read(step)
    calls = _examples(document, "What should happen")
    number = re.match(r"\d+", PurePosixPath(document.path).stem)
    return {
        **_about(document), "change": f"Fix: {_lower(document.title)}",
        "summary": _paragraph(document, "What happens"), "code": _function(step, document.module, _name(calls[0][0])),
        "test": _test(document, f"report_{number[0]}" if number else "report", calls),
    }  # fmt: skip


@action("read_feature_spec", keyed=True, inputs=_PATH)
def read_feature_spec(step: Step) -> dict[str, Any]:
    """Reads a specification: {title, document, module, sections, change, summary, function: {name, takes, returns,
    does}, rates, other, free_from, text, test: {path, text}}. The table and the examples need no model."""
    document = _read(step)
    signature = _SIGNATURE.search(document.text)
    if signature is None:
        remedy = "add one such as: `shipping(total: int, country: str) -> int`"
        raise StepFailure("it holds no signature", where=document.path, remedy=remedy, retryable=False)
    name, first, first_type, second, second_type, returns = signature.groups()
    rows = {key: int(cents) for key, cents in _ROW.findall(document.text)}
    free = _FREE.search(document.text)
    does = _paragraph(document, "What it does").replace(signature[0], "").strip()
    takes = [[first, first_type], [second, second_type]]
    return {
        **_about(document), "change": f"Add {_lower(document.title)}", "summary": _paragraph(document, "Why"),
        "function": {"name": name, "takes": takes, "returns": returns, "does": does[:1].upper() + does[1:]},
        "other": rows.pop("other", None), "rates": rows, "free_from": int(free[1]) if free else None,
        "text": document.text,
        "test": _test(document, PurePosixPath(document.module).stem, _examples(document, "Examples")),
    }  # fmt: skip


def _read(step: Step) -> Document:
    path = str(step.inputs["document"])
    try:
        text = inside(step.workspace, path).read_text("utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        remedy = "name a Markdown file of the repository"
        raise StepFailure(f"the document does not read: {error}", where=path, remedy=remedy) from error
    marks = list(_HEADING.finditer(text))
    if not marks:
        raise StepFailure("the document has no heading", where=path, remedy="begin it with: # Title", retryable=False)
    ends = [*(mark.start() for mark in marks[1:]), len(text)]
    sections = {mark[2]: text[mark.end() : end].strip("\n") for mark, end in zip(marks, ends, strict=True)}
    return Document(path, marks[0][2], sections, text)


def _about(document: Document) -> dict[str, Any]:
    return {
        "title": document.title, "document": document.path, "module": document.module,
        "sections": list(document.sections)[1:],
    }  # fmt: skip


def _paragraph(document: Document, heading: str) -> str:
    """The first paragraph under a heading, as one line."""
    return " ".join(document.sections.get(heading, "").strip().partition("\n\n")[0].split())


def _lower(title: str) -> str:
    """A title inside of a sentence."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _function(step: Step, file: str, name: str) -> dict[str, Any]:
    """Where a function is, as find_relevant_code tells it."""
    try:
        tree = ast.parse(inside(step.workspace, file).read_text("utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise StepFailure(f"{file} does not read: {error}", where=step.id, retryable=False) from error
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return {"file": file, "name": name, "line": node.lineno, "end": node.end_lineno or node.lineno}
    remedy = "correct the module or the examples of the report"
    raise StepFailure(f"{file} has no function {name}", where=step.id, remedy=remedy, retryable=False)


def _name(call: str) -> str:
    return call.partition("(")[0].strip()


def _examples(document: Document, heading: str) -> list[tuple[str, str]]:
    """Calls and what they must give, of the session under a heading, as Python."""
    found = []
    for each in doctest.DocTestParser().get_examples(document.sections.get(heading, "")):
        call = _call(each.source)
        if call:
            found.append((call, _literal(each.want, document)))
    if not found:
        remedy = f'write calls such as: >>> refund(5_000, 500), under "{heading}"'
        raise StepFailure("it holds no examples", where=document.path, remedy=remedy, retryable=False)
    return found


def _call(source: str) -> str | None:
    """A call of a plain name with literal arguments, without anything else; `None` for any other code."""
    try:
        node = ast.parse(source.strip(), mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            for each in [*node.args, *(keyword.value for keyword in node.keywords)]:
                ast.literal_eval(each)
            return _written(source, ast.unparse(node))
    except (SyntaxError, ValueError):
        pass
    return None


def _literal(want: str, document: Document) -> str:
    try:
        return _written(want, repr(ast.literal_eval(want.strip())))
    except (SyntaxError, ValueError) as error:
        what, remedy = f"{want.strip()!r:.60} is no value", "write a number, text, list or the like below the call"
        raise StepFailure(what, where=document.path, remedy=remedy, retryable=False) from error


def _written(source: str, parsed: str) -> str:
    """An expression as it is written, where nothing can hide in that: no second line, no comment."""
    return parsed if "#" in source or len(source.strip().splitlines()) > 1 else source.strip()


def _test(document: Document, name: str, examples: Sequence[tuple[str, str]]) -> dict[str, str]:
    """A test module that holds the examples."""
    module = PurePosixPath(document.module)
    names = sorted({_name(call) for call, _ in examples})
    lines = [
        _docstring(f"{document.title} ({document.path})."),
        "",
        "import unittest",
        "",
        f"from {'.'.join(module.with_suffix('').parts)} import {', '.join(names)}",
        "",
        "",
        f"class {''.join(part.capitalize() for part in name.split('_'))}Test(unittest.TestCase):",
        '    """The examples of the document."""',
    ]
    for number, (call, value) in enumerate(examples, 1):
        lines += ["", f"    def test_example_{number}(self) -> None:", f"        self.assertEqual({call}, {value})"]
    text = "\n".join([*lines, "", "", 'if __name__ == "__main__":', "    unittest.main()", ""])
    return {"path": f"tests/test_{name}.py", "text": text}


def _docstring(text: str) -> str:
    """A text as a docstring, which nothing in it ends."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace('"', '\\"')
    return f'"""{escaped}"""'
