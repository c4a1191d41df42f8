"""`package_sources` and `ctx_packages`: what packages are made of, and the packages, one partition each.

`package_sources` is external: whoever sees that something has changed (the sensor, `cortex materialize`) says so, of
exactly the packages that it made stale, and the condition of `ctx_packages` asks for these and no others. What is
stale, and what it becomes, is `context_plane.bundles.packages`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import dagster as dg

from context_assets import checks, metadata, names
from context_assets.failures import explained, failure
from context_plane.bundles.packages import table
from context_plane.bundles.packages.compile import ENGINE
from context_plane.bundles.packages.package import Built, Package, Row
from context_plane.canonical import digest
from context_plane.plane import ContextPlane
from resources.plane import PlaneResource

PACKAGE: Final = "package"
packages = dg.DynamicPartitionsDefinition(name=PACKAGE)
REPRODUCIBLE: Final = "reproducible"
_LINES: Final = 40
_SHORT: Final = len("sha256:") + 12

# Eager waits until nothing upstream is missing, and of a package's sources it is never known that all are there.
CONDITION: Final = (
    dg.AutomationCondition.any_deps_updated().since_last_handled() & ~dg.AutomationCondition.in_progress()
).with_label("a source changed")


def key_of(tenant: str, name: str) -> str:
    """The partition of a package: a tenant's name holds no slash."""
    return f"{tenant}/{name}"


def by_tenant(keys: Iterable[str]) -> dict[str, list[str]]:
    """The packages of some partitions, by tenant."""
    found: dict[str, list[str]] = {}
    for key in keys:
        tenant, _, name = key.partition("/")
        found.setdefault(tenant, []).append(name)
    return found


def changed(tenant: str, row: Row) -> dg.AssetMaterialization:
    """That the sources of a package are not what they were when it was built."""
    why = "; ".join(row.freshness.changes) or "it is not built yet"
    return dg.AssetMaterialization(
        names.PACKAGE_SOURCES, partition=key_of(tenant, row.name), metadata={"changed": dg.MetadataValue.text(why)}
    )


def ranges(keys: Iterable[str], registered: Sequence[str]) -> list[tuple[str, str]]:
    """The fewest (first, last) of partitions, in the order in which they were registered, that cover these and no
    others: one run may take a range."""
    wanted, found = set(keys), list[tuple[str, str]]()
    before = False
    for key in registered:
        if key in wanted:
            found.append((found.pop()[0], key) if before else (key, key))
        before = key in wanted
    return found


