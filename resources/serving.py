"""`ServingResource`: published bundles and search for assets, sensors and agent code alike, by the code of the façade.

Here belong reads. What builds and publishes is given `PlaneResource`. Outside a run::

    with ServingResource(home="…").process_config_and_initialize_cm() as serving:
        print(serving.bundle("acme", "customer/c-42").text)
"""

from collections.abc import Iterator, Sequence

from context_plane import Bundle, Hit, Snapshot
from context_plane.bundles.answers.answer import Context
from context_plane.memory.nodes.recalling import Recalled
from context_plane.retrieval.searcher import Asked
from context_plane.tenant import Cut
from resources.plane import OpenedPlane


class ServingResource(OpenedPlane):
    """What agents read: bundles, and the snapshot they come from."""

    def bundle(
        self, tenant: str, entity: str, spec: str | None = None, *, as_of: Cut = None, known_at: int | None = None
    ) -> Bundle:
        """The context of one entity: `ContextPlane.bundle`. Raises `NotFound`, `InputError`."""
        return self.plane.bundle(tenant, entity, spec, as_of=as_of, known_at=known_at)

    def bundles(self, tenant: str, spec: str, *, as_of: Cut = None, known_at: int | None = None) -> Iterator[Bundle]:
        """The bundles of all entities, sorted by entity, all of one view: `ContextPlane.bundles`."""
        return self.plane.bundles(tenant, spec, as_of=as_of, known_at=known_at)

    def search(
        self,
        tenant: str,
        query: str,
        *,
        entity: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        as_of: Cut = None,
        known_at: int | None = None,
        mode: Asked = "auto",
        k: int = 10,
    ) -> list[Hit]:
        """The events that answer a query best: `ContextPlane.search`."""
        return self.plane.search(
            tenant, query, entity=entity, type=type, as_of=as_of, known_at=known_at, mode=mode, k=k
        )

    def recall(
        self,
        tenant: str,
        query: str,
        *,
        entity: str | Sequence[str] | None = None,
        type: str | Sequence[str] | None = None,
        as_of: Cut = None,
        known_at: int | None = None,
        k: int = 10,
    ) -> list[Recalled]:
        """What is remembered that answers a query best: `ContextPlane.recall`."""
        return self.plane.recall(tenant, query, entity=entity, type=type, as_of=as_of, known_at=known_at, k=k)

    def context(
        self,
        tenant: str,
        entity: str,
        goal: str | None = None,
        *,
        max_tokens: int = 2_000,
        spec: str | None = None,
        as_of: Cut = None,
        known_at: int | None = None,
    ) -> Context:
        """Context for a goal under a budget: `ContextPlane.context`. Its receipt is all that is written here."""
        return self.plane.context(
            tenant, entity, goal, max_tokens=max_tokens, spec=spec, as_of=as_of, known_at=known_at
        )

    def snapshot(self, tenant: str) -> Snapshot | None:
        """The newest published snapshot, or `None` before the first."""
        return self.plane.snapshot(tenant)
