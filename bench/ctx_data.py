"""CTX for data: tokens beside published counts, random and adversarial documents, changed texts, speed.

Counts are o200k_base. The published ones are those of TOON's own eight data sets, as they lie beside the data.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from bench.clock import stopwatch
from context_plane.ctx import tokens
from context_plane.ctx.data import encoding
from context_plane.ctx.data.decoding import decode
from context_plane.ctx.data.encoding import compact_json, encode
from context_plane.ctx.data.equality import same
from context_plane.ctx.data.planning import Mode
from context_plane.demo.customers import World
from context_plane.demo.events import all_events
from context_plane.errors import InputError

MODES: Final[tuple[Mode, ...]] = ("verbatim", "compact", "dense")
_DOCUMENTS: Final = 100_000
_CHANGES: Final = 20_000


def sizes(folder: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG001 - every case is given one
    """Tokens of each data set in each mode, beside JSON, CSV and TOON."""
    data = Path(os.environ["CONTEXT_PLANE_TEST_DATA"])
    total = dict.fromkeys(("toon", *MODES), 0)
    for each in json.loads((data / "toon/token_counts.json").read_text("utf-8")):
        if each["track"] == "token_efficiency":
            counts = each["tokens_o200k"]
            value = json.loads((data / f"toon/token_efficiency/{each['name']}.json").read_text("utf-8"))
            found = _sizes(value)
            total["toon"] += counts["toon"]
            for mode in MODES:
                total[mode] += found[mode]
            yield {
                "what": each["name"],
                "json": counts["json-compact"],
                "csv": counts.get("csv"),
                "toon": counts["toon"],
                **found,
            }
    yield {
        "what": "all eight",
        **total,
        **{f"{mode}_to_toon": round(total[mode] / total["toon"] - 1, 4) for mode in MODES},
    }
    for name, value in _others(data):
        pretty = tokens.count(json.dumps(value, ensure_ascii=False, indent=2))
        yield {"what": name, "json_pretty": pretty, "json": tokens.count(compact_json(value)), **_sizes(value)}


def _sizes(value: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in MODES:
        text = encode(value, mode)
        if not same(decode(text), value):
            raise SystemExit("error: a value did not come back")
        found[mode] = tokens.count(text)
    return found


def _others(data: Path) -> Iterator[tuple[str, Any]]:
    """Real data of other shapes, and the demo's customers."""
    for path in sorted((data / "documents/owasp-asvs").glob("*.json")):
        yield f"OWASP {path.stem}", json.loads(path.read_text("utf-8"))
    for name in ("issue-timelines/quicwg_multipath.events", "agent-trajectories/tau-bench-airline.steps"):
        lines = (data / f"{name}.jsonl").read_text("utf-8").splitlines()[:1_000]
        yield f"{name.split('/')[0]}, {len(lines)} lines", [json.loads(line) for line in lines]
    yield "demo's timelines, 1,000 events", list(islice(all_events(World(200)), 1_000))


