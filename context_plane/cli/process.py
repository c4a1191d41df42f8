"""`cortex process`: checking, reading and running processes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from context_plane.cli import actions, executions
from context_plane.cli.failures import NO
from context_plane.cli.options import json_option, open_existing, open_plane
from context_plane.cli.output import echo_json, note, say, table
from context_plane.errors import NotFound

if TYPE_CHECKING:
    from context_plane.processes.compiler.catalog import Catalog
    from context_plane.processes.linked import LinkedProcess

_STATUSES = ("accepted", "running", "paused", "halted", "failed", "cancelled", "succeeded")


@click.group("process")
def command() -> None:
    """Processes: workflows in YAML, compiled, triggered by events, run step by step."""


@command.command("check")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--amend", is_flag=True, help="Let versions that no run used change without a new number.")
@json_option
def check(paths: tuple[Path, ...], amend: bool, as_json: bool) -> None:
    """Compile the home's processes, or those in files and folders, and print every finding with its place, and what of
    Python files and models.yaml does not load. Exit code 1 where there are errors."""
    with open_plane() as plane:
        if not paths and not plane.settings.home.is_dir():
            remedy = "make one with cortex init, or set CONTEXT_PLANE_HOME"
            raise NotFound("there is no home here", where=str(plane.settings.home), remedy=remedy)
        catalog = plane.check_processes(paths, amend=amend)
        problems = () if paths else plane.process_problems()
    errors = sum(each.severity == "error" for each in catalog.diagnostics)
    warnings = len(catalog.diagnostics) - errors
    errors += len(problems)
    if as_json:
        told = [{"message": each.what, "where": each.where, "remedy": each.remedy} for each in problems]
        echo_json({"diagnostics": [each.to_json() for each in catalog.diagnostics], "problems": told})
    else:
        for each in catalog.diagnostics:
            say(str(each))
        for problem in problems:
            say(f"{problem.where}: error: {problem.what}: {problem.remedy}")
        if paths and not (catalog.sources or catalog.interfaces or catalog.actions or catalog.gates or errors):
            note("warning: nothing of these paths is a process file")
        found = (
            f"{_count(len(catalog.processes), 'process', 'processes')}, {_count(len(catalog.interfaces), 'interface')}"
        )
        note(f"{found}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors:
        raise click.exceptions.Exit(NO)


@command.command("list")
@click.option("--runs", metavar="TENANT", help="List a tenant's executions instead.")
@click.option("--process", "name", metavar="NAME", help="With --runs: only those of a process.")
@click.option("--status", type=click.Choice(_STATUSES), help="With --runs: only those that stand so.")
@click.option(
    "-n", "limit", type=click.IntRange(1), default=50, show_default=True, help="With --runs: at most so many."
)
@json_option
def list_(runs: str | None, name: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List the processes there are; with --runs the executions of a tenant, the newest first."""
    if runs is not None:
        with open_existing() as plane:
            heads = plane.executions(runs, process=name, status=status, limit=limit)
        executions.print_heads(heads, as_json=as_json)
        return
    if name or status:
        raise click.UsageError("--process and --status go with --runs TENANT.")
    with open_plane() as plane:
        catalog = plane.processes()
    if as_json:
        echo_json([_listed(each) for each in catalog.processes.values()])
        return
    rows = [
        [each.name, str(each.version), _kind(each), " ".join(step.id for step in each.steps), each.description]
        for each in catalog.processes.values()
    ]
    if rows:
        table(["process", "version", "starts", "steps", "description"], rows, right=[1])
    for each in sorted(catalog.broken):
        note(f"{each} does not compile: cortex process check says why")
    if not rows and not catalog.broken:
        note(f"there are no processes: write one into {plane.settings.process_folder}")


