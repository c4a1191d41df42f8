"""Knowledge: topics from files, as they are known at a view."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from context_plane.facade.searching import Searching
from context_plane.tenant import Cut, Tenant

if TYPE_CHECKING:
    from context_plane.knowledge.catalog import Catalog
    from context_plane.knowledge.lookup import Passage
    from context_plane.knowledge.sync import Learned
    from context_plane.knowledge.topic import Topic, TopicInfo
    from context_plane.retrieval.searcher import Asked


class Knowing(Searching):
    """Knowledge topics."""

    def learn(
        self,
        tenant: str,
        folder: str | os.PathLike[str] | None = None,
        *,
        remove: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> Learned:
        """Makes the files of a folder (the home's ``knowledge/`` by default) what the tenant knows, in one commit.

        Topics without a file are removed unless `remove` is off; a single file only adds its topic, or another version
        of it. Files that are no topics are named in the result and do not hinder the others. `progress` is given files
        read and files there are. Raises `NotFound` where there is no such folder or file, `Unavailable`.
        """
        from context_plane.knowledge.folder import scan
        from context_plane.knowledge.sync import sync

        home = self.settings.knowledge
        place = home if folder is None else Path(folder)
        scan(place, home)  # what cannot go well is said before anything is made
        state = self._tenant(tenant)
        self._check_writable()
        with state.lock:
            learned = sync(
                state.history, self._catalog(state), lambda: scan(place, home), remove=remove, progress=progress
            )
            state.look_again()
        return learned

    def topics(self, tenant: str, *, as_of: Cut = None, known_at: int | None = None) -> list[TopicInfo]:
        """The topics that there are, by name, without their texts."""
        state = self._known(tenant)
        return list(self._catalog(state).current(state.view(as_of, known_at)).values())

    def topic(
        self, tenant: str, name: str, *, version: str | None = None, as_of: Cut = None, known_at: int | None = None
    ) -> Topic:
        """A topic with its chunks and text: the current version, or one from before that begins with `version`.

        A dot in the name may stand for a slash. Raises `NotFound` with topics that look like it, or the time when it
        was removed; `InputError` where `version` does not tell one from others.
        """
        state = self._known(tenant)
        return self._catalog(state).find(state.view(as_of, known_at), name, version)

    def lookup(
        self,
        tenant: str,
        query: str,
        *,
        topics: str | Iterable[str] | None = None,
        mode: Asked = "auto",
        k: int = 10,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> list[Passage]:
        """The k chunks of current versions (of some topics) that answer a query best, the best first.

        `search` finds the chunks of versions gone by too. Raises `NotFound` for a topic that there is not.
        """
        from context_plane.knowledge.lookup import lookup

        state = self._known(tenant)
        view, searcher = state.view(as_of, known_at), self._searcher(state)
        named = [topics] if isinstance(topics, str) else topics
        return lookup(
            self._catalog(state), lambda asked: searcher.search(view, asked), view, query, named, mode, k
        )  # fmt: skip

    def _catalog(self, state: Tenant) -> Catalog:
        """What is known of the changes of a tenant's topics: held as long as the cache has room."""
        catalog: Catalog = self.files.memory.obtain(("knowledge", state.name), _new_catalog)
        return catalog


def _new_catalog() -> Catalog:
    from context_plane.knowledge.catalog import Catalog as New

    return New()
