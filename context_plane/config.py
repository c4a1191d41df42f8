"""Settings: what the environment and `plane.toml` say, checked once.

The environment wins over the file, the file over the defaults. No I/O beyond reading `plane.toml`.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal

from context_plane.errors import InputError
from context_plane.instants import parse_day, parse_instant

HOME: Final = "CONTEXT_PLANE_HOME"
ENVIRONMENT: Final = {
    "store": "CONTEXT_PLANE_STORE",
    "grain": "CONTEXT_PLANE_GRAIN",
    "start": "CONTEXT_PLANE_START",
    "embedder": "CONTEXT_PLANE_EMBEDDER",
    "state": "CONTEXT_PLANE_STATE",
}


@dataclass(frozen=True)
class IngestSettings:
    """``[ingest]`` in `plane.toml`: what an event may be."""

    max_event_bytes: int = 4 * 1024 * 1024
    earliest: str = "1900-01-01T00:00:00Z"
    latest: str = "2100-01-01T00:00:00Z"


@dataclass(frozen=True)
class CacheSettings:
    """``[cache]`` in `plane.toml`: what the tiers may take, in MiB."""

    memory_mb: int = 256
    """What a process keeps decoded: indexes, tables of packs. Memory-mapped files are not counted, the system takes
    their memory back when it needs it."""
    disk_mb: int = 2_048
    """Copies of a remote store's objects, and merged indexes."""
    index_mb: int = 0
    """The largest index that is searched from memory; larger ones are searched through LanceDB. 0 stands for half of
    the machine's memory."""

    @property
    def memory(self) -> int:
        """Bytes of the memory tier."""
        return self.memory_mb << 20

    @property
    def disk(self) -> int:
        """Bytes of the disk tier."""
        return self.disk_mb << 20

    @property
    def index(self) -> int:
        """Bytes of the largest index that is searched from memory."""
        return self.index_mb << 20 or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


@dataclass(frozen=True)
class ProcessSettings:
    """``[processes]`` in `plane.toml`: what runs of processes may do."""

    workspace: str = ""
    """Folder below which files, git and commands work; by default `workspaces` in the home."""
    http_allow: tuple[str, ...] = ()
    """Hosts that HTTP actions may ask, such as ``api.example.com`` or ``*.example.com``; none by default."""
    lease_seconds: float = 30.0
    """For how long an execution is a worker's without word of him, where it cannot be seen whether he lives."""
    output_kb: int = 256
    """The largest output of a step, in KiB of JSON."""

    def workspaces(self, home: Path) -> Path:
        """The folder that `workspace` names, relative to the home."""
        return (home / self.workspace).absolute() if self.workspace else home / "workspaces"


@dataclass(frozen=True)
class Settings:
    """Everything a plane is configured with."""

    home: Path
    store: str
    """URL of the object store, or a folder."""
    grain: Literal["day", "month"] = "day"
    embedder: str = "wordllama"
    """What turns texts into vectors (`retrieval.embedders`); ``none`` searches by words alone."""
    analyzer: str = "english"
    """Language of stop words and stemmer; ``none`` for neither."""
    link_extractor: str = "rules"
    """What finds links in events (`memory.links.extractor`); any but ``rules`` is a plugin, which may ask a model."""
    start: str | None = None
    """First day of the Dagster partitions; by default the year of the oldest event."""
    max_staleness: float = 1.0
    """Seconds for which reads from a remote store may miss other processes' commits. A local store is always fresh."""
    ingest: IngestSettings = field(default_factory=IngestSettings)
    cache: CacheSettings = field(default_factory=CacheSettings)
    """``[cache]`` in `plane.toml`."""
    state: str = ""
    """SQLAlchemy URL of what coordinates (`store.state`); by default SQLite in the home."""
    processes: ProcessSettings = field(default_factory=ProcessSettings)
    """``[processes]`` in `plane.toml`."""

    @property
    def cache_folder(self) -> Path:
        """Folder of the disk tier: copies of what lies in a remote store, merged indexes, usage."""
        return self.home / "cache"

    @property
    def contexts(self) -> Path:
        """Folder of the context specs."""
        return self.home / "contexts"

    @property
    def sources(self) -> Path:
        """Folder of the source mappings, and of what is declared of CloudEvents."""
        return self.home / "sources"

    @property
    def knowledge(self) -> Path:
        """Folder of the files that are knowledge."""
        return self.home / "knowledge"

    @property
    def packages(self) -> Path:
        """Folder of the files that declare packages."""
        return self.home / "packages"

    @property
    def process_folder(self) -> Path:
        """Folder of the files that declare processes, interfaces, actions and gates."""
        return self.home / "processes"

    @property
    def models(self) -> Path:
        """The file that says which models there are."""
        return self.home / "models.yaml"

    @property
    def state_url(self) -> str:
        """SQLAlchemy URL of what coordinates."""
        return self.state or f"sqlite:///{self.home / 'state' / 'state.db'}"