def random_documents(folder: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Documents of random and hostile values: how many do not come back, and how many needed a fall-back."""
    chance = random.Random(20_261_127)
    wrong = tables = fallen = 0
    with stopwatch() as watch:
        for number in range(_DOCUMENTS):
            value, mode = document(chance), MODES[number % 3]
            text = encode(value, mode)
            wrong += not same(decode(text), value)
            fallen += not encoding._decodes(encoding._laid_out(value, mode), value)  # noqa: SLF001 - without its net
            tables += "]{" in text or "]<" in text
    yield {
        "what": "random and hostile",
        "documents": _DOCUMENTS,
        "wrong": wrong,
        "layouts_wrong": fallen,
        "with tables": tables,
        "s": round(watch.seconds),
    }


_WORDS: Final = (
    "a", "b c", "", "true", "null", "1", "-0", "1.0", "~", "a,b", "a|b", "a;b", "a\tb", 'a"b', '"', "{", "}", "[",
    "]", "[]", "{}", "a:b", ":", "#1", "<2025MM>", "2025-01-31", "2025-02-30T10:00:00Z", "ORD-0001", "ORD-0002",
    "/api/x", "/api/y", "\n", "\r", "\u2028", "\ufeff", "\0", "\x7f", " a", "a ", "é", "日本", "\ud800",
    "-", "- a", "👩\u200d👧", "§text exact", "a[2]{b}:", "=", "(", ")", "@", "ignore all that was said", "x" * 60,
    "\\", "\\n", "0001", "+1", "1_000", ".5", "NaN", "Infinity",
)  # fmt: skip
_KEYS: Final = (
    "id",
    "name",
    "at",
    "type",
    "a b",
    "a.b",
    "",
    "1",
    "-",
    "$ref",
    "k:v",
    "a,b",
    'q"',
    "\n",
    "日",
    "x{y}",
    "[0]",
)


def document(chance: random.Random) -> Any:
    """A value of a random shape: mostly records, some of them hostile."""
    shape = chance.random()
    if shape < 0.25:
        return _value(chance, 4)
    names = chance.sample(_KEYS, chance.randint(1, 6))
    makers = {name: _maker(chance) for name in names}
    gaps = chance.random() < 0.4
    rows = [
        {name: make() for name, make in makers.items() if not gaps or chance.random() < 0.8}
        for _ in range(chance.choice((0, 1, 2, 3, 5, 8, 20, 60)))
    ]
    if shape < 0.5:
        return rows
    if shape < 0.7:
        return {"rows": rows, "n": len(rows), "meta": _value(chance, 2)}
    if shape < 0.85:
        return {"all": {f"{chance.choice(_WORDS)}{number}": row for number, row in enumerate(rows)}}
    return [
        {"title": chance.choice(_WORDS), "rows": rows[: chance.randint(0, 4)], "deep": {"rows": rows[:2]}}
        for _ in range(3)
    ]


def _maker(chance: random.Random) -> Any:
    """What makes the values of one column."""
    few, start = chance.sample(_WORDS, 3), chance.randint(-3, 3_000)
    return chance.choice(
        [
            lambda: chance.choice(_WORDS),
            lambda: chance.choice(few),
            lambda: few[0],
            lambda: chance.randint(-2, 10 ** chance.randint(1, 18)),
            lambda: chance.choice((1, 1.0, True, "1", None, -0.0)),
            lambda: round(chance.uniform(-9, 999), 2),
            lambda: f"ORD-{chance.randint(0, 9999):04}",
            lambda: f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
            lambda: f"2025-01-{chance.randint(10, 31)}T10:{chance.randint(10, 59)}:00.{chance.randint(100, 999)}Z",
            lambda: f"/{few[1]}/{start}/{chance.randint(0, 99)}",
            lambda: [chance.choice(_WORDS) for _ in range(chance.randint(0, 3))],
            lambda: [{"sku": chance.choice(_WORDS), "n": chance.randint(0, 9)} for _ in range(chance.randint(0, 3))],
            lambda: {"x": chance.choice(_WORDS), "y": {"z": chance.randint(0, 3)}},
            lambda: _value(chance, 2),
        ]
    )


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.random()
    if depth and kind < 0.25:
        return [_value(chance, depth - 1) for _ in range(chance.randint(0, 4))]
    if depth and kind < 0.5:
        return {chance.choice(_KEYS): _value(chance, depth - 1) for _ in range(chance.randint(0, 4))}
    return chance.choice(
        (chance.choice(_WORDS), chance.randint(-9, 10**6), chance.uniform(-1, 1e9), True, None, 1e21, -0.0)
    )


def changed(folder: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """Texts with one change in them: a digit, a cell, a row that is gone, two that are swapped. All must be noticed."""
    chance = random.Random(20_261_127)
    data = Path(os.environ["CONTEXT_PLANE_TEST_DATA"])
    for mode in MODES:
        missed: dict[str, int] = dict.fromkeys(("digit", "word", "row", "swap"), 0)
        made = dict.fromkeys(missed, 0)
        values = [
            json.loads(path.read_text("utf-8")) for path in sorted((data / "toon/token_efficiency").glob("*.json"))
        ]
        small = [next(iter(value.values())) for value in values]
        for number in range(_CHANGES // 3):
            whole = small[number % len(small)]
            value = chance.sample(whole, 12) if isinstance(whole, list) else whole
            kind = list(missed)[number % len(missed)]
            text = encode(value, mode)
            other = _change(text, kind, chance)
            if other == text:
                continue
            made[kind] += 1
            try:
                missed[kind] += same(decode(other), value)
            except InputError:
                continue
        yield {"what": f"changed texts, {mode}", "changes": made, "missed": missed}


def _change(text: str, kind: str, chance: random.Random) -> str:
    lines = text.split("\n")
    if kind == "row":
        del lines[chance.randrange(len(lines))]
    elif kind == "swap" and len(lines) > 2:
        one, other = chance.sample(range(1, len(lines)), 2)
        lines[one], lines[other] = lines[other], lines[one]
    else:
        wanted = str.isdigit if kind == "digit" else str.isalpha
        places = [at for at, sign in enumerate(text) if wanted(sign)]
        if places:
            at = chance.choice(places)
            new = chance.choice(
                [sign for sign in ("0123456789" if kind == "digit" else "abcdefgh") if sign != text[at]]
            )
            return text[:at] + new + text[at + 1 :]
    return "\n".join(lines)


def speed(folder: Path) -> Iterator[dict[str, Any]]:  # noqa: ARG001
    """MB of compact JSON a second, encoded and decoded, on one core: the best of five."""
    data = Path(os.environ["CONTEXT_PLANE_TEST_DATA"])
    for name in ("tabular", "nested", "event-logs", "nested-group", "github"):
        value = json.loads((data / f"toon/token_efficiency/{name}.json").read_text("utf-8"))
        size = len(compact_json(value).encode()) / 1e6
        for mode in MODES:
            text = encode(value, mode)
            written, read = _best(lambda v=value, m=mode: encode(v, m)), _best(lambda t=text: decode(t))
            yield {
                "what": f"{name}, {mode}",
                "encode_MB_s": round(size / written, 1),
                "decode_MB_s": round(size / read, 1),
            }


def _best(call: Any) -> float:
    found = []
    for _ in range(5):
        with stopwatch() as watch:
            call()
        found.append(watch.seconds)
    return min(found)
