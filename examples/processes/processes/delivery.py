"""Delivering a change: one commit, one push, one message, however often a step is tried.

The built-in actions do the work, called with other inputs: their promise that a repetition has no second effect hangs
on the step's key, which stays the same.
"""

from __future__ import annotations

from dataclasses import replace
from textwrap import fill
from typing import Any, Final

from context_plane.processes import Declared, Step, StepFailure, action
from context_plane.processes.registry.builtin import git, plane
from context_plane.processes.registry.builtin.repository import branch

_WIDTH: Final = 72
"""Characters of a line of a message (knowledge/project/git_workflow.md)."""


@action(
    "commit_and_push",
    keyed=True,
    inputs={
        "title": Declared("text", description="what the change does; the first line of the message"),
        "body": Declared("text", False, "", "why"),
        "files": Declared("list", description="what was changed: nothing else is committed"),
        "branch": Declared("text", False, "", "the branch that has to be checked out; by default whichever is"),
        "remote": Declared("text", False, "origin", "where to push"),
    },
)
def commit_and_push(step: Step) -> dict[str, Any]:
    """Commits the files of a change and pushes the branch, never by force: {commit, branch, remote, files}."""
    given = step.inputs
    here, wanted = branch(step), str(given["branch"])
    if wanted and here != wanted:
        remedy = f"check it out before the run: git switch {wanted}"
        what = f"{here or 'no branch'} is checked out, not {wanted}"
        raise StepFailure(what, where=step.id, remedy=remedy, retryable=False)
    message = _message(str(given["title"]), str(given["body"]), step.execution)
    made = git.commit(replace(step, inputs={"message": message, "paths": list(given["files"])}))
    sent = git.push(replace(step, inputs={"remote": str(given["remote"]), "branch": here}))
    step.log(f"{made['commit'][:12]} is on {sent['remote']}/{sent['branch']}")
    return {"commit": made["commit"], "branch": here, "remote": sent["remote"], "files": made["files"]}


@action(
    "send_notification",
    keyed=True,
    inputs={
        "channel": Declared("text", description="who is told"),
        "text": Declared("text", description="what they are told"),
        "commit": Declared("text", False, "", "the commit that it is about"),
    },
)
def send_notification(step: Step) -> dict[str, Any]:
    """Tells a channel something: {id, channel, text}. What is sent is an event of the entity, `notification.sent`, that
    whoever delivers messages follows; nothing leaves this machine."""
    told = {name: str(step.inputs[name]) for name in ("channel", "text", "commit") if step.inputs[name]}
    events = [{"type": "notification.sent", "data": told}]
    ids = plane.ingest(replace(step, inputs={"events": events, "source": "notifications"}))["ids"]
    step.log(f"told {told['channel']}")
    return {"id": ids[0], **told}


def _message(title: str, body: str, execution: str) -> str:
    """A message as the team writes them: what in one line, why below it, and which run it was."""
    subject = " ".join(title.split())
    if len(subject) > _WIDTH:
        subject = f"{subject[: _WIDTH - 1]}…"
    paragraphs = [fill(each, _WIDTH, break_long_words=False, break_on_hyphens=False) for each in body.split("\n\n")]
    return "\n\n".join(filter(None, (subject, *paragraphs, f"Execution: {execution}")))