def load_settings(home: str | os.PathLike[str] | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of a home (default ``CONTEXT_PLANE_HOME``, else ``./.context-plane``).

    Raises `InputError` for unknown keys and impossible values, naming file and key.
    """
    env = os.environ if environ is None else environ
    root = Path(home or env.get(HOME) or ".context-plane").expanduser().absolute()
    file = root / "plane.toml"
    raw = _read(file)
    where = {name: f"{file}: {name}" for name in raw}
    for name, variable in ENVIRONMENT.items():
        if env.get(variable):
            raw[name], where[name] = env[variable], variable
    ingest, cache = _table(raw, "ingest", IngestSettings, file), _table(raw, "cache", CacheSettings, file)
    processes = _table(raw, "processes", ProcessSettings, file)
    _check_names(raw, Settings, str(file), leave=("home", "ingest", "cache", "processes"))
    store = str(raw.pop("store", "") or root / "store")
    settings = Settings(
        home=root, store=store, ingest=_ingest(ingest, file), cache=_cache(cache, file),
        processes=_processes(processes, file), **raw,
    )  # fmt: skip
    _check_values(settings, where)
    return settings


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"plane.toml does not read: {error}", where=str(file), remedy="correct the file") from error


def _table(raw: dict[str, Any], name: str, kind: type, file: Path) -> dict[str, Any]:
    """A table of the file, taken out of it, its names checked."""
    found = raw.pop(name, {})
    if not isinstance(found, dict):
        raise InputError(f"[{name}] is not a table", where=str(file), remedy=f"write it as [{name}]")
    _check_names(found, kind, f"{file} [{name}]")
    return found


def _check_names(raw: Mapping[str, Any], kind: type, where: str, leave: tuple[str, ...] = ()) -> None:
    known = [f.name for f in fields(kind) if f.name not in leave]
    for name in raw:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"unknown key {name!r}", where=where, remedy=f"{hint}known are {', '.join(known)}")


def _ingest(raw: dict[str, Any], file: Path) -> IngestSettings:
    settings = IngestSettings(**raw)
    where = f"{file} [ingest]"
    size = settings.max_event_bytes
    if type(size) is not int or not 1_024 <= size <= 256 * 1024 * 1024:
        raise InputError(
            f"max_event_bytes is {size!r}", where=where, remedy="give a number of bytes from 1,024 to 268,435,456"
        )
    for name in ("earliest", "latest"):
        try:
            parse_instant(str(getattr(settings, name)))
        except InputError as error:
            raise InputError(error.what, where=f"{where} {name}", remedy=error.remedy) from error
    return settings


def _cache(raw: dict[str, Any], file: Path) -> CacheSettings:
    for name, value in raw.items():
        if type(value) is not int or not 0 <= value <= 1 << 30:
            remedy = "give a whole number of MiB, such as 256"
            raise InputError(f"{name} is {value!r}", where=f"{file} [cache] {name}", remedy=remedy)
    return CacheSettings(**raw)


def _processes(raw: dict[str, Any], file: Path) -> ProcessSettings:
    where = f"{file} [processes]"
    hosts = raw.get("http_allow", ())
    if not isinstance(hosts, (list, tuple)) or not all(isinstance(host, str) and host for host in hosts):
        raise InputError(f"http_allow is {hosts!r}", where=where, remedy='write a list of hosts: ["api.example.com"]')
    if not isinstance(raw.get("workspace", ""), str):
        raise InputError(f"workspace is {raw['workspace']!r}", where=where, remedy="give the path of a folder")
    for name, least, most in (("lease_seconds", 1, 3_600), ("output_kb", 1, 4_096)):
        value = raw.get(name, least)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise InputError(f"{name} is {value!r}", where=where, remedy=f"give a number from {least} to {most:,}")
    return ProcessSettings(**raw | {"http_allow": tuple(hosts)})


def _check_values(settings: Settings, where: Mapping[str, str]) -> None:
    if settings.grain not in ("day", "month"):
        raise InputError(f"grain is {settings.grain!r}", where=where.get("grain", ""), remedy="use day or month")
    if settings.start is not None:
        try:
            parse_day(str(settings.start))
        except InputError as error:
            raise InputError(error.what, where=where.get("start", ""), remedy=error.remedy) from error
    if not isinstance(settings.state, str):
        raise InputError(f"state is {settings.state!r}", where=where.get("state", ""), remedy="give a SQLAlchemy URL")
    for name, example in (("embedder", '"wordllama"'), ("analyzer", '"english"'), ("link_extractor", '"rules"')):
        value = getattr(settings, name)
        if not isinstance(value, str) or not value.strip():
            raise InputError(f"{name} is {value!r}", where=where.get(name, ""), remedy=f"give a name such as {example}")
    if not isinstance(settings.max_staleness, (int, float)) or not 0 <= settings.max_staleness <= 3_600:
        raise InputError(
            f"max_staleness is {settings.max_staleness!r}",
            where=where.get("max_staleness", ""),
            remedy="give seconds from 0 (always ask the store) to 3600",
        )
