"""`cortex ctx`: encode, decode, verify and count, on files and stdin."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from context_plane.ctx import tokens

ROWS = [{"id": n, "name": f"Customer {n}"} for n in range(30)]


def cortex(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Runs the command."""
    command = [sys.executable, "-m", "context_plane.cli", "ctx", *arguments]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=120)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"rows": ROWS}), "utf-8")
    return path


def test_there_and_back(source: Path, tmp_path: Path) -> None:
    """The text on stdout and nothing else, what was saved on stderr; verified against the original, also if changed."""
    made = cortex("encode", str(source), "--mode", "compact")
    assert made.returncode == 0
    assert made.stdout.decode().startswith('rows[30]{id,name<"Customer {}">}:\n0,0\n')
    assert b"saved), compact, L1" in made.stderr
    encoded = tmp_path / "rows.ctx"
    encoded.write_bytes(made.stdout)
    assert json.loads(cortex("decode", str(encoded)).stdout) == {"rows": ROWS}
    found = cortex("verify", str(source), str(encoded), "--json")
    assert found.returncode == 0
    assert json.loads(found.stdout)["level"] == "L1"
    encoded.write_bytes(made.stdout.replace(b"\n7,7\n", b"\n7,8\n"))
    found = cortex("verify", str(source), str(encoded))
    assert found.returncode == 1
    assert b"rows[7].name" in found.stdout


def test_text_from_stdin_comes_back_byte_by_byte() -> None:
    """Line ends, spaces at the end and all."""
    text = b"# Title\r\n\r\nSome  words here. " + b"The very same sentence, over and over again. " * 20 + b"\n\n\n"
    made = cortex("encode", "-", "--mode", "exact", given=text)
    assert made.returncode == 0
    assert len(made.stdout) < len(text)
    assert cortex("decode", "-", given=made.stdout).stdout == text


def test_as_json(source: Path) -> None:
    """What scripts rely on."""
    made = json.loads(cortex("encode", str(source), "--json").stdout)
    assert made["tokens"] == tokens.count(made["text"]) < made["original_tokens"]
    assert (made["kind"], made["mode"], made["level"]) == ("data", "verbatim", "L1")
    counted = json.loads(cortex("count", str(source), "--json").stdout)
    assert counted == {"tokens": made["original_tokens"], "tokenizer": "o200k_base"}


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        (("encode", "no/such/file"), b"", "no/such/file"),
        (("encode", "-"), b"a\nb\xff", "-, line 2"),
        (("encode", "-", "--mode", "semantic", "--kind", "data"), b"[1]", "use one of exact, verbatim, compact, dense"),
        (("encode", "-", "--kind", "data"), b'{"a": 1', "line 1, column 8"),
        (("decode", "-", "--kind", "data"), b"a[2]{x}:\n1", "line 2"),
        (("decode", "-"), b"\xc2\xa7text nonsense\nwords", "line 1"),
        (("encode", "-", "--mode", "best"), b"", "best"),
    ],
)
def test_what_is_wrong_is_named(arguments: tuple[str, ...], given: bytes, message: str) -> None:
    """On stderr, with exit code 2, and nothing on stdout."""
    done = cortex(*arguments, given=given)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert not done.stdout
