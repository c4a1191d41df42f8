"""`cortex process`: checking, reading and running processes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from context_plane.cli import actions
from context_plane.cli.ending import Terminated, handlers_print_to_stderr
from context_plane.cli.failures import NO
from context_plane.cli.options import json_option, open_existing, open_plane, tenant_option
from context_plane.cli.output import echo_json, note, say, table
from context_plane.errors import InputError
from context_plane.instants import format_instant

if TYPE_CHECKING:
    from context_plane.plane import ContextPlane
    from context_plane.processes.engine.dry import DryRun
    from context_plane.processes.engine.journal import Head
    from context_plane.processes.engine.state import Execution
    from context_plane.processes.linked import LinkedProcess


@click.group("process")
def command() -> None:
    """Processes: workflows in YAML, compiled, triggered by events, run step by step."""


@command.command("check")
@click.argument("paths", metavar="[PATH]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--amend", is_flag=True, help="Let versions that no run used change without a new number.")
@json_option
def check(paths: tuple[Path, ...], amend: bool, as_json: bool) -> None:
    """Compile the home's processes, or those in files and folders, and print every finding with its place.
    Exit code 1 where there are errors."""
    with open_plane() as plane:
        catalog = plane.check_processes(paths, amend=amend)
        problems = () if paths else plane.registry().problems
    errors = sum(each.severity == "error" for each in catalog.diagnostics)
    if as_json:
        echo_json({"diagnostics": [each.to_json() for each in catalog.diagnostics]})
    else:
        for each in catalog.diagnostics:
            say(str(each))
        for problem in problems:
            note(f"warning: {problem}")
        warnings = len(catalog.diagnostics) - errors
        found = (
            f"{_count(len(catalog.processes), 'process', 'processes')}, {_count(len(catalog.interfaces), 'interface')}"
        )
        note(f"{found}: {_count(errors, 'error')}, {_count(warnings, 'warning')}")
    if errors:
        raise click.exceptions.Exit(NO)


@command.command("list")
@click.option("--runs", metavar="TENANT", help="List a tenant's executions instead.")
@click.option("--process", "name", metavar="NAME", help="With --runs: only those of a process.")
@click.option("--status", metavar="STATUS", help="With --runs: only those that stand so.")
@click.option(
    "-n", "limit", type=click.IntRange(1), default=50, show_default=True, help="With --runs: at most so many."
)
@json_option
def list_(runs: str | None, name: str | None, status: str | None, limit: int, as_json: bool) -> None:
    """List the processes there are; with --runs the executions of a tenant, the newest first."""
    if runs is not None:
        with open_existing() as plane:
            heads = plane.executions(runs, process=name, status=status, limit=limit)
        _print_heads(heads, as_json=as_json)
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
    """Print a process as it is compiled: what it inherits from where, gates, steps, contexts."""
    with open_plane() as plane:
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


def _run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.argument("name", metavar="PROCESS|INTERFACE"),
        tenant_option,
        click.option(
            "--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input; JSON where it is no text."
        ),
        click.option("--entity", metavar="E", help="Whose events the records become."),
        click.option("--event", "event", metavar="FILE", help="The CloudEvent (JSON) that sets it off; - for stdin."),
        click.option("--prefer", metavar="PROCESS", help="Of an interface: the process to run, if it fits."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


@command.command("dry-run")
@_run_options
@json_option
def dry_run(
    name: str, tenant: str, inputs: tuple[str, ...], entity: str | None, event: str | None, prefer: str | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Do everything of a run but its handlers: evaluate gates, show the context of each step. Records nothing.
    Exit code 1 where a gate is closed or a context cannot be had."""
    with open_plane() as plane:
        given = _inputs(plane, name, inputs)
        found = plane.dry_run(name, tenant=tenant, inputs=given, entity=entity, event=_event(event), prefer=prefer)
    if as_json:
        echo_json(found.to_json())
    else:
        _show_dry(found)
    if not found.open:
        raise click.exceptions.Exit(NO)


def _log_level(_: click.Context, __: click.Parameter, level: str | None) -> None:
    """Structured entries on stderr, one JSON object a line, each with the id of its execution."""
    if level is not None:
        import logging

        from context_plane.processes.engine.telling import LOGGER, JSONLines

        handler = logging.StreamHandler()
        handler.setFormatter(JSONLines())
        logger = logging.getLogger(LOGGER.rpartition(".")[0])
        logger.addHandler(handler)
        logger.setLevel(level.upper())


_log_option = click.option(
    "--log",
    type=click.Choice(["trace", "debug", "info", "warning", "error"]),
    expose_value=False,
    callback=_log_level,
    help="Print what happens to stderr as JSON lines, from this level on.",
)


@command.command("run")
@_run_options
@_log_option
@click.option("--key", metavar="KEY", help="The same key runs nothing twice.")
@click.option("--break", "breakpoints", multiple=True, metavar="STEP", help="Pause before a step.")
@click.option("--no-wait", is_flag=True, help="Accept the execution and leave the running to a worker.")
@json_option
def run(
    name: str, tenant: str, inputs: tuple[str, ...], entity: str | None, event: str | None, prefer: str | None,
    key: str | None, breakpoints: tuple[str, ...], no_wait: bool, as_json: bool,
) -> None:  # fmt: skip
    """Run a process, or the one that implements an interface, and print its trace.
    Exit code 1 where it did not succeed."""
    with open_plane() as plane:
        how: dict[str, Any] = {
            "tenant": tenant, "inputs": _inputs(plane, name, inputs), "entity": entity, "event": _event(event),
            "key": key, "prefer": prefer, "breakpoints": breakpoints,
        }  # fmt: skip
        head = plane.start(name, **how)
        if no_wait:
            _print_heads([head], as_json=as_json)
            return
        going = head.status in ("accepted", "running")
        found = _run(head.id, lambda: plane.resume(head.id)) if going else plane.execution(head.id)
    _print_execution(found, as_json=as_json)