def build_packages(upstream: Sequence[str]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The packages' sources behind these assets, and the packages."""
    return [_sources(upstream), _ctx_packages()]


def _sources(upstream: Sequence[str]) -> dg.AssetSpec:
    return dg.AssetSpec(
        names.PACKAGE_SOURCES,
        deps=list(upstream),
        partitions_def=packages,
        description="Chains, topics and events that packages are made of, and when they changed. Nothing is built.",
        group_name=names.PACKAGE_GROUP,
        owners=list(names.OWNERS),
        kinds={"json"},
    )


def _ctx_packages() -> dg.AssetsDefinition:
    @dg.asset(
        name=names.CTX_PACKAGES,
        deps=[names.PACKAGE_SOURCES],
        partitions_def=packages,
        backfill_policy=dg.BackfillPolicy.single_run(),
        automation_condition=CONDITION,
        check_specs=[
            dg.AssetCheckSpec(
                REPRODUCIBLE,
                asset=names.CTX_PACKAGES,
                description="Compiled again from the log, it has the same bytes.",
            )
        ],
        code_version=str(ENGINE),
        group_name=names.PACKAGE_GROUP,
        owners=list(names.OWNERS),
        kinds={"json", "lancedb"},
        metadata={"dagster/column_schema": metadata.columns(table.schema()), "table": table.NAME},
    )
    def ctx_packages(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Packages compiled from chains, topics and queries. What is fresh stays as it is."""
        wanted = by_tenant(context.partition_keys)
        with explained(context.retry_number):
            built = {tenant: build(plane.plane, tenant, of_tenant) for tenant, of_tenant in wanted.items()}
            different = [each for tenant, done in built.items() for each in _different(plane.plane, tenant, done)]
        for tenant, done in built.items():
            for each in done:
                if each.package is not None:
                    context.add_asset_metadata(_of(each, each.package), partition_key=key_of(tenant, each.name))
        errors = [each.error for done in built.values() for each in done if each.error is not None]
        for error in errors:
            context.log.error(str(error))
        if errors:
            raise failure(errors[0])
        return dg.MaterializeResult(
            metadata=_of_run(built), check_results=[_result(built, different)], data_version=_data_version(built)
        )

    return ctx_packages


def build(plane: ContextPlane, tenant: str, names_: Sequence[str]) -> list[Built]:
    """Builds those of a tenant's packages that are declared still; a partition of another says nothing more."""
    declared = {row.name for row in plane.packages(tenant, counted=False) if row.origin == "declared"}
    return plane.build_packages(tenant, [name for name in names_ if name in declared])


def _different(plane: ContextPlane, tenant: str, built: Sequence[Built]) -> list[str]:
    """Packages that are not the same when they are compiled again."""
    made = [each.name for each in built if each.package is not None]
    found = [plane.verify_package(tenant, name) for name in made]
    return [f"{tenant}/{each.name}: {each.difference}" for each in found if not each.equal]


def _result(built: Mapping[str, Sequence[Built]], different: Sequence[str]) -> dg.AssetCheckResult:
    count = sum(each.package is not None for done in built.values() for each in done)
    text = f"{count:,} packages are the same"
    values: metadata.Values = {"packages checked": dg.MetadataValue.int(count)}
    if different:
        text = f"{len(different):,} of {count:,} packages differ: {'; '.join(different[:3])}"
        names_ = [each.partition(": ")[0] for each in different]
        values[checks.FAILING] = dg.MetadataValue.text(checks.SEPARATOR.join(names_))
    return dg.AssetCheckResult(check_name=REPRODUCIBLE, passed=not different, description=text, metadata=values)


def _of_run(built: Mapping[str, Sequence[Built]]) -> metadata.Values:
    rows = [
        [
            tenant, each.name, "built" if each.new else "fresh", each.package.version[:_SHORT],
            f"{each.package.tokens:,}", f"{each.package.raw_tokens:,}", f"{each.package.ratio:.2f}",
        ]
        for tenant, done in built.items()
        for each in done
        if each.package is not None
    ]  # fmt: skip
    new = sum(each.new for done in built.values() for each in done)
    header = ["tenant", "package", "state", "version", "tokens", "raw tokens", "ratio"]
    return {
        metadata.BUILT: dg.MetadataValue.int(new),
        metadata.UNCHANGED: dg.MetadataValue.int(len(rows) - new),
        "packages": dg.MetadataValue.md(metadata.table(header, rows) if rows else "none of these is declared any more"),
    }


def _of(each: Built, made: Package) -> metadata.Values:
    """What one partition shows: sizes, what it was made of, how fresh it is, and how it begins."""
    sources = [
        [
            source["ref"],
            f"{len(source['facts']):,}",
            f"{len(source.get('superseded', ())):,}",
            source["version"][:_SHORT],
        ]
        for source in made.sources
    ]
    left = [[str(one["id"]), str(one["why"])] for one in made.compiled.left_out]
    lines = made.text.split("\n")
    more = [f"({len(lines) - _LINES:,} more lines)"] if len(lines) > _LINES else []
    shown = ["~~~text", *(line.replace("~~~", "~ ~ ~") for line in lines[:_LINES]), *more, "~~~"]
    values: metadata.Values = {
        "version": dg.MetadataValue.text(made.version),
        "new": dg.MetadataValue.bool(each.new),
        "scope": dg.MetadataValue.text(made.scope),
        "tokens": dg.MetadataValue.int(made.tokens),
        "raw tokens": dg.MetadataValue.int(made.raw_tokens),
        "ratio": dg.MetadataValue.float(round(made.ratio, 4)),
        "answers": dg.MetadataValue.int(made.accesses),
        "compiled": dg.MetadataValue.text(str(made.freshness.built)),
        "log number": dg.MetadataValue.int(made.freshness.log or 0),
        "builds on": dg.MetadataValue.text(", ".join(one["package"] for one in made.depends) or "nothing"),
        "text": dg.MetadataValue.md("\n".join(shown)),
    }
    if each.changes:
        values["because"] = dg.MetadataValue.text("; ".join(each.changes))
    if sources:
        values["sources"] = dg.MetadataValue.md(_cells(["source", "facts", "superseded", "version"], sources))
    if left:
        values["left out"] = dg.MetadataValue.md(_cells(["what", "why"], left))
    return values


def _cells(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return metadata.table(header, [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows])


def _data_version(built: Mapping[str, Sequence[Built]]) -> dg.DataVersion:
    versions = [
        [tenant, each.name, each.package.version] for tenant, done in built.items() for each in done if each.package
    ]
    return dg.DataVersion(digest(versions))
