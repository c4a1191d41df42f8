"""The commands and snippets in the documentation are run, and print what is shown.

In a document a block of `sh` or `python` may be followed by a block of `text`: what it prints, stdout and stderr.
Times, sizes, the ids of receipts, when and at which log number executions were accepted (records of the one before may
be sealed in one commit or two) and the scores of memories that a step recalled (they fade with age) may differ,
everything else may not. After a change of what is printed, write the blocks anew with ``CONTEXT_PLANE_WRITE_DOCS=1 make
test PYTEST_ARGS=tests/cli/test_docs.py``, and read the difference.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "docs/getting-started.md",
    "docs/retrieval.md",
    "docs/memory.md",
    "docs/answers.md",
    "docs/knowledge.md",
    "docs/packages.md",
    "docs/processes.md",
]
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)
VARIABLE = re.compile(
    r"\d[\d,.]* (?:s|µs|ms|MB|files|runs)\b|(?<=receipt )[a-z0-9_-]+\.[0-9a-f]{20}|(?<=accepted )\S+Z at log number \d+"
    r'|(?<="score":)[\d.]+'
)


@dataclass
class Block:
    """Code and what it should print; `at` is where its output stands in the document."""

    language: str
    code: str
    output: str | None
    at: tuple[int, int]


def blocks(text: str) -> list[Block]:
    return [Block(m[1], m[2], m[3], m.span(3)) for m in BLOCK.finditer(text)]


def execute(block: Block, folder: Path, env: dict[str, str]) -> str:
    """What the block prints. Shell blocks hand on what they export."""
    code = block.code.replace("make demo\n", "cortex demo\n").replace('export PATH="$PWD/.venv/bin:$PATH"\n', "")
    if block.language == "python":
        command = [sys.executable, "-c", code]
    else:
        command = ["bash", "-euo", "pipefail", "-c", f"{code}\nenv > .env-after"]
    done = subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{code}\n{done.stdout}"
    if block.language == "sh":
        after = dict(line.partition("=")[::2] for line in (folder / ".env-after").read_text().splitlines())
        env.update({name: value for name, value in after.items() if name.startswith("CONTEXT_PLANE_")})
    return done.stdout.replace(str(folder), ".")


def comparable(text: str) -> list[str]:
    """Lines without what differs from run to run, and without the padding that follows from it."""
    return [re.sub(r" +", " ", VARIABLE.sub("N", line)) for line in text.splitlines()]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_what_the_document_shows_is_what_happens(name: str, tmp_path: Path) -> None:
    """Run in order in an empty folder, as a reader would."""
    text = (ROOT / name).read_text()
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "120"}
    del env["CONTEXT_PLANE_EMBEDDER"]  # a reader has the default
    written, end = "", 0
    differing: list[tuple[list[str], list[str]]] = []
    for block in blocks(text):
        printed = execute(block, tmp_path, env)
        if block.output is None:
            continue
        written += text[end : block.at[0]] + printed
        end = block.at[1]
        if comparable(printed) != comparable(block.output):
            differing.append((comparable(block.output), comparable(printed)))
    if os.environ.get("CONTEXT_PLANE_WRITE_DOCS"):
        (ROOT / name).write_text(written + text[end:])
        return
    assert not differing, differing[0]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    """Every file that a document links to exists."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / name).read_text()):
        assert ((ROOT / name).parent / target).exists(), target


def test_the_readme_names_targets_that_exist() -> None:
    """Every `make …` in the README is a target of the Makefile."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"make ([a-z]+)", (ROOT / "README.md").read_text())) - {"alone"} <= targets
