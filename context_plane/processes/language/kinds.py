"""Kinds: the tables of the four kinds of documents, and which kind a document is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from context_plane.processes.language.documents import ActionSource, GateSource, InterfaceSource, ProcessSource, Source
from context_plane.processes.language.findings import listed, near, shown
from context_plane.processes.language.items import Arguments, Inheriting, Name
from context_plane.processes.language.keys import (
    DISPATCH,
    DOTTED_NAME,
    GATES,
    INPUTS,
    MODEL,
    PLAIN_NAME,
    REQUIRED_STEP,
    STEP,
    TEXT,
    TRIGGERS,
    VERSION,
    WORD,
)
from context_plane.processes.language.scalars import DROP, Boolean, Duration, Report
from context_plane.processes.language.shapes import Key, ListOf, OneOrMany, Record, Taken


def _taken(taken: Taken) -> Taken:
    return taken


PROCESS: Final = Record(
    "process",
    {
        "process": Key(PLAIN_NAME, "its name", required=True),
        "version": Key(VERSION, "a whole number from 1; required", required=True),
        "description": Key(TEXT, "text, what `cortex process find` searches"),
        "abstract": Key(Boolean(), "`true`: a template, cannot be run"),
        "sealed": Key(Boolean(), "`true`: cannot be extended"),
        "extends": Key(WORD, "one process"),
        "implements": Key(OneOrMany(Name()), "an interface, or a list of them"),
        "trigger": Key(TRIGGERS, "one trigger, or a list of them"),
        "inputs": Key(
            INPUTS,
            "what a caller may give: name to `{type, default, description}`; without `default` it is required. Types: "
            "`text`, `number`, `integer`, `boolean`, `list`, `mapping`, `any`",
        ),
        "entity": Key(
            WORD,
            "whose events the records of a run become; text with references. By default the subject of the triggering "
            "event, the entity a caller names, or `process/NAME`",
        ),
        "workspace": Key(
            WORD,
            "folder that files, git and commands work in, below the plane's workspace root; text with references. By "
            "default `TENANT/PROCESS`, so that tenants share no files unless they are told to",
        ),
        "knowledge": Key(
            Inheriting(Name(), "knowledge", "removed-inherited"), "topics, each a name, or `inherit: all`"
        ),
        "gates": Key(
            GATES, "gates before the first step: each a name, or `{gate, inputs, description}`, or `inherit: all`"
        ),
        "steps": Key(Inheriting(STEP, "steps", "removed-inherited"), "in order; see below"),
        "dispatch": Key(
            DISPATCH, "`{when: MATCH, preference: N}`: when this process is the one to run for an interface"
        ),
    },
    _taken,
    essential=("process",),
)

INTERFACE: Final = Record(
    "interface",
    {
        "interface": Key(PLAIN_NAME, "its name", required=True),
        "version": Key(VERSION, "a whole number from 1; required", required=True),
        "description": Key(TEXT, "what it is a contract for"),
        "required_gates": Key(ListOf(Name()), "names of gates that must be among those of the process"),
        "required_steps": Key(
            ListOf(REQUIRED_STEP), "steps that must be there, not abstract: each `{id, description}`"
        ),
        "required_knowledge": Key(ListOf(Name()), "topics that must be among the knowledge"),
        "inputs": Key(
            INPUTS,
            "what a caller of the interface may give; the process must take all of it and, if there is any, need "
            "nothing else",
        ),
        "trigger": Key(TRIGGERS, "what starts a process that implements it"),
    },
    _taken,
    essential=("interface",),
)

ACTION: Final = Record(
    "action",
    {
        "action": Key(DOTTED_NAME, "its name", required=True),
        "description": Key(TEXT, "what it does"),
        "inputs": Key(INPUTS, "what it takes, as for a process"),
        "run": Key(Arguments(), "the command, as a list of texts; `${inputs.NAME}` is what the step gives"),
        "prompt": Key(WORD, "instead of `run`: what a model is asked; text with references"),
        "model": Key(MODEL, "what the model must be like; only beside `prompt`"),
        "timeout": Key(Duration(), "as of a step, which goes first"),
        "keyed": Key(
            Boolean(),
            "`true`: the command takes care itself that a repetition has no second effect; only beside `run`",
        ),
        "check": Key(Boolean(), "`false`: the step does not fail where the exit code is not 0; only beside `run`"),
    },
    _taken,
    essential=("action",),
)

GATE: Final = Record(
    "gate",
    {
        "gate": Key(DOTTED_NAME, "its name", required=True),
        "description": Key(TEXT, "what it makes sure of"),
        "inputs": Key(INPUTS, "what it takes, as for a process"),
        "run": Key(Arguments(), "the command, as a list of texts; it passes where the exit code is 0", required=True),
    },
    _taken,
    essential=("gate",),
)

KINDS: Final[Mapping[str, tuple[Record, type[Source]]]] = {
    "process": (PROCESS, ProcessSource), "interface": (INTERFACE, InterfaceSource), "action": (ACTION, ActionSource),
    "gate": (GATE, GateSource),
}  # fmt: skip
"""Kind to its keys and its tree, in the order in which they count where a document has several of them."""


def kind_of_document(data: Any, spot: Any, report: Report) -> str | None:
    """Which kind a document is; `None` after it was told that it is none."""
    if type(data) is not dict:
        remedy = "write a mapping that begins with process, interface, action or gate"
        report.drop(
            "not-a-mapping", spot, f"the document is {'a list' if type(data) is list else 'no mapping'}", remedy
        )
        return None
    for kind in KINDS:
        if kind in data:
            return kind
    first = next(iter(spot.keys.values()), spot)
    meant = next((found for key in data if (found := near(key, KINDS))), None)
    remedy = f"did you mean {meant}?" if meant else f"begin it with {listed(KINDS)}"
    what = f"{shown(next(iter(data), '{}'))} is no kind of document" if meant else "no key says what the document is"
    report.drop("unknown-document", first, what, remedy)
    return None


def source_of(kind: str, document: Any, file: str, report: Report) -> Source | None:
    """The tree of a document; `None` where not even its name could be taken."""
    record, make = KINDS[kind]
    report.lost = False
    got = record.read(document.data, document.marks, report, kind)
    if got is DROP:
        return None
    name = got.values.pop(kind)
    return make(file=file, document=document, faulty=got.faulty, name=name, **got.values)
