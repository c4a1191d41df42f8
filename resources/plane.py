"""`PlaneResource`: the plane as Dagster's assets, sensors and schedules are given it.

Here belongs how a home and a store come from Dagster's config. Reading bundles is `serving`.
"""

from typing import Any

import dagster as dg
from pydantic import PrivateAttr

from context_plane import ContextPlane
from resources.builders import Builders


class OpenedPlane(dg.ConfigurableResource[Any]):
    """A plane over a home, opened when it is first used and closed at the end of the run or tick."""

    home: str | None = None
    """The home's folder; by default ``CONTEXT_PLANE_HOME``, else ``./.context-plane``."""
    store: str | None = None
    """The object store's URL or folder; by default what environment and ``plane.toml`` say."""
    _plane: ContextPlane | None = PrivateAttr(default=None)

    @property
    def plane(self) -> ContextPlane:
        """The plane, opened at its first use. Raises `InputError` for bad settings."""
        if self._plane is None:
            self._plane = self.open()
        return self._plane

    def open(self) -> ContextPlane:
        """A plane of one's own, for whoever keeps it longer than a run."""
        overrides: dict[str, Any] = {"store": self.store} if self.store else {}
        return ContextPlane.open(self.home, **overrides)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 - Dagster's signature
        """Frees what the plane holds open."""
        if self._plane is not None:
            self._plane.close()
            self._plane = None


class PlaneResource(OpenedPlane):
    """What assets build and publish with."""

    _builders: Builders | None = PrivateAttr(default=None)

    @property
    def builders(self) -> Builders:
        """The builders of the plane's tenants."""
        if self._builders is None or self._builders.plane is not self.plane:
            self._builders = Builders(self.plane)
        return self._builders
