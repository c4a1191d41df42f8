"""A worker that runs a process and may be killed at any boundary: run as a subprocess by `test_process_kill`.

It prints the outcome when it comes to an end. What its steps did outside is in files beside the home, so that it can be
counted afterwards how often that was.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from context_plane.plane import ContextPlane

PROCESS = """
process: soak
version: 1
inputs: {folder: {type: text}}
gates: [ready]
steps:
  - {id: look, action: look, gates: [ready]}
  - {id: once, action: once, inputs: {folder: "${inputs.folder}", from: "${steps.look.output.n}"}}
  - {id: plain, action: plain, inputs: {folder: "${inputs.folder}"}, gates: [ready]}
  - {id: flaky, action: flaky, inputs: {folder: "${inputs.folder}"}, retries: {max: 1, delay: 0.01}}
  - {id: tell, action: ingest, inputs: {events: [{type: soak.told, subject: thing/a, data: {text: "it ran"}}]}}
  - {id: last, action: look}
"""
LONG = PROCESS + "".join(f"  - {{id: more_{n}, action: look}}\n" for n in range(24))
"""With so many steps that the boundaries are reached more than a hundred times."""
UPGRADED = PROCESS.replace("version: 1", "version: 2").replace(
    "- {id: last, action: look}", "- {id: other, action: look}"
)
ACTIONS = '''
"""Actions with effects that can be counted."""

import os
from pathlib import Path

from context_plane.processes import action, gate


@gate("ready")
def ready(call):
    return True


@action("look", keyed=True)
def look(step):
    return {"n": len(step.outputs), "step": step.id}


@action("once", keyed=True)
def once(step):
    """Keeps its key: a repetition finds it."""
    path = Path(step.inputs["folder"]) / step.key.replace("/", "-")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
        with open(Path(step.inputs["folder"]) / "once", "a") as file:
            file.write("once\\n")
    except FileExistsError:
        pass
    return "once"


@action("plain")
def plain(step):
    """Has its effect every time."""
    with open(Path(step.inputs["folder"]) / "plain", "a") as file:
        file.write("plain\\n")
    return "plain"


@action("flaky", keyed=True)
def flaky(step):
    """Fails until somebody has been here before."""
    path = Path(step.inputs["folder"]) / "been"
    if not path.exists():
        path.touch()
        raise OSError("not yet")
    return "flaky"
'''


def main(home: str, key: str) -> None:
    """Runs the process, or goes on with it, and prints what it came to."""
    folder = Path(home) / "effects"
    folder.mkdir(exist_ok=True)
    with ContextPlane.open(home) as plane:
        found = plane.run("soak", tenant="acme", inputs={"folder": str(folder)}, entity="thing/a", key=key)
        plane.engine.seal()
        repeated = [step.id for step in found.steps.values() if step.repeated]
    told = {"outcome": found.outcome().decode(), "repeated": repeated, "version": found.process.version}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