@command.command("inspect")
@click.argument("name")
@json_option
def inspect(name: str, as_json: bool) -> None:
    """Print a process as it is compiled: what it inherits from where, gates, steps, contexts; or an interface, with
    what it requires and the processes that implement it."""
    with open_plane() as plane:
        catalog = plane.processes()
        if name in catalog.interfaces and name not in catalog.processes and name not in catalog.broken:
            _inspect_interface(catalog, name, as_json=as_json)
            return
        found = plane.process(name)
    if as_json:
        echo_json({**found.to_json(), "digest": found.digest})
        return
    from context_plane.cli.processes import inspected

    for line in inspected(found):
        say(line)


@command.command("find")
@click.argument("text")
@click.option("-k", type=click.IntRange(1), default=5, show_default=True, help="At most so many.")
@json_option
def find(text: str, k: int, as_json: bool) -> None:
    """Find processes by what they are for."""
    with open_plane() as plane:
        found = plane.find_processes(text, k)
    if as_json:
        echo_json([{**_listed(each.process), "score": round(each.score, 4)} for each in found])
    elif found:
        table(
            ["process", "score", "description"],
            [[e.process.name, f"{e.score:.2f}", e.process.description] for e in found],
            [1],
        )
    else:
        note("no process shares a word with that")
    if not found:
        raise click.exceptions.Exit(NO)


@command.command("history")
@click.argument("name")
@json_option
def history(name: str, as_json: bool) -> None:
    """List the versions of a process that ever compiled, the oldest first."""
    with open_plane() as plane:
        found = plane.process_history(name)
    if as_json:
        echo_json([{**vars(each), "place": str(each.place), "steps": list(each.steps)} for each in found])
    else:
        rows = [[str(each.version), each.digest[:19], " ".join(each.steps), each.description] for each in found]
        table(["version", "digest", "steps", "description"], rows, [0])


@command.command("diff")
@click.argument("name")
@click.argument("old", type=int)
@click.argument("new", type=int)
@json_option
def diff(name: str, old: int, new: int, as_json: bool) -> None:
    """Compare two versions of a process: gates, knowledge, steps. Exit code 1 where they differ."""
    with open_plane() as plane:
        found = plane.process_diff(name, old, new)
    if as_json:
        echo_json(found.to_json())
    else:
        say(str(found))
    if found.changes:
        raise click.exceptions.Exit(NO)


@command.command("schema")
@json_option
def schema(as_json: bool) -> None:
    """Print the JSON Schema of process files, for editors; with --json on one line."""
    from context_plane.processes.language.schema import schema as made

    click.echo(json.dumps(made(), indent=None if as_json else 2))


def _listed(each: LinkedProcess) -> dict[str, Any]:
    return {
        "process": each.name, "version": each.version, "digest": each.digest, "abstract": each.abstract,
        "description": each.description, "extends": each.lineage[0][0] if each.lineage else None,
        "implements": list(each.implements), "triggers": [trigger.type for trigger in each.triggers],
        "steps": [step.id for step in each.steps],
    }  # fmt: skip


def _inspect_interface(catalog: Catalog, name: str, *, as_json: bool) -> None:
    from context_plane.cli.processes import inspected_interface
    from context_plane.processes.compiler.interfaces import implementing

    interface = catalog.interfaces[name]
    able = sorted(implementing(catalog, name), key=lambda each: (-each.dispatch.preference, each.name))
    if not as_json:
        for line in inspected_interface(interface, able):
            say(line)
        return
    echo_json(
        {
            "interface": name, "version": interface.version, "description": interface.description,
            "required_gates": list(interface.required_gates),
            "required_steps": [id for id, _ in interface.required_steps],
            "required_knowledge": list(interface.required_knowledge),
            "inputs": {each: vars(declared) for each, declared in interface.inputs.items()},
            "implementing": [
                {**_listed(each), "when": dict(each.dispatch.when), "preference": each.dispatch.preference}
                for each in able
            ],
        }
    )  # fmt: skip


def _kind(each: LinkedProcess) -> str:
    if each.abstract:
        return "abstract"
    return ", ".join(dict.fromkeys(trigger.type for trigger in each.triggers)) or "when called"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


for each in (actions.command, *executions.COMMANDS):
    command.add_command(each)
