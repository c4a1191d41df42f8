"""Gates about the world: the entity, the repository, the files and the inputs of a run."""

from __future__ import annotations

from typing import Final

from context_plane.errors import NotFound
from context_plane.processes.linked import Declared
from context_plane.processes.registry.builtin.git import changed
from context_plane.processes.registry.builtin.given import named
from context_plane.processes.registry.builtin.paths import inside, shown
from context_plane.processes.registry.builtin.repository import branch, check_repository
from context_plane.processes.registry.decorators import gate
from context_plane.processes.registry.handler import GateCall, StepFailure, Verdict

_NAMED: Final = 10
_OWN: Final = "cortex."
_MEMORY: Final = "cortex.memory."


@gate("execution_context_exists", inputs={})
def execution_context_exists(call: GateCall) -> Verdict:
    """Whether anything is known about the execution's entity: an event, or something that is remembered. Records of
    runs and receipts do not count: every run would open the gate for itself."""
    try:
        found = call.plane.timeline(call.tenant, call.entity).column("type").to_pylist()
    except NotFound as error:
        return Verdict(False, str(error))
    known = sum(1 for type in found if not type.startswith(_OWN) or type.startswith(_MEMORY))
    reason = "" if known else f"nothing is known about {call.entity}: ingest an event of it, or name another entity"
    return Verdict(bool(known), reason, {"entity": call.entity, "events": known})


@gate("branch_clean", inputs={})
def branch_clean(call: GateCall) -> Verdict:
    """Whether the workspace is a git repository in which nothing is changed and nothing is unknown to git."""
    try:
        check_repository(call)
    except StepFailure as error:
        return Verdict(False, str(error))
    files = [each["path"] for each in changed(call)]
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    reason = f"{len(files)} changed: {', '.join(files[:_NAMED])}{more}; commit or remove them" if files else ""
    return Verdict(not files, reason, {"branch": branch(call), "files": files[:100]})


@gate("file_exists", inputs={"path": Declared("text", description="a file or folder below the workspace")})
def file_exists(call: GateCall) -> Verdict:
    """Whether a file or folder is there in the workspace."""
    path = inside(call.workspace, named(call, "path"))
    name = shown(call.workspace, path)
    return Verdict(path.exists(), "" if path.exists() else f"there is no {name} in the workspace", {"path": name})


@gate("input_given", inputs={"name": Declared("text", description="an input of the process")})
def input_given(call: GateCall) -> Verdict:
    """Whether an input of the run says something: it is there, and neither null nor empty."""
    name = named(call, "name")
    given = call.arguments.get(name)
    passed = given is not None and given not in ("", [], {})
    return Verdict(passed, "" if passed else f"the input {name} is not given", {"name": name})
