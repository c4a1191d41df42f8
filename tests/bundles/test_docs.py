"""docs/context-specs.md and the specs under examples/ do what they say."""

from __future__ import annotations

import csv
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from context_plane.bundles.evaluate import Evaluator
from context_plane.bundles.folder import load_specs
from context_plane.bundles.spec import parse_spec
from context_plane.errors import InputError
from context_plane.instants import parse_instant
from tests.bundles.events import table
from tests.bundles.oracle import Event

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "context-specs.md").read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found
    return found.group(1)


def from_cloudevent(line: str) -> Event:
    raw = json.loads(line)
    data = raw["data"]
    text = data.get("text") or "; ".join(f"{key}: {value}" for key, value in sorted(data.items()))
    return Event(raw["subject"], parse_instant(raw["time"]), raw["source"], raw["id"], raw["type"], text, data)


def bundles(spec_path: str, events: list[Event], as_of: str) -> dict[str, dict[str, Any]]:
    (spec,) = load_specs(ROOT / "examples" / spec_path / "contexts").values()
    with Evaluator(spec, "demo") as evaluator:
        evaluator.load(table(events))
        return {e.entity: json.loads(b"{" + e.body) for e in evaluator.evaluate(parse_instant(as_of))}


def test_the_worked_example_is_true() -> None:
    """The spec and the events of the page give the bundle of the page."""
    spec = parse_spec(block("yaml"))
    with Evaluator(spec, "demo") as evaluator:
        evaluator.load(table(map(from_cloudevent, block("jsonl").splitlines())))
        (found,) = evaluator.evaluate(parse_instant("2026-04-01T00:00:00Z"))
    value = json.loads(b"{" + found.body)
    assert {"fields": value["fields"], "summary": value["summary"]} == json.loads(block("json"))


def test_the_error_shown_is_the_error_given() -> None:
    """The message of the page is what a user sees for that mistake."""
    text = "context: x\nentity: customer\n\nfields:\n  plan: {lattest: plan}\n"
    with pytest.raises(InputError) as caught:
        parse_spec(text, "contexts/customer.yaml")
    assert f"error: {caught.value}\n" == block("text")


def test_issue_contexts_of_real_issues(data_dir: Path) -> None:
    """The example for issues counts what the file holds, and every pull request's state follows from its events."""
    events = []
    with (data_dir / "issue-timelines" / "quicwg_multipath.events.jsonl").open() as lines:
        for number, line in enumerate(lines):
            raw = json.loads(line)
            kept = {key: raw[key] for key in ("actor", "labels", "refs", "closes") if key in raw}
            entity, kind = f"issue/{raw['entity']}", f"issue.{raw['event']}"
            at = parse_instant(raw["timestamp"])
            events.append(Event(entity, at, "issues", f"{number:05}", kind, raw["text"] or None, kept))
    found = bundles("issues", events, "2030-01-01T00:00:00Z")
    assert len(found) == 650
    assert sum(each["events"]["count"] for each in found.values()) == 7_158
    assert sum(each["fields"]["approvals"] for each in found.values()) == 624
    assert sum(each["fields"]["is_pull"] for each in found.values()) == 346
    assert {each["fields"]["state"] for each in found.values() if each["fields"]["merged"]} == {"merged"}
    assert all(each["summary"].count("\n") < 30 for each in found.values())


def test_customer_value_of_real_customers(data_dir: Path) -> None:
    """The example for a shop gives each customer's exact sum, as plain Python adds it up."""
    events, lifetime = [], {}
    with (data_dir / "cdnow" / "transactions.csv").open() as lines:
        for number, row in enumerate(csv.DictReader(lines)):
            entity, cents = f"customer/{row['customer_id']}", round(float(row["amount_usd"]) * 100)
            data = {"quantity": int(row["quantity"]), "amount_usd": float(row["amount_usd"])}
            at = parse_instant(f"{row['date']}T00:00:00Z")
            events.append(Event(entity, at, "cdnow", f"{number:06}", "purchase", "bought", data))
            lifetime[entity] = lifetime.get(entity, 0) + cents
    found = bundles("cdnow", events, "1998-07-01T00:00:00Z")
    assert {entity: each["fields"]["lifetime"] for entity, each in found.items()} == {
        entity: cents / 100 for entity, cents in lifetime.items()
    }
    assert sum(each["fields"]["orders"] for each in found.values()) == 69_659


def test_ticket_contexts_of_a_real_help_desk(data_dir: Path) -> None:
    """The example for tickets reads nested data and follows each ticket to its last step."""
    events, last = [], {}
    with gzip.open(data_dir / "process-logs" / "helpdesk.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            kind = "ticket." + re.sub(r"[^a-z0-9]+", "_", row["activity"].lower()).strip("_")
            data = {key: row[key] for key in ("activity", "resource")}
            data["event_attributes"] = json.loads(row["event_attributes"] or "null")
            entity, name = f"ticket/{row['case_id']}", f"{row['case_id']}-{int(row['event_index']):03}"
            at = parse_instant(row["timestamp"])
            events.append(Event(entity, at, "helpdesk", name, kind, row["activity"], data))
            last[entity] = max(last.get(entity, (0, "", "")), (at, name, row["activity"]))
    found = bundles("helpdesk", events, "2030-01-01T00:00:00Z")
    assert {entity: each["fields"]["last_step"] for entity, each in found.items()} == {e: x[2] for e, x in last.items()}
    assert sum(each["fields"]["steps"] for each in found.values()) == len(events) == 21_348
    assert all(each["fields"]["product"] for each in found.values())
