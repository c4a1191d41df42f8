"""Parse: the first stage, bytes to the trees of the documents in them (seed 001, section 3.6).

Here belongs what can be told from one document alone, without knowing what its keys mean together: syntax, keys, types.
"""

from __future__ import annotations

from dataclasses import dataclass

from context_plane.processes.language.diagnostic import Diagnostic
from context_plane.processes.language.documents import Source
from context_plane.processes.language.findings import Findings
from context_plane.processes.language.kinds import kind_of_document, source_of
from context_plane.processes.language.marks import REFUSED
from context_plane.processes.language.reading import read
from context_plane.processes.language.scalars import Report


@dataclass(frozen=True, eq=False)
class Parsed:
    """The documents of a file."""

    file: str
    sources: tuple[Source, ...]
    lost: frozenset[tuple[str, str]]
    """Kinds and names of documents that could not be read."""
    broken: frozenset[Source]
    """Those that have an error."""
    findings: tuple[Diagnostic, ...]


def parse(raw: bytes, file: str) -> Parsed:
    """The documents in the bytes of a file, and everything that is wrong with each. Raises nothing."""
    reading = read(raw, file)
    findings = Findings(file)
    findings.found.extend(reading.findings)
    report = Report(findings)
    sources, broken = [], set()
    for document in reading.documents:
        before = len(findings.found)
        if document.data is REFUSED or findings.full:
            continue
        kind = kind_of_document(document.data, document.marks, report)
        source = None if kind is None else source_of(kind, document, file, report)
        if source is not None:
            sources.append(source)
            if not document.whole or len(findings.found) > before:
                broken.add(source)
    return Parsed(file, tuple(sources), reading.lost, frozenset(broken), tuple(findings.found))
