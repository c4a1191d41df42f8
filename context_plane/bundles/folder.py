"""The folder of context specs, read file by file, so that one that does not read takes nothing else with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from context_plane.bundles.spec import ContextSpec, parse_spec
from context_plane.errors import InputError


@dataclass(frozen=True)
class BrokenSpec:
    """A file in `contexts/` that is not a context spec."""

    file: Path
    error: InputError
    """What is wrong, in which line and key, and the remedy."""


@dataclass(frozen=True)
class Specs:
    """What the folder `contexts/` holds."""

    good: Mapping[str, ContextSpec]
    """By name, sorted."""
    broken: tuple[BrokenSpec, ...] = ()


def read_specs(folder: Path) -> Specs:
    """All specs of a folder, and the files that are none; nothing of either where there is no such folder."""
    found: dict[str, tuple[ContextSpec, Path]] = {}
    broken: list[BrokenSpec] = []
    for file in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        try:
            spec = _read(file)
            for other, used in found.values():
                if spec.name.lower() == other.name.lower():  # a store may not tell them apart
                    what = f"context {spec.name} is there twice, first in {used.name}"
                    raise InputError(what, where=str(file), remedy="rename one of them")
        except InputError as error:
            broken.append(BrokenSpec(file, error))
        else:
            found[spec.name] = spec, file
    return Specs({name: found[name][0] for name in sorted(found)}, tuple(broken))


def _read(file: Path) -> ContextSpec:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the file does not read: {error}", where=str(file), remedy="correct or remove it") from error
    return parse_spec(text, str(file))


def load_specs(folder: Path) -> dict[str, ContextSpec]:
    """The specs of a folder, sorted by name. Raises `InputError` at the first file that is none."""
    specs = read_specs(folder)
    for broken in specs.broken:
        raise broken.error
    return dict(specs.good)
