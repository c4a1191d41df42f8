"""The frame of `cortex`: which commands there are, how a run fails, how it is interrupted, what it imports."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from context_plane.cli.failures import describe, printable
from context_plane.errors import Conflict, Corrupt, Denied, Infeasible, InputError, NotFound, Unavailable
from tests.cli.conftest import Provide, Shell, event, refused

BUILT = {
    "cache",
    "init",
    "doctor",
    "demo",
    "ingest",
    "materialize",
    "context",
    "search",
    "package",
    "sql",
    "memory",
    "knowledge",
    "ctx",
    "audit",
    "process",
    "trace",
}  # contract.md, as far as it is built
HEAVY = {"dagster", "duckdb", "pyarrow", "numpy", "pydantic", "yaml", "rich", "obstore"}


def test_help_lists_what_is_built_and_nothing_else(cortex: Shell) -> None:
    """A name of the contract that is not built yet does not appear."""
    done = cortex("--help")
    assert done.exit_code == 0
    assert set(re.findall(r"^  (\w+) ", done.stdout.partition("Commands:")[2].partition("\n\n")[0], re.M)) == BUILT


@pytest.mark.parametrize(
    "command",
    sorted(
        BUILT - {"cache", "ctx", "memory", "knowledge", "package", "audit"}
        | {"cache stats", "ctx encode", "memory inspect", "knowledge sync", "package build", "audit replay"}
    ),
)
def test_every_command_has_help_json_and_debug(cortex: Shell, command: str) -> None:
    """What every command has, others' commands have too."""
    done = cortex(*command.split(), "--help")
    assert done.exit_code == 0
    assert "--json" in done.stdout
    assert "--debug" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    """Whoever asks for help, or mistypes, does not wait for Dagster, Arrow or DuckDB."""
    code = (
        "import sys\nfrom context_plane.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Commands:" in done.stdout
    assert not HEAVY & set(done.stdout.split())


def test_version(cortex: Shell) -> None:
    """The version of the distribution."""
    assert re.fullmatch(r"context-plane \d+\.\d+\.\d+\n", cortex("--version").stdout)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--nothing"], "--nothing"),
        (["contxt", "acme", "customer/acme"], "contxt"),
        (["ingest"], "PATH"),
        (["ingest", "x.jsonl"], "--tenant"),
        (["context", "acme"], "ENTITY"),
        (["context", "acme", "customer/acme", "--format", "xml"], "xml"),
        (["context", "acme", "customer/acme", "--known-at", "one"], "one"),
        (["context", "acme", "customer/acme", "--formt", "json"], "--format"),
        (["sql", "acme"], "QUERY"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_2(cortex: Shell, args: list[str], words: str) -> None:
    """What the option parser refuses reads like every other error."""
    assert words in refused(cortex(*args))


def test_no_command_shows_the_help_and_is_wrong_use(cortex: Shell) -> None:
    """A script with an empty variable does not succeed."""
    done = cortex()
    assert done.exit_code == 2
    assert "Commands:" in done.stderr


@pytest.mark.parametrize("kind", [InputError, NotFound, Conflict])
def test_bad_input_exits_with_2(kind: type[InputError]) -> None:
    """What was named does not exist, or is not what it should be."""
    assert describe(kind("what", where="where", remedy="remedy")) == ("error: what, where, remedy", 2)


@pytest.mark.parametrize("kind", [Denied, Infeasible, Corrupt, Unavailable])
def test_a_no_exits_with_1(kind: type[InputError]) -> None:
    """Better input would not change the answer."""
    assert describe(kind("what\nand why", remedy="remedy")) == ("error: what and why, remedy", 1)


def test_an_unexpected_error_is_one_line_too(acme: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect of ours ends without a traceback, and says how to get one."""
    monkeypatch.setattr("context_plane.plane.ContextPlane.bundle", lambda *_, **__: 1 / 0)
    line = refused(acme("context", "acme", "customer/acme"), 1)
    assert "ZeroDivisionError" in line
    assert "--debug" in line


def test_debug_shows_where_it_failed(acme: Shell) -> None:
    """With `--debug`, before or behind the command, the traceback comes with the line."""
    for args in (["--debug", "context", "acme", "customer/none"], ["context", "acme", "customer/none", "--debug"]):
        done = acme(*args)
        assert done.exit_code == 2
        assert "Traceback" in done.stderr
        assert done.stderr.splitlines()[-1].startswith("error: ")


def test_text_from_outside_cannot_drive_the_terminal(cortex: Shell) -> None:
    """Control characters and direction overrides are written out."""
    assert printable("a\x1b[31mb\x9bc\u202ed") == "a\\x1b[31mb\\x9bc\\u202ed"
    line = refused(cortex("ingest", "no\x1b[2Jsuch\nfile", "--tenant", "acme"))
    assert "\x1b" not in line


def test_interrupting_ends_quietly_with_130(cortex: Shell, tmp_path: Path) -> None:
    """Ctrl-C: no traceback, no error, nothing stored."""
    import os

    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background ignores it
    running = cortex.start("ingest", pipe, "--tenant", "acme", stderr=subprocess.PIPE)
    signal.signal(signal.SIGINT, before)
    with open(pipe, "w"):  # opens when the command has begun to read
        running.send_signal(signal.SIGINT)
        _, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert not stderr.strip()


def test_a_closed_pipe_is_no_error(acme: Shell) -> None:
    """`cortex … | head` ends quietly."""
    tables = ", ".join(f"events e{n}" for n in range(9))
    running = acme.start(
        "sql", "acme", f"SELECT e0.text FROM {tables}", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline() == "[\n"
    running.stdout.close()
    assert running.stderr.read() == ""
    running.stderr.close()
    assert running.wait(timeout=60) == 141


def test_the_executable_runs_the_whole_way(cortex: Shell) -> None:
    """Events in, context out, through the door a user takes."""
    path = cortex.write("events.jsonl", event(1))
    done = cortex.start("ingest", path, "--tenant", "acme", stdout=subprocess.PIPE)
    assert "commit 1, 1 accepted" in done.communicate(timeout=60)[0]
    found = cortex.start("sql", "acme", "SELECT count(*) AS n FROM events", "--json", stdout=subprocess.PIPE)
    assert found.communicate(timeout=60)[0] == '[\n{"n": 1}\n]\n'


# --- commands of others ----------------------------------------------------------------------------------------------


def test_a_provided_command_is_listed_and_runs(cortex: Shell, provide: Provide) -> None:
    """An entry point is all it takes."""
    provide("other", "hello", "hello_command:hello", "import click\n@click.command()\ndef hello():\n    print('hi')\n")
    assert "hello" in cortex("--help").stdout
    assert cortex("hello").stdout == "hi\n"
    assert "--debug" in cortex("hello", "--help").stdout


def test_a_provided_command_that_does_not_import_says_why(cortex: Shell, provide: Provide) -> None:
    """It is listed, does not break `--help`, and names the package and what is missing."""
    provide("other", "hello", "hello_broken:hello", "import no_such_module\n")
    assert cortex("--help").exit_code == 0
    line = refused(cortex("hello", "--any", "option"), 1)
    assert "no_such_module" in line
    assert "other 1.0" in line
    assert "import no_such_module" in cortex("hello", "--debug").stderr


def test_a_provided_object_that_is_no_command_is_refused(cortex: Shell, provide: Provide) -> None:
    """The entry point is named."""
    provide("other", "hello", "hello_number:hello", "hello = 1\n")
    assert "int, not a click.Command, other 1.0: hello_number:hello" in refused(cortex("hello"), 1)


def test_two_packages_with_one_command_are_refused(cortex: Shell, provide: Provide) -> None:
    """Neither wins silently."""
    command = "import click\n@click.command()\ndef hello(): ...\n"
    provide("one", "hello", "hello_one:hello", command)
    provide("two", "hello", "hello_two:hello", command)
    line = refused(cortex("hello"), 1)
    assert "2 packages provide the command 'hello'" in line
    assert "one 1.0" in line
    assert "two 1.0" in line


def test_a_provided_command_cannot_replace_one_of_ours(cortex: Shell, provide: Provide) -> None:
    """Ours runs, and doctor names the other."""
    provide("other", "sql", "other_sql:sql", "import click\n@click.command()\ndef sql(): ...\n")
    assert "QUERY" in cortex("sql", "--help").stdout
    assert "other_sql:sql is hidden by our own" in cortex("doctor").stdout
