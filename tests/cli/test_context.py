"""`cortex context`: the forms of a bundle, and what cannot be asked."""

from __future__ import annotations

import json

import pytest

from context_plane import ContextPlane
from tests.cli.conftest import Shell, event, refused


def test_json_is_the_bundle_byte_for_byte(acme: Shell) -> None:
    """Both ways of asking for it give the façade's bytes."""
    with ContextPlane.open(acme.home) as plane:
        expected = plane.bundle("acme", "customer/acme")
    for form in (["--json"], ["--format", "json"]):
        assert acme("context", "acme", "customer/acme", *form).stdout_bytes == expected.json + b"\n"


def test_text_is_what_goes_into_a_prompt(acme: Shell) -> None:
    """Entity, fields and summary as canonical JSON."""
    text = acme("context", "acme", "customer/acme", "--format", "text").stdout
    assert json.loads(text).keys() == {"entity", "fields", "summary"}


def test_people_read_fields_and_summary(acme: Shell) -> None:
    """One line a field, lists one line an item."""
    lines = acme("context", "acme", "customer/acme").stdout.splitlines()
    assert lines[0] == "customer/acme  notes_v0  as of 2026-03-04T00:00:00Z"
    assert "notes   3" in lines
    assert "recent  2026-03-02T09:30:00Z  crm.note  Asked about SSO" in lines
    assert "        2026-03-03T09:30:00Z  crm.note  Asked about SSO" in lines


def test_as_of_and_known_at_cut_what_is_seen(acme: Shell) -> None:
    """A day means its end; a log number hides what came later."""
    later = acme.write("later.jsonl", event(9, time="2026-03-02T23:00:00Z"))
    assert acme("ingest", later, "--tenant", "acme").exit_code == 0

    def notes(*options: str) -> int:
        return int(acme.json("context", "acme", "customer/acme", *options)["fields"]["notes"])

    assert notes() == 4
    assert notes("--known-at", "1") == 3
    assert notes("--as-of", "2026-03-02") == 3
    assert notes("--as-of", "2026-03-02T23:00:00Z", "--known-at", "2") == 2


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["acme", "customer/none"], "customer/none"),
        (["acme", "acme"], "acme"),
        (["nobody", "customer/acme"], "nobody"),
        (["Acme!", "customer/acme"], "TENANT"),
        (["acme", "customer/acme", "--spec", "notes_v1"], "known are: notes_v0"),
        (["acme", "customer/acme", "--as-of", "2026-03-01T09:30:00"], "--as-of"),
        (["acme", "customer/acme", "--as-of", "2026-02-31"], "--as-of"),
        (["acme", "customer/acme", "--known-at", "2"], "use 1 to 1"),
        (["acme", "customer/acme", "--known-at", "0"], "use 1 to 1"),
        (["acme", "customer/acme", "--json", "--format", "text"], "exclude"),
    ],
)
def test_what_does_not_exist_is_named(acme: Shell, args: list[str], words: str) -> None:
    """Exit code 2, with the remedy where there is one."""
    assert words in refused(acme("context", *args))


def test_looking_does_not_make_a_home(cortex: Shell) -> None:
    """A read in the wrong folder says so and leaves nothing behind."""
    assert "CONTEXT_PLANE_HOME" in refused(cortex("context", "acme", "customer/acme"))
    assert not cortex.home.exists()


def test_a_damaged_segment_is_an_error_that_names_it(acme: Shell) -> None:
    """Never a wrong answer."""
    segment = next(acme.home.rglob("*.jsonl.zst"))
    body = bytearray(segment.read_bytes())
    body[len(body) // 2] ^= 1
    segment.chmod(0o600)
    segment.write_bytes(body)
    assert segment.name in refused(acme("context", "acme", "customer/acme"), 1)


def test_a_spec_that_does_not_parse_names_file_and_line(acme: Shell) -> None:
    """The remedy suggests the nearest word."""
    spec = acme.home / "contexts" / "notes_v0.yaml"
    spec.write_text(spec.read_text().replace("{count: true", "{cuont: true"))
    said = refused(acme("context", "acme", "customer/acme"))
    assert f"{spec}:5" in said
    assert "count" in said
