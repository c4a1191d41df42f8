"""Schema: the language as JSON Schema, so that any editor that knows YAML helps with it.

Made of the tables that documents are checked by. It says less than the compiler: what refers to something, and what is
inherited, no schema can know.
"""

from __future__ import annotations

from typing import Any

from context_plane.processes.language.kinds import KINDS


def schema() -> dict[str, Any]:
    """The schema of one document (draft 2020-12)."""
    chosen: dict[str, Any] = {"anyOf": [{"required": [kind]} for kind in KINDS]}
    for kind in reversed(list(KINDS)):  # as documents are read: of several of these keys the first counts
        chosen = {"if": {"required": [kind]}, "then": {"$ref": f"#/$defs/{kind}"}, "else": chosen}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A process file of Context Plane",
        "type": "object",
        # Branches alone would leave an editor with nothing to offer in an empty file.
        "properties": {kind: {"description": f"the name of the {kind} that the document declares"} for kind in KINDS},
        **chosen,
        "$defs": {kind: record.schema() for kind, (record, _) in KINDS.items()},
    }