def _run(id: str, running: Callable[[], Execution]) -> Execution:
    """Runs an execution; who is interrupted is told how to go on."""
    try:
        with handlers_print_to_stderr():
            return running()
    except (KeyboardInterrupt, Terminated):
        note(f"interrupted; go on with: cortex process resume {id}")
        raise


@command.command("resume")
@click.argument("execution")
@click.option("--context", "context", type=click.File("r"), help="Give the next step this context instead.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Give the next step another input.")
@_log_option
@json_option
def resume(execution: str, context: Any, inputs: tuple[str, ...], as_json: bool) -> None:
    """Go on with an execution that is paused, halted, failed, or was cut off."""
    with open_existing() as plane:
        edits = {key: _value(value) for key, value in map(_pair, inputs)}
        text = None if context is None else context.read()
        found = _run(execution, lambda: plane.resume(execution, context=text, inputs=edits or None))
    _print_execution(found, as_json=as_json)


@command.command("cancel")
@click.argument("execution")
@json_option
def cancel(execution: str, as_json: bool) -> None:
    """End an execution; whoever runs it stops its handler."""
    with open_existing() as plane:
        head = plane.cancel(execution)
    _print_heads([head], as_json=as_json)
    if head.status != "cancelled":
        note("its handler is being stopped")


@command.command("pause")
@click.argument("execution")
@json_option
def pause(execution: str, as_json: bool) -> None:
    """Ask a running execution to wait before its next step."""
    with open_existing() as plane:
        head = plane.pause(execution)
    _print_heads([head], as_json=as_json)
    if head.status != "paused":
        note("it will pause before its next step")


def _inputs(plane: ContextPlane, name: str, given: tuple[str, ...]) -> dict[str, Any]:
    """Inputs from the command line: text where the process declares text, JSON elsewhere."""
    if not given:
        return {}
    catalog = plane.processes()
    declared: Mapping[str, Any] = getattr(catalog.processes.get(name) or catalog.interfaces.get(name), "inputs", {})
    found = {}
    for key, value in map(_pair, given):
        found[key] = value if key in declared and declared[key].type == "text" else _value(value)
    return found


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name.strip():
        raise InputError(f"{text!r:.80} is no input", where="--input", remedy="write it as NAME=VALUE")
    return name.strip(), value


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _event(path: str | None) -> dict[str, Any] | None:
    """The event in a file, checked as if it came in."""
    if path is None:
        return None
    from context_plane.log.events import Normaliser

    try:
        with click.open_file(path, "rb") as file:
            raw = json.load(file)
    except OSError as error:
        raise InputError(f"the file cannot be read: {error.strerror}", where=path, remedy="check the path") from error
    except ValueError as error:
        raise InputError(f"not JSON: {error}", where=path, remedy="give one CloudEvent as JSON") from error
    try:
        event: dict[str, Any] = json.loads(Normaliser()(raw).line)
    except InputError as error:
        raise InputError(error.what, where=path, remedy=error.remedy) from error
    return event


def _print_execution(found: Execution, *, as_json: bool) -> None:
    from context_plane.processes.engine.trace import to_json, tree

    if as_json:
        echo_json(to_json(found))
    else:
        for line in tree(found):
            say(line)
        if found.status in ("paused", "halted", "failed"):
            note(f"go on with: cortex process resume {found.id}")
    if found.status != "succeeded":
        raise click.exceptions.Exit(NO)


def _print_heads(heads: list[Head], *, as_json: bool) -> None:
    if as_json:
        echo_json(
            [
                {
                    "execution": each.id, "process": each.process, "version": each.version, "entity": each.entity,
                    "status": each.status, "created": format_instant(each.created),
                    "updated": format_instant(each.updated), "wanted": each.wanted,
                }
                for each in heads
            ]
        )  # fmt: skip
        return
    rows = [
        [each.id, f"{each.process} {each.version}", each.entity, each.status, format_instant(each.updated)]
        for each in heads
    ]
    if rows:
        table(["execution", "process", "entity", "status", "updated"], rows)
    else:
        note("there are none")


def _show_dry(found: DryRun) -> None:
    from context_plane.cli.processes import dry

    for line in dry(found):
        say(line)


def _listed(each: LinkedProcess) -> dict[str, Any]:
    return {
        "process": each.name, "version": each.version, "digest": each.digest, "abstract": each.abstract,
        "description": each.description, "extends": each.lineage[0][0] if each.lineage else None,
        "implements": list(each.implements), "triggers": [trigger.type for trigger in each.triggers],
        "steps": [step.id for step in each.steps],
    }  # fmt: skip


def _kind(each: LinkedProcess) -> str:
    if each.abstract:
        return "abstract"
    return ", ".join(dict.fromkeys(trigger.type for trigger in each.triggers)) or "when called"


def _count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or one + 's'}"


command.add_command(actions.command)
