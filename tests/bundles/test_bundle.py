"""The bundle as readers hold it: bytes first, values on demand."""

from __future__ import annotations

import json

from context_plane.bundles.bundle import Bundle, Events
from context_plane.canonical import canonical

VALUE = {
    "as_of": "2026-04-01T00:00:00Z",
    "entity": "customer/acme",
    "events": {"count": 2, "digest": "sha256:00"},
    "fields": {"big": 2**60, "plan": "pro"},
    "schema": "customer_v0",
    "summary": "2026-03-01 note: Hello.",
    "tenant": "t",
    "tokens": 17,
    "version": "sha256:11",
}


def bundle(**changes: object) -> Bundle:
    value = {key: item for key, item in {**VALUE, **changes}.items() if item is not None}
    body = canonical(value).removeprefix(b'{"as_of":"2026-04-01T00:00:00Z",')
    return Bundle("customer/acme", "customer_v0", "2026-04-01T00:00:00Z", body)


def test_a_bundle_is_its_bytes() -> None:
    """`json` is the canonical bundle; every value in it has an attribute."""
    found = bundle()
    assert found.json == canonical(VALUE)
    assert found.to_dict() == VALUE
    assert found.fields == VALUE["fields"]
    assert (found.summary, found.tenant, found.tokens, found.version) == (
        "2026-03-01 note: Hello.",
        "t",
        17,
        "sha256:11",
    )
    assert found.events == Events(2, "sha256:00")
    assert "customer/acme" in repr(found)


def test_text_is_what_a_prompt_needs() -> None:
    """`text` is canonical JSON of entity, fields and summary; without a summary of the first two."""
    assert json.loads(bundle().text) == {key: VALUE[key] for key in ("entity", "fields", "summary")}
    assert bundle(summary=None).text == '{"entity":"customer/acme","fields":{"big":1152921504606846976,"plan":"pro"}}'
    assert bundle(summary=None).summary is None


def test_equal_bytes_are_equal_bundles() -> None:
    """Bundles compare by their bytes and can be kept in sets."""
    assert bundle() == bundle()
    assert bundle() != bundle(tokens=18)
    assert bundle() != "bundle"
    assert len({bundle(), bundle(), bundle(tokens=18)}) == 2
