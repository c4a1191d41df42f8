"""Packages: what is compiled from chains, topics and queries, and composed into one context."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from context_plane.errors import Conflict, ContextPlaneError, InputError, NotFound
from context_plane.facade.remembering import Remembering
from context_plane.tenant import Cut

if TYPE_CHECKING:
    from context_plane.bundles.packages.compose import Composed
    from context_plane.bundles.packages.declaration import Query
    from context_plane.bundles.packages.folder import Packages
    from context_plane.bundles.packages.imports import Imported
    from context_plane.bundles.packages.package import Built, Package, Row, Verified
    from context_plane.bundles.packages.proposals import Proposal
    from context_plane.bundles.packages.shelf import Shelf
    from context_plane.bundles.packages.stored import Stored
    from context_plane.parts.view import View
    from context_plane.retrieval.hit import Hit


class Packing(Remembering):
    """Packages."""

    def package(
        self,
        tenant: str,
        name: str,
        *,
        as_of: Cut = None,
        known_at: int | None = None,
        compile: bool = True,  # noqa: A002 - the contract's name
    ) -> Package:
        """A package: what was built of it where that is what it is at the view, else compiled now, with the same bytes.

        Without `compile` what was built last, however it stands (`freshness` says so). Raises `NotFound` for an unknown
        tenant, package or source, `InputError` for a file that is broken, `Infeasible` where what is mandatory takes
        more than `max_tokens`.
        """
        from context_plane.bundles.packages.building import packed

        state = self._known(tenant)
        shelf = self._shelf(state.view(as_of, known_at))
        return packed(shelf, name, lambda: self._accesses(state.view(as_of, known_at)), latest=not compile)

    def packages(
        self, tenant: str, *, as_of: Cut = None, known_at: int | None = None, counted: bool = True
    ) -> list[Row]:
        """All packages by name, each with what was built of it, whether that is fresh, and unless `counted` is off in
        how many answers it was."""
        from context_plane.bundles.packages.building import rows

        view = self._known(tenant).view(as_of, known_at)
        return list(rows(self._shelf(view), lambda: self._accesses(view) if counted else {}))

    def build_packages(
        self, tenant: str, names: str | Iterable[str] | None = None, *, table: bool = True
    ) -> list[Built]:
        """Compiles packages that are stale or not built (of `names`, by default all that are declared) and keeps them.

        What is fresh stays as it is. One that cannot be compiled hinders no other: its `error` says why. With `table`
        the rows of `ctx_packages` in LanceDB are brought up to date. Raises `NotFound` for a name that there is not,
        `Unavailable`.
        """
        from context_plane.bundles.packages.building import build

        view = self._known(tenant).view()
        self._check_writable()
        shelf, stored = self._shelf(view), self._stored(tenant)
        counts = self._accesses(view)
        chosen = list(shelf.declarations) if names is None else [names] if isinstance(names, str) else list(names)
        for name in chosen:
            shelf.origin(name)
        built = [build(shelf, stored, name, lambda: counts) for name in chosen]
        if table:
            self._settle_packages(shelf, counts)
        return built

    def verify_package(self, tenant: str, name: str) -> Verified:
        """Compiles what was built last again, from the log at the view that it was built at, and compares the bytes.

        Raises `NotFound` where nothing was built, `Corrupt` where it is damaged."""
        from context_plane.bundles.packages.building import verify

        state = self._known(tenant)

        def past(head: Any, declared: Packages) -> Shelf:
            view = replace(state.view(None, head.log), as_of=head.as_of, end=head.end)
            return self._new_shelf(view, declared, None)

        return verify(self._shelf(state.view()), self._stored(tenant), name, past)

    def compose(
        self,
        tenant: str,
        names: str | Sequence[str],
        max_tokens: int,
        *,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> Composed:
        """Several packages, with those that they build on, in one text of at most `max_tokens` tokens.

        Higher precedence goes first; what two of them say is said once; a memory that another one took the place of is
        not said. Raises `Infeasible` where what is mandatory takes more, with the least that would do, and what
        `package` raises.
        """
        from context_plane.bundles.packages.compose import compose
        from context_plane.bundles.viewport.sections import check

        check((), max_tokens)
        chosen = [names] if isinstance(names, str) else list(names)
        if not chosen:
            raise InputError("there is nothing to compose", where="names", remedy="name one package or more")
        shelf = self._shelf(self._known(tenant).view(as_of, known_at))
        return compose(shelf.parts(chosen), max_tokens, shelf.reader.superseded)

    def export_package(self, tenant: str, name: str, *, as_of: Cut = None, known_at: int | None = None) -> bytes:
        """A package as one file, with what it takes from those that it builds on. Raises what `package` raises."""
        from context_plane.bundles.packages.portable import export

        return export(self.package(tenant, name, as_of=as_of, known_at=known_at).compiled)

    def import_package(
        self, tenant: str, package: bytes | str | os.PathLike[str], *, name: str | None = None
    ) -> Imported:
        """Takes in what `export_package` gave, from bytes or a file, under its own name or another.

        All of it is checked. What was imported under the name before stays in the log, and the new version goes first.
        Raises `InputError` for a file that was changed, naming what is wrong, `Conflict` for a name that the home
        declares.
        """
        from context_plane.bundles.packages.declaration import check_name
        from context_plane.bundles.packages.imports import take
        from context_plane.bundles.packages.portable import load, read
        from context_plane.log.events import Limits

        made = read(package) if isinstance(package, bytes) else load(package)
        wanted = check_name(made.name if name is None else name)
        declared = self.home.packages().good.get(wanted)
        if declared is not None and (not declared.tenants or tenant in declared.tenants):
            remedy = "import it under another name, or take the file out of packages/"
            raise Conflict(f"package {wanted} is declared by this home", where=declared.where, remedy=remedy)
        state = self._tenant(tenant)
        self._check_writable()
        with state.lock:
            done = take(state.imports, wanted, made, Limits(**vars(self.settings.ingest)))
            state.look_again()
        return done

    def proposals(
        self, tenant: str, *, least: int | None = None, lift: float | None = None, known_at: int | None = None
    ) -> list[Proposal]:
        """Packages that nobody declared, of chains that answers drew on together: in at least `least` answers (5), and
        `lift` (1.5) times as often as by chance."""
        from context_plane.bundles.packages import proposals, receipts

        view = self._known(tenant).view(None, known_at)
        answers, known = receipts.together(receipts.read(view)), list(self._shelf(view).chains())
        least = proposals.LEAST if least is None else least
        lift = proposals.LIFT if lift is None else lift
        return proposals.propose(answers, least=least, lift=lift, known=known)

    def _packed_text(
        self, view: View, name: str, version: str, recipe: Mapping[str, Mapping[str, Any]] | None = None
    ) -> str:
        """The text of a version of a package: as it was built, else as it is compiled at the view, by the declarations
        of a `Package.recipe` or by those of the home. Raises `NotFound` where that is another version."""
        from context_plane.bundles.packages.declaration import Declaration
        from context_plane.bundles.packages.folder import Packages

        try:
            return self._stored(view.tenant).read(name, version).text
        except NotFound:
            pass
        declared = self.home.packages()
        if recipe:
            declared = Packages({each: Declaration.from_json(raw) for each, raw in recipe.items()})
        made = self._new_shelf(view, declared, None).compiled(name)
        if made.version != version:
            remedy = "its declaration, or the code, is not what it was"
            raise NotFound(f"package {name} is another version", where=f"tenant {view.tenant}", remedy=remedy)
        return made.text

    def _shelf(self, view: View) -> Shelf:
        """The packages at a view; those of the last one of each tenant are kept."""
        declared, key = self.home.packages(), ("packages", view.tenant)
        held: Shelf | None = self.files.memory.get(key)
        if held is not None and held.declared is declared and _cut(held.view) == _cut(view):
            return held
        made = self._new_shelf(view, declared, self._stored(view.tenant))
        self.files.memory.put(key, made)
        return made

    def _new_shelf(self, view: View, declared: Packages, stored: Stored | None) -> Shelf:
        from context_plane.bundles.packages.shelf import Shelf
        from context_plane.bundles.packages.shown import Shown

        state = self._tenant(view.tenant)

        def hits(query: Query, since: Cut, until: Cut) -> list[Hit]:
            return self._search(
                view, query.query, entity=query.entity or None, type=query.type or None, since=since, until=until,
                mode=query.search, k=query.k,
            )  # fmt: skip

        shown = Shown(
            view.as_of,
            lambda: self._seen(view),
            lambda name: self._catalog(state).find(view, name),
            lambda: self._graph(view),
            hits,
        )
        return Shelf(view, shown, declared, stored, state.imports)

    def _stored(self, tenant: str) -> Stored:
        from context_plane.bundles.packages.stored import Stored

        return Stored(self.store, tenant)

    def _accesses(self, view: View) -> Mapping[str, int]:
        from context_plane.bundles.packages import receipts

        return receipts.accesses(receipts.read(view))

    def _settle_packages(self, shelf: Shelf, counts: Mapping[str, int]) -> None:
        """Brings the rows of packages in LanceDB up to date: of those that are built, or imported."""
        from context_plane.bundles.packages import table
        from context_plane.bundles.packages.building import packed

        found: list[Package] = []
        for name in shelf.names():
            try:
                found.append(packed(shelf, name, lambda: counts, latest=True))
            except ContextPlaneError:
                continue
        table.settle(self.store, shelf.view.tenant, found, [each.name for each in found])


def _cut(view: View) -> tuple[int, int, int]:
    return view.number, view.as_of, view.end
