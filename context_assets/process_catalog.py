"""`process_catalog`: the processes as they are compiled, with their inheritance as a diagram."""

import base64
import io
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from context_assets import metadata, names
from context_assets.failures import explained
from resources.plane import PlaneResource

if TYPE_CHECKING:
    from context_plane.processes.compiler.catalog import Catalog

COMPILES: Final = "compiles"
_SHOWN: Final = 40


def build_process_catalog() -> dg.AssetsDefinition:
    """The asset. It depends on files alone."""

    @dg.asset(
        name=names.PROCESS_CATALOG,
        group_name=names.PROCESS_GROUP,
        owners=list(names.OWNERS),
        kinds={"yaml"},
        code_version="1",
        check_specs=[
            dg.AssetCheckSpec(
                COMPILES, asset=names.PROCESS_CATALOG, description="Every file in processes/ compiles without errors."
            )
        ],
    )
    def process_catalog(context: dg.AssetExecutionContext, plane: PlaneResource) -> dg.MaterializeResult:  # type: ignore[type-arg]
        """Compiles the home's processes: what there is, what extends and implements what, what is wrong."""
        with explained(context.retry_number):
            catalog = plane.plane.processes()
        return dg.MaterializeResult(
            metadata=_metadata(catalog),
            data_version=dg.DataVersion(catalog.digest),
            check_results=[_check(catalog)],
        )

    return process_catalog


def _metadata(catalog: "Catalog") -> metadata.Values:
    rows = [
        [
            each.name, str(each.version), each.lineage[0][0] if each.lineage else "", ", ".join(each.implements),
            "abstract" if each.abstract else ", ".join(trigger.type for trigger in each.triggers),
            ", ".join(step.id for step in each.steps),
        ]
        for each in catalog.processes.values()
    ]  # fmt: skip
    found: dict[str, Any] = {
        "processes": dg.MetadataValue.int(len(catalog.processes)),
        "interfaces": dg.MetadataValue.int(len(catalog.interfaces)),
        "errors": dg.MetadataValue.int(sum(each.severity == "error" for each in catalog.diagnostics)),
    }
    if rows:
        header = ["process", "version", "extends", "implements", "trigger", "steps"]
        found["catalog"] = dg.MetadataValue.md(metadata.table(header, rows))
        found["inheritance"] = _diagram(catalog)
    if catalog.diagnostics:
        told = "\n".join(f"- `{each.place}` {each.code}: {each.message}" for each in catalog.diagnostics[:_SHOWN])
        found["diagnostics"] = dg.MetadataValue.md(told)
    return found


def _check(catalog: "Catalog") -> dg.AssetCheckResult:
    wrong = [each for each in catalog.diagnostics if each.severity == "error"]
    return dg.AssetCheckResult(
        check_name=COMPILES, passed=not wrong, description=str(wrong[0]) if wrong else "no errors",
        metadata={"errors": len(wrong)}, severity=dg.AssetCheckSeverity.WARN,
    )  # fmt: skip


def _diagram(catalog: "Catalog") -> dg.MarkdownMetadataValue:
    image = base64.b64encode(draw(catalog)).decode()
    return dg.MetadataValue.md(f"![what extends and implements what](data:image/png;base64,{image})")


def draw(catalog: "Catalog") -> bytes:
    """The inheritance as a PNG: children below and to the right of their parents, interfaces dashed."""
    from matplotlib.figure import Figure

    places = _places(catalog)
    width = 1 + max((x for x, _ in places.values()), default=0)
    height = 1 + max((y for _, y in places.values()), default=0)
    figure = Figure(figsize=(2.8 * width, 0.6 * height + 0.3), dpi=80)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    for each in catalog.processes.values():
        x, y = places[each.name]
        style = "italic" if each.abstract else "normal"
        _box(axes, x, y, f"{each.name} {each.version}", style=style, edge="#2563eb")
        parents = [name for name, _ in each.lineage[:1]]
        for name, dashed in [(p, False) for p in parents] + [(i, True) for i in each.implements]:
            if name in places:
                _arrow(axes, (x, y), places[name], dashed=dashed)
    for name in catalog.interfaces:
        _box(axes, *places[name], f"«{name}»", style="normal", edge="#9aa5b1")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _places(catalog: "Catalog") -> dict[str, tuple[int, int]]:
    """Column and row of each: every process has a row of its own, below its parent and a column to the right of it;
    interfaces are in the last column, beside the first process that implements them."""
    children: dict[str, list[str]] = {}
    for each in catalog.processes.values():
        children.setdefault(each.lineage[0][0] if each.lineage else "", []).append(each.name)
    found: dict[str, tuple[int, int]] = {}

    def place(name: str, depth: int) -> None:
        found[name] = depth, len(found)
        for child in children.get(name, []):
            place(child, depth + 1)

    # Families before processes that stand alone.
    for root in sorted(children.get("", []), key=lambda name: (name not in children, name)):
        place(root, 0)
    column = 1 + max((x for x, _ in found.values()), default=0)
    row = 0
    for name in catalog.interfaces:
        near = [found[each.name][1] for each in catalog.processes.values() if name in each.implements]
        row = max(row, min(near, default=0))
        found[name] = column, row
        row += 1
    return found


def _box(axes: Any, x: int, y: int, text: str, *, style: str, edge: str) -> None:
    box = {"boxstyle": "round,pad=0.4", "facecolor": "white", "edgecolor": edge}
    axes.text(x, y, text, ha="center", va="center", fontsize=9, style=style, bbox=box)


def _arrow(axes: Any, child: tuple[int, int], parent: tuple[int, int], *, dashed: bool) -> None:
    how = {"arrowstyle": "->", "color": "#64748b", "linestyle": "--" if dashed else "-", "shrinkA": 45, "shrinkB": 45}
    axes.annotate("", xy=parent, xytext=child, arrowprops=how)
