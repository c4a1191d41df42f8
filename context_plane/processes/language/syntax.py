"""Syntax: the YAML parser, and what it says of a text that is no YAML, as one finding at the place of the fault.

Here belongs which of the places that a parser tells is meant: it notices some faults far behind them.
"""

from __future__ import annotations

import re
from typing import Any, Final

from context_plane.processes.language.diagnostic import Place
from context_plane.processes.language.findings import Findings

_NO_BREAK: Final = re.compile(r"[^\r\n]")


def parser(text: str, start: int) -> Any:
    """The parser of libyaml, where PyYAML was built with it, else the one in Python, which is ten times slower."""
    import yaml

    if start:  # marks must stay those of the whole text
        text = _NO_BREAK.sub(" ", text[:start]) + text[start:]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader(text)


def tell(error: Any, text: str, opened: Any, findings: Findings) -> int:
    """Adds the finding for an error of the parser; returns where in the text the parser stopped. `opened` is the mark
    of the list or mapping that was open."""
    begun: Any = getattr(error, "context_mark", None)
    stopped = getattr(error, "problem_mark", None) or begun
    if stopped is None:
        findings.put("yaml-syntax", Place(findings.file), f"not YAML: {error}", "check the file")
        return len(text)
    if (tab := _tab(text, stopped)) is not None:
        place = Place(findings.file, stopped.line + 1, stopped.column + 1 - (stopped.index - tab))
        findings.put("yaml-tab", place, "a tab indents the line", "indent with blanks")
        return int(stopped.index)
    context = error.context or ""
    unclosed = begun is not None and _over(text, stopped.index)
    if unclosed and begun.index >= stopped.index and opened is not None:
        begun = opened  # nothing stands behind the bracket: the parser complains of the nothing
    # A key without a colon is noticed at the next line.
    early = unclosed or (begun is not None and "simple key" in context)
    since = f" {context}" + (f" that begins in line {begun.line + 1}" if begun is not None and not early else "")
    message = f"not YAML: {error.problem or 'it ends early'}{since if context else ''}"
    remedy = "close it" if unclosed else "check indentation, quotes and colons"
    findings.add("yaml-syntax", begun if early else stopped, message, remedy)
    return int(stopped.index)


def _tab(text: str, mark: Any) -> int | None:
    """Where a tab indents the line of a mark, if one does."""
    begin = mark.index - mark.column
    before = text[begin : mark.index]
    indent = before[: len(before) - len(before.lstrip(" \t"))]
    if indent == before and text[mark.index : mark.index + 1] == "\t":
        indent += "\t"
    at = indent.find("\t")
    return begin + at if at >= 0 else None


def _over(text: str, index: int) -> bool:
    """Whether nothing of the document is left at a place."""
    rest = text[index : index + 4]
    return not text[index:].strip() or (rest[:3] in ("---", "...") and text[index - 1 : index] in ("", "\n"))
