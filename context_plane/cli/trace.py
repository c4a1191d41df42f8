"""`cortex trace`: what an execution did, gate by gate and step by step."""

from __future__ import annotations

import click

from context_plane.cli.options import json_option, open_existing
from context_plane.cli.output import echo_json, say


@click.command("trace")
@click.argument("execution", metavar="EXECUTION")
@json_option
def command(execution: str, as_json: bool) -> None:
    """Print what an EXECUTION did: gates with their reasons, contexts with their tokens, models, outcomes, times."""
    from context_plane.processes.engine.trace import to_json, tree

    with open_existing() as plane:
        found = plane.execution(execution)
    if as_json:
        echo_json(to_json(found))
    else:
        for line in tree(found):
            say(line)
