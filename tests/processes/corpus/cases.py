"""The cases of the corpus: folders of files, and what must be told of each.

Here belong reading `expected.tsv`, and making the few cases that are no files to keep.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from context_plane.processes.compiler.catalog import Catalog
from context_plane.processes.compiler.compiler import Compiler
from context_plane.processes.language.findings import MOST
from tests.processes.corpus.world import surroundings

CORPUS = Path(__file__).parent
BROKEN, VALID = CORPUS / "broken", CORPUS / "valid"
STEPS = "steps:\n  - id: verify\n    action: run_tests\n"
CHECK = f"process: check\nversion: 1\n{STEPS}"


@dataclass(frozen=True, order=True)
class Expected:
    """One finding that must be made."""

    file: str
    line: int
    column: int
    code: str
    severity: str


def expected() -> dict[str, list[Expected]]:
    """What must be told of each case."""
    found: dict[str, list[Expected]] = {}
    for row in (CORPUS / "expected.tsv").read_text().splitlines():
        if not row.startswith("#"):
            case, code, severity, file, line, column = row.split("\t")
            found.setdefault(case, []).append(Expected(file, int(line), int(column), code, severity))
    # Of this case only what is told beside its hundred findings is in the table.
    found["too-many-findings"] += [Expected("much.yaml", 6 + n, 1, "unknown-key", "error") for n in range(MOST)]
    return {case: sorted(each) for case, each in found.items()}


def compiled(case: str, folder: Path) -> Catalog:
    """The catalog of a case, copied or made in a folder."""
    models = not case.startswith("no-model")
    source = BROKEN / case
    if case in MADE:
        MADE[case](folder)
    elif (source / "first").is_dir():
        shutil.copytree(source / "first", folder, dirs_exist_ok=True)
        assert not Compiler(folder, surroundings()).compile().diagnostics
        shutil.copytree(source / "then", folder, dirs_exist_ok=True)
    elif source.is_dir():
        shutil.copytree(source, folder, dirs_exist_ok=True)
    else:
        shutil.copy(source.with_name(f"{case}.yaml"), folder)
    return Compiler(folder, surroundings(models=models)).compile()


def told(catalog: Catalog) -> list[Expected]:
    """What a catalog tells, as it is compared."""
    return sorted(
        Expected(each.place.file, each.place.line, each.place.column, each.code, each.severity)
        for each in catalog.diagnostics
    )


# --- made ------------------------------------------------------------------------------------------------------------


def _too_large(folder: Path) -> None:
    (folder / "big.yaml").write_text(CHECK + "#" + "x" * (1 << 20))


def _too_many(folder: Path) -> None:
    (folder / "many.yaml").write_text(f"{CHECK}    inputs:\n      many: [{'0,' * 60_000}0]\n")


def _unreadable(folder: Path) -> None:
    (folder / "gone.yaml").symlink_to(folder / "nowhere")


def _too_many_findings(folder: Path) -> None:
    keys = "".join(f"key_{number}: 1\n" for number in range(3 * MOST))
    (folder / "much.yaml").write_text(f"{CHECK}{keys}")


def _corrupt_history(folder: Path) -> None:
    (folder / "check.yaml").write_text(CHECK)
    assert not Compiler(folder, surroundings()).compile().diagnostics
    record = folder / ".compiled" / "check.1.json"
    record.write_bytes(record.read_bytes().replace(b"run_tests", b"run_texts"))
    (folder / "check.yaml").write_text(f"{CHECK}    description: Another one\n")


def _no_history(folder: Path) -> None:
    (folder / "check.yaml").write_text(CHECK)
    (folder / ".compiled").write_text("in the way")


def _too_many_parents(folder: Path) -> None:
    text = CHECK.replace("check", "level_0")
    for level in range(1, 34):
        text += f"---\nprocess: level_{level}\nversion: 1\nextends: level_{level - 1}\ndescription: One more\n"
    (folder / "chain.yaml").write_text(text)


def _steps(count: int) -> str:
    return "".join(f"  - {{id: s{number}, action: run_tests}}\n" for number in range(count))


def _too_many_steps(folder: Path) -> None:
    (folder / "large.yaml").write_text(f"process: check\nversion: 1\nsteps:\n{_steps(2_001)}")


def _too_many_steps_in_all(folder: Path) -> None:
    (folder / "a.yaml").write_text(f"process: base\nversion: 1\nsteps:\n{_steps(2_000)}")
    child = "process: child_{}\nversion: 1\nextends: base\n"
    (folder / "b.yaml").write_text("---\n".join(child.format(number) for number in range(124)))
    (folder / "z.yaml").write_text(child.format("z"))


MADE: dict[str, Callable[[Path], None]] = {
    "yaml-too-large": _too_large,
    "yaml-too-many": _too_many,
    "file-unreadable": _unreadable,
    "too-many-findings": _too_many_findings,
    "too-many-parents": _too_many_parents,
    "too-many-steps": _too_many_steps,
    "too-many-steps-in-all": _too_many_steps_in_all,
    "history-corrupt": _corrupt_history,
    "not-recorded": _no_history,
}
