"""`cortex process run` and its like: executions begun, gone on with, ended and shown.

Here belong the commands about executions; those about what processes are, are `process`'s.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import click

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


@click.command("dry-run")
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


@click.command("run")
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
            print_heads([head], as_json=as_json)
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


@click.command("resume")
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


@click.command("cancel")
@click.argument("execution")
@json_option
def cancel(execution: str, as_json: bool) -> None:
    """End an execution; whoever runs it stops its handler."""
    with open_existing() as plane:
        head = plane.cancel(execution)
    print_heads([head], as_json=as_json)
    if head.status != "cancelled":
        note("its handler is being stopped")


@click.command("pause")
@click.argument("execution")
@json_option
def pause(execution: str, as_json: bool) -> None:
    """Ask a running execution to wait before its next step."""
    with open_existing() as plane:
        head = plane.pause(execution)
    print_heads([head], as_json=as_json)
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


def print_heads(heads: list[Head], *, as_json: bool) -> None:
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


COMMANDS: Final = (run, dry_run, resume, cancel, pause)
"""Below `cortex process`."""
