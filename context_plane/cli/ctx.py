"""`cortex ctx`: the format itself, on any file or stdin."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

import click

from context_plane.cli.options import json_option
from context_plane.cli.output import echo_json, note, say
from context_plane.cli.texts import read

if TYPE_CHECKING:
    from context_plane.ctx.documents import Kind, Mode

_MODES: Final = ("exact", "verbatim", "compact", "dense", "semantic", "rewrite")
_file = click.argument("file", metavar="FILE")
_kind = click.option(
    "--kind", type=click.Choice(["data", "text"]), help="What it is; by default data where it is JSON or JSON Lines."
)
_mode = click.option(
    "--mode", type=click.Choice(_MODES), default="verbatim", show_default=True,
    help="exact: the bytes. verbatim: every value or word. compact: repeats are said once. dense: codes (data). "
    "semantic: facts (English text). rewrite: a plugin's words, lossy.",
)  # fmt: skip
_rewriter = click.option("--rewriter", metavar="NAME", help="The plugin that rewrites, for --mode rewrite.")


@click.group("ctx")
def command() -> None:
    """Encode, decode, verify and count text for a model's context window. FILE may be - for stdin."""


@command.command("encode")
@_file
@_mode
@_kind
@_rewriter
@json_option
def encode(file: str, mode: Mode, kind: Kind | None, rewriter: str | None, as_json: bool) -> None:
    """Print FILE in CTX; how many tokens that saves goes to stderr."""
    from context_plane.ctx import documents

    made = documents.encode(read(file), mode, kind, rewriter)
    if as_json:
        fields = ("text", "kind", "mode", "level", "tokens", "original_tokens", "sha256")
        echo_json({name: getattr(made, name) for name in fields})
        return
    _write(made.text)
    note(f"{made.tokens:,} tokens of {made.original_tokens:,} ({made.saved:.1%} saved), {made.mode}, {made.level}")


@command.command("decode")
@_file
@_kind
def decode(file: str, kind: Kind | None) -> None:
    """Print what FILE, which is in CTX, stands for: JSON, or the text."""
    from context_plane.ctx import documents

    found, value = documents.decode(read(file), kind)
    _write(json.dumps(value, ensure_ascii=False, indent=2) if found == "data" else value)


@command.command("verify")
@_file
@click.argument("encoded", metavar="[CTX]", required=False)
@_mode
@_kind
@_rewriter
@json_option
def verify(file: str, encoded: str | None, mode: Mode, kind: Kind | None, rewriter: str | None, as_json: bool) -> None:
    """Check how much of FILE is certain in CTX, or in what --mode makes of FILE. Exits 1 where facts are missing."""
    from context_plane.ctx import documents

    original = read(file)
    made = None if encoded is not None else documents.encode(original, mode, kind, rewriter)
    text = read(encoded) if encoded is not None else made.text if made is not None else ""
    found = documents.verify(original, text, kind)
    wrong = found.level is None or (made is not None and made.level != "lossy" and found.level > made.level)
    if as_json:
        differences = [{"where": where, "what": what} for where, what in found.differences]
        echo_json({"level": found.level, "differences": differences})
    else:
        say(_MEANINGS[found.level])
        for where, what in found.differences:
            say(f"  {where}: {what}")
    raise click.exceptions.Exit(1 if wrong else 0)


_MEANINGS: Final = {
    "L0": "L0: the very bytes",
    "L1": "L1: the same structure, every value and word",
    "L2": "L2: the same facts; words of running text are missing",
    None: "not even the facts are the same",
}


@command.command("count")
@_file
@json_option
def count(file: str, as_json: bool) -> None:
    """Print how many tokens FILE has."""
    from context_plane.ctx import tokens

    number = tokens.count(read(file))
    if as_json:
        echo_json({"tokens": number, "tokenizer": tokens.TOKENIZER})
    else:
        say(f"{number:,} tokens ({tokens.TOKENIZER})")


def _write(text: Any) -> None:
    """A text as it is, with no line end that it does not have where a program reads it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
    if sys.stdout.isatty() and not text.endswith("\n"):
        sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
