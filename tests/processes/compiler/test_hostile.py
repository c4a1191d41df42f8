"""Whatever is in a file: findings, never an exception, within two seconds, and nothing of it is run."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.language.codes import CODES
from context_plane.processes.language.findings import MOST
from tests.processes.corpus.cases import BROKEN, CHECK, VALID
from tests.processes.corpus.world import surroundings

SECONDS = 2.0
SEEDS = sorted([*VALID.rglob("*.y*ml"), *BROKEN.rglob("*.yaml")])


def survived(folder: Path, *, record: bool = False) -> Catalog:
    """The catalog of a folder, if compiling it took no longer than it may and left nothing half said."""
    begun = time.monotonic()
    catalog = Compiler(folder, surroundings(), record=record).compile()
    assert time.monotonic() - begun < SECONDS
    for each in catalog.diagnostics:
        assert each.code in CODES
        assert each.place.line >= 1
        assert each.place.column >= 1
        assert each.message
        assert each.remedy
        assert len(str(each)) < 4_000
    counts = [each.place.file for each in catalog.diagnostics]
    assert all(counts.count(file) <= MOST + 1 for file in set(counts))
    assert not set(catalog.processes) & catalog.broken
    for process in catalog.processes.values():
        assert process.digest
    return catalog


def survived_bytes(folder: Path, raw: bytes) -> Catalog:
    """The same for one file."""
    (folder / "x.yaml").write_bytes(raw)
    return survived(folder)


# --- files that others wrote -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["workflows", "serverlessworkflow"])
def test_files_that_others_wrote_are_told_of(kind: str, data_dir: Path, tmp_path: Path) -> None:
    """GitHub's workflows and those of the serverless specification, each by itself, are none of ours and say so."""
    folder = data_dir / "yaml" / kind
    if not folder.is_dir():
        pytest.skip(f"the real data set {folder.name} is not there (CONTEXT_PLANE_TEST_DATA)")
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".yaml", ".yml", ".json", ".md"))
    assert len(files) > 50
    for number, path in enumerate(files):
        (tmp_path / str(number)).mkdir()
        catalog = survived_bytes(tmp_path / str(number), path.read_bytes())
        assert catalog.errors, path
        assert not catalog.processes


def test_files_that_others_wrote_are_compiled_together(data_dir: Path, tmp_path: Path) -> None:
    """All at once, with ours among them, which they do not disturb."""
    folder = data_dir / "yaml"
    if not folder.is_dir():
        pytest.skip(f"the real data set {folder.name} is not there (CONTEXT_PLANE_TEST_DATA)")
    for number, path in enumerate(sorted(path for path in folder.rglob("*.y*ml") if path.is_file())):
        shutil.copyfile(path, tmp_path / f"{number}.yaml")
    shutil.copytree(VALID, tmp_path / "ours")
    begun = time.monotonic()
    catalog = Compiler(tmp_path, surroundings(), record=False).compile()
    assert time.monotonic() - begun < 10
    ours = {path.name for path in VALID.rglob("*.y*ml")}
    assert not [each for each in catalog.diagnostics if Path(each.place.file).name in ours]
    assert "fix_ci_failure" in catalog.processes


# --- files that were damaged -----------------------------------------------------------------------------------------


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A file of the corpus with some things done to it."""
    raw = bytearray(draw(st.sampled_from(SEEDS)).read_bytes())
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, max(len(raw) - 1, 0)))
        kind = draw(st.sampled_from(["flip", "cut", "drop", "insert", "line", "swap", "deep", "value"]))
        if kind == "flip" and raw:
            raw[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del raw[at:]
        elif kind == "drop":
            del raw[at : at + draw(st.integers(1, 20))]
        elif kind == "insert":
            raw[at:at] = draw(st.sampled_from(INSERTED))
        else:
            raw = bytearray(_with_lines(draw, bytes(raw), kind))
    return bytes(raw)


INSERTED = [
    b"\0", b"\xff\xfe", b"\x1b[31m", b"\t", b"\r", b"\xe2\x80\xa8", b"&a ", b"*a", b"<<: ", b"!!python/name:os.system ",
    b"- ", b"? ", b": ", b"{", b"}", b"[", b"]", b"---\n", b"...\n", b"%YAML 9.9\n", b"'", b'"', b"|\n", b">9-\n", b"#",
    b"${", b"${inputs.x}", b"${steps.a.output}", b"$${", b"inherit: all\n", b"null", b"1e999", b"9" * 400,
    b"\xf0\x9f\x98\x80", b"@", b"`", b"\xc2\x85", b"\xef\xbb\xbf", b"{a: &x [*x]}", b"abstract: true\n",
    b"extends: check\n",
]  # fmt: skip
VALUES = [each.encode() for each in "null [] {} -1 yes 1.5 '' [[]] {a:{b:c}} * 2026-01-01 ~ é".split()]


def _with_lines(draw: st.DrawFn, raw: bytes, kind: str) -> bytes:
    lines = raw.split(b"\n")
    one, other = draw(st.integers(0, len(lines) - 1)), draw(st.integers(0, len(lines) - 1))
    if kind == "line":
        lines.insert(one, lines[other])
    elif kind == "swap":
        lines[one], lines[other] = lines[other], lines[one]
    elif kind == "deep":
        lines[one] = b" " * draw(st.integers(0, 60)) + lines[one].lstrip()
    else:
        key, colon, _ = lines[one].partition(b":")
        lines[one] = key + colon + b" " + draw(st.sampled_from(VALUES))
    return b"\n".join(lines)


@given(damaged())
def test_a_damaged_file_is_told_of(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Bits that flipped, lines that were copied, lost, moved or indented, and values that are none."""
    survived_bytes(tmp_path_factory.mktemp("damaged"), raw)


