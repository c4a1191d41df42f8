"""How errors read on the command line: ``error: what, where, remedy``, on one line of stderr, and which exit code.

Exit code 2 is wrong use or bad input: what was named does not exist, or is not what it should be. Exit code 1 is a no
that better input would not change: the store refuses, a limit stands, stored bytes are damaged, a check failed.
"""

from __future__ import annotations

import errno
import re
from typing import Final

import click

from context_plane.errors import Conflict, ContextPlaneError, InputError, NotFound

NO: Final = 1
WRONG: Final = 2

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_BAD_INPUT: Final = (InputError, NotFound, Conflict)
_WRONG_PATHS: Final = {errno.ENOENT, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ELOOP}


def report(error: Exception) -> int:
    """Says on stderr what failed, and returns the exit code."""
    line, code = describe(error)
    click.echo(printable(line), err=True)
    return code


def describe(error: Exception) -> tuple[str, int]:
    """The line for an error, and its exit code."""
    if isinstance(error, ContextPlaneError):
        return line(error.what, error.where, error.remedy), WRONG if isinstance(error, _BAD_INPUT) else NO
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message(), WRONG
    if isinstance(error, click.UsageError):
        return line(*_usage(error)), WRONG
    if isinstance(error, click.ClickException):
        return line(error.format_message(), "", ""), WRONG
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else str(error.filename)
        return line(error.strerror, where, "check the path and its permissions"), _os_code(error)
    what = f"unexpected {type(error).__name__}: {error}"
    return line(what, "", "run it again with --debug and report the output"), NO


def line(what: str, where: str, remedy: str) -> str:
    """The parts of an error on one line."""
    return "error: " + ", ".join(" ".join(part.split()) for part in (what, where, remedy) if part)


def printable(text: str) -> str:
    """`text` with control characters written out, so that nothing from outside can drive the terminal."""
    return "\n".join(_UNPRINTABLE.sub(_written_out, each) for each in text.split("\n"))


def _written_out(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _usage(error: click.UsageError) -> tuple[str, str, str]:
    message = error.format_message().strip()
    what, _, hint = message.partition("Did you mean") if "Did you mean" in message else (message, "", "")
    command = error.ctx.command_path if error.ctx else "cortex"
    what = what.strip().rstrip(".")
    what = what[:1].lower() + what[1:]
    return what, command, f"did you mean{hint}" if hint else f"see {command} --help"


def _os_code(error: OSError) -> int:
    return WRONG if error.errno in _WRONG_PATHS else NO
