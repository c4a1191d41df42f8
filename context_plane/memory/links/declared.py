"""What sources declare about their links: columns, fields of text, and how references are written.

Here belong the declarations as folds are given them and as snapshots record them. The keys of the files that users
write are `log.mapping`'s, what a written reference stands for is `references`'.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from context_plane.memory.links.notations import Notation, notation

RULES: Final = "rules"
"""Name of the extractor that needs no model."""
TEXT: Final = "text"


@dataclass(frozen=True)
class Declared:
    """What one source declares about its links."""

    columns: tuple[tuple[str, str], ...] = ()
    """Kinds, and the fields of the data that hold their targets."""
    references: tuple[Notation, ...] = ()
    """How things are referred to, beside the numbers that follow from an entity's own id."""
    fields: tuple[str, ...] = (TEXT,)
    """Fields of the data whose text is read."""

    @staticmethod
    def of(
        links: Mapping[str, str],
        references: Iterable[Mapping[str, str]] = (),
        fields: Iterable[str] = (TEXT,),
    ) -> Declared:
        """What a mapping's `links` says, and `references` such as ``{written: "!{number}", entity: "mr/{number}"}``.

        Raises `InputError` for a reference that does not read.
        """
        return Declared(tuple(sorted(links.items())), tuple(map(notation, references)), tuple(fields))


@dataclass(frozen=True)
class Linking:
    """How a tenant's links are found: part of the identity of whatever is built of them."""

    extractor: str = RULES
    sources: Mapping[str, Declared] = field(default_factory=dict)
    """By CloudEvents source; of a source that declares nothing the text is read."""

    def of(self, source: str) -> Declared:
        """What a source declares."""
        return self.sources.get(source, _NOTHING)

    def to_json(self) -> dict[str, Any]:
        """As snapshots record it: plain JSON, equal to what is read back."""
        sources = {name: _json(self.sources[name]) for name in sorted(self.sources)}
        return {"extractor": self.extractor, "sources": sources}

    @staticmethod
    def from_json(raw: Mapping[str, Any]) -> Linking:
        """Reverse of `to_json`."""
        sources = {
            name: Declared.of(each["links"], each["references"], each["fields"])
            for name, each in raw["sources"].items()
        }
        return Linking(raw["extractor"], sources)


_NOTHING: Final = Declared()


def _json(declared: Declared) -> dict[str, Any]:
    references = [each.to_json() for each in declared.references]
    return {"links": dict(declared.columns), "references": references, "fields": list(declared.fields)}