@given(st.binary(max_size=200))
def test_any_bytes_are_told_of(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Or are a file without documents."""
    assert not survived_bytes(tmp_path_factory.mktemp("bytes"), raw).processes


# --- files that were made to harm ------------------------------------------------------------------------------------


def _steps(count: int, step: str) -> str:
    return "".join(f"  - {step.replace('@', str(number))}\n" for number in range(count))


BOMBS: dict[str, str] = {
    "deep": "process: check\nversion: 1\ndescription: " + "[" * 500_000,
    "deep inputs": f"{CHECK}    inputs: " + "{a: " * 100_000,
    "laughs": "a0: &a0 x\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 2_000)),
    "merges": "a: &a {x: 1}\n" + "".join(f"k{n}: {{<<: *a}}\n" for n in range(5_000)),
    "unknown keys": CHECK + "".join(f"key_{n}: 1\n" for n in range(20_000)),
    "near keys": CHECK + "".join(f"descriptio{n}: 1\n" for n in range(20_000)),
    "same keys": CHECK + "version: 1\n" * 20_000,
    "unknown actions": "process: check\nversion: 1\nsteps:\n" + _steps(9_000, "{id: s@, action: run_test@}"),
    "unknown gates": f"{CHECK}gates: [{', '.join(f'branch_clean{n}' for n in range(40_000))}]\n",
    "same gates": f"{CHECK}gates: [{', '.join(['branch_clean'] * 40_000)}]\n",
    "same topics": f"{CHECK}knowledge: [{', '.join(['engineering.testing'] * 40_000)}]\n",
    "unknown needs": f"{CHECK}    context: {{needs: [{', '.join(['memry'] * 40_000)}]}}\n",
    "same ids": "process: check\nversion: 1\nsteps:\n" + _steps(9_000, "{id: same, action: run_tests}"),
    "open references": f'{CHECK}    inputs: {{x: "{"${" * 400_000}"}}\n',
    "references": f'{CHECK}    inputs: {{x: "{"${inputs.x}" * 80_000}"}}\n',
    "later references": "process: check\nversion: 1\nsteps:\n"
    + _steps(4_000, '{id: s@, action: run_tests, inputs: {x: "${steps.s3999.output}"}}'),
    "earlier references": "process: check\nversion: 1\nsteps:\n"
    + _steps(1_900, '{id: s@, action: run_tests, inputs: {x: "${steps.s0.output}"}}'),
    "documents": "---\n".join(f"process: p{n}\nversion: 1\n" for n in range(12_000)),
    "kindless documents": "---\nx: 1\n" * 20_000,
    "empty documents": "---\n" * 200_000,
    "torn documents": "process: x\nd: [\n---\n" * 20_000,
    "orphans": "---\n".join(f"process: p{n}\nversion: 1\nextends: q{n}\n" for n in range(7_000)),
    "one circle": "---\n".join(f"process: p{n}\nversion: 1\nextends: p{(n + 1) % 7_000}\n" for n in range(7_000)),
    "one line of parents": "---\n".join(
        f"process: p{n}\nversion: 1\n" + (f"extends: p{n - 1}\n" if n else "steps: [{id: a, action: run_tests}]\n")
        for n in range(6_000)
    ),
    "many children": "process: base\nversion: 1\nsteps:\n"
    + _steps(1_900, "{id: s@, action: run_tests}")
    + "".join(f"---\nprocess: p{n}\nversion: 1\nextends: base\n" for n in range(5_000)),
    "one circle of steps": "process: b\nversion: 1\nsteps: [{id: a, action: ask}]\n---\n"
    "process: check\nversion: 1\nextends: b\nsteps:\n"
    + "".join(f"  - {{id: s{n}, action: ask, after: s{(n + 1) % 1_900}}}\n" for n in range(1_900)),
    "one line of steps": "process: b\nversion: 1\nsteps: [{id: a, action: ask}]\n---\n"
    "process: check\nversion: 1\nextends: b\nsteps:\n  - {id: s0, action: ask, after: a}\n"
    + "".join(f"  - {{id: s{n}, action: ask, after: s{n - 1}}}\n" for n in range(1, 1_900)),
    "interfaces": f"{CHECK}implements: [{', '.join(f'i{n}' for n in range(40_000))}]\n",
    "stars": f"{CHECK}trigger: {{type: event, match: {{type: 'cortex.{'*a' * 200_000}'}}}}\n",
    "triggers": f"{CHECK}trigger: [{', '.join(['{type: event, match: {source: a}}'] * 7_000)}]\n",
    "cron": f"{CHECK}trigger: {{type: schedule, cron: '{'1,' * 100_000}1 * * * *'}}\n",
    "zone": f"{CHECK}trigger: {{type: schedule, cron: '* * * * *', timezone: '{'../' * 100_000}etc/passwd'}}\n",
    "loops": "---\n".join(
        f"process: p{n}\nversion: 1\ntrigger: {{type: event, match: {{source: s, type: t*}}}}\n"
        f"steps: [{{id: a, action: ingest, inputs: {{source: s, events: [{{type: t{n}}}]}}}}]\n"
        for n in range(400)
    ),
    "long name": f"process: {'a' * 900_000}\nversion: 1\n",
    "long key": f"{CHECK}{'a' * 900_000}: 1\n",
    "long id": f"process: check\nversion: 1\nsteps: [{{id: {'a' * 900_000}, action: x}}]\n",
    "long number": f"process: check\nversion: {'9' * 900_000}\n",
    "long duration": f"{CHECK}    timeout: {'9' * 900_000}s\n",
    "long reference": f'{CHECK}    inputs: {{x: "${{inputs.{"a." * 400_000}}}"}}\n',
    "tabs": "process:\tcheck\n" + "\t" * 900_000,
    "comments": "#\n" * 500_000,
    "carriage returns": "process: check\r" * 60_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_does_not_go_off(name: str, tmp_path: Path) -> None:
    """Within the limits of a file, everything that could multiply."""
    assert len(BOMBS[name]) <= 1 << 20
    survived_bytes(tmp_path, BOMBS[name].encode())


@pytest.mark.parametrize("raw", [b"x" * (10 << 20), b"[" * (10 << 20), b"\0" * (10 << 20), b"a: b\n" * (2 << 20)])
def test_ten_megabytes_are_too_many(raw: bytes, tmp_path: Path) -> None:
    """They are not even read."""
    assert [each.code for each in survived_bytes(tmp_path, raw).diagnostics] == ["yaml-too-large"]


def test_nothing_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No tag makes an object, no command runs, no file is opened that a document names."""
    marker = tmp_path / "executed"
    attacks = [
        f"!!python/object/apply:os.system ['touch {marker}']", f"!!python/object/new:pathlib.Path.touch [{marker}]",
        "!!python/name:os.system", f"!<tag:yaml.org,2002:python/object/apply:os.system> ['touch {marker}']",
        f"$(touch {marker})", f"`touch {marker}`", "{{ ''.__class__ }}", f"<%= `touch {marker}` %>",
        "!include /etc/passwd", "!ENV ${HOME}",
    ]  # fmt: skip
    opened: list[Any] = []
    for name in ("system", "popen", "posix_spawn", "fork"):
        monkeypatch.setattr(f"os.{name}", lambda *args: opened.append(args))
    text = "---\n".join(
        f"process: p{n}\nversion: 1\ndescription: {attack}\nsteps: [{{id: a, run: [sh, -c, \"touch {marker}\"]}}]\n"
        for n, attack in enumerate(attacks)
    )  # fmt: skip
    survived_bytes(tmp_path, text.encode())
    assert not marker.exists()
    assert not opened
