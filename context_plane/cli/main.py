"""`cortex`: which commands there are, and how a run of any of them begins and ends.

Here belong the list of commands and the frame around them: loading a command only when it is run, `--debug`, exit
codes, interruption, a closed pipe. What a command does is in the module of its name; how errors read is `failures`.

Commands that need what the plane must not import (Dagster) are found through the entry point group
``context_plane.commands``: each is a `click.Command`. They are looked for only when no command of ours has the name, so
that a plain read does not pay for the search.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import Any, Final, NoReturn

import click

from context_plane.cli import failures, plugins
from context_plane.cli.ending import Terminated, ending_in_order

BUILT_IN: Final = (
    "init", "doctor", "demo", "ingest", "context", "search", "sql", "memory", "knowledge", "package", "process",
    "trace", "ctx", "audit", "cache",
)  # fmt: skip
"""Our own commands, in the order of `--help`; each is the attribute `command` of the module of its name."""

INTERRUPTED: Final = 130  # 128 + SIGINT, as shells report it
TERMINATED: Final = 143  # 128 + SIGTERM
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE

_THREADED: Final = frozenset({"lancedb", "duckdb", "pyarrow"})
"""Libraries with threads of their own."""


class Cortex(click.Group):
    """The group of all commands. Ends every run with an exit code, and every failed one with one line on stderr."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Our own commands and those that others provide."""
        return [*BUILT_IN, *(name for name in plugins.names() if name not in BUILT_IN)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """The command of a name, imported now; `None` where there is none."""
        if cmd_name in BUILT_IN:
            command: click.Command = import_module(f"context_plane.cli.{cmd_name}").command
            return _debuggable(command)
        found = plugins.load(cmd_name)
        return None if found is None else _debuggable(found)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> NoReturn:  # type: ignore[override]
        """Runs a command line and exits: 0 done, 1 the answer is no, 2 wrong use or bad input."""
        # Not click's own main: it answers a closed pipe and Ctrl-C with exit codes of its own.
        extra.pop("standalone_mode", None)
        name = prog_name or "cortex"
        self._main_shell_completion(extra, name)
        code = self._run(list(sys.argv[1:] if args is None else args), name, extra)
        if args is None and not _THREADED.isdisjoint(sys.modules):
            _end(code)
        sys.exit(code)

    def _run(self, args: list[str], name: str, extra: dict[str, Any]) -> int:
        state: dict[str, bool] = {}
        try:
            with ending_in_order(), self.make_context(name, args, obj=state, **extra) as ctx:
                self.invoke(ctx)
            sys.stdout.flush()
        except click.exceptions.Exit as end:
            return end.exit_code
        except (click.Abort, KeyboardInterrupt):
            return INTERRUPTED
        except Terminated:
            return TERMINATED
        except BrokenPipeError:
            _drop_output()
            return PIPE_CLOSED
        except Exception as error:  # noqa: BLE001 - the one place where whatever failed becomes a line and an exit code
            if state.get("debug"):
                import traceback

                traceback.print_exc()
            return failures.report(error)
        return 0


def _end(code: int) -> NoReturn:
    """Ends the process without taking modules apart: while LanceDB's thread lives, DuckDB prints a page of leaks, and a
    thread of DuckDB or Arrow that is just at work aborts a process whose work is done."""
    import atexit

    atexit._run_exitfuncs()  # noqa: SLF001 - what a regular exit would call first
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _drop_output() -> None:
    """Whoever read our output is gone: what is still buffered goes nowhere, instead of failing again at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _switch_debug_on(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        ctx.find_root().obj["debug"] = True


def _debug_option() -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        is_eager=True,
        callback=_switch_debug_on,
        help="Print the traceback of an error.",
    )


def _debuggable(command: click.Command) -> click.Command:
    """The command with `--debug`, which every command has, others' too."""
    if isinstance(command, click.Group):
        for inner in command.commands.values():
            _debuggable(inner)
    if not any("--debug" in parameter.opts for parameter in command.params):
        command.params.append(_debug_option())
    return command


@click.group(
    cls=Cortex,
    params=[_debug_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog="Settings: CONTEXT_PLANE_HOME (default ./.context-plane), and plane.toml in it. "
    "Exit codes: 0 ok, 1 the answer is no, 2 wrong use or bad input.",
)
@click.version_option(package_name="context-plane", message="%(package)s %(version)s")
def main() -> None:
    """Events in; deterministic, versioned context for AI agents out."""
