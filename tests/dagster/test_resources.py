"""Resources: opening lazily, outside Dagster too, and by the same code as the façade."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from context_plane.bundles.folder import read_specs
from context_plane.errors import NotFound
from resources.builders import Builders
from resources.plane import PlaneResource
from resources.serving import ServingResource
from tests.dagster.world import SPEC, Home, event, events


def build(home: Home, tenant: str = "acme") -> None:
    """Builds and publishes everything, without Dagster."""
    builder = home.builder(tenant)
    touched = builder.history.touched()
    builder.build((min(touched), max(touched)))
    builder.publish()


def test_a_resource_reads_nothing_before_it_is_used(tmp_path: Path) -> None:
    """Making one, even for a home that does not exist, touches no disk."""
    with PlaneResource(home=str(tmp_path / "none")).process_config_and_initialize_cm() as resource:
        assert resource.plane.settings.home == tmp_path / "none"
    assert not (tmp_path / "none").exists()


def test_the_store_of_a_resource_wins_over_the_home(tmp_path: Path) -> None:
    """`store` overrides what environment and plane.toml say."""
    resource = PlaneResource(home=str(tmp_path), store=str(tmp_path / "elsewhere"))
    assert resource.plane.settings.store == str(tmp_path / "elsewhere")
    assert PlaneResource(home=str(tmp_path)).plane.settings.store == str(tmp_path / "store")


def test_serving_outside_dagster_gives_the_bundles_of_the_facade(home: Home) -> None:
    """Agent code takes the resource without a run, and reads byte for byte what the façade reads."""
    home.ingest(events("2026-03-01", 3))
    build(home)
    with ServingResource(home=str(home.folder)).process_config_and_initialize_cm() as serving:
        assert serving.bundle("acme", "customer/a").json == home.plane.bundle("acme", "customer/a").json
        assert [each.entity for each in serving.bundles("acme", "customer_v0")] == ["customer/a", "customer/b"]
        assert serving.bundle("acme", "customer/a", as_of="2026-03-01").fields["notes"] == 1
        assert serving.snapshot("acme") == home.plane.snapshot("acme")
        home.plane.remember("acme", "customer/a", "Prefers annual billing", id="m1")
        assert [each.id for each in serving.recall("acme", "billing", entity="customer/a")] == ["m1"]
        found = serving.context("acme", "customer/a", "billing", max_tokens=300)
        assert home.plane.replay(found.receipt).text == found.text
        with pytest.raises(NotFound, match="customer/nobody"):
            serving.bundle("acme", "customer/nobody")


def test_assets_are_given_the_serving_resource(home: Home, instance: dg.DagsterInstance) -> None:
    """A user's own asset reads published bundles through the resource `serving` of the code location."""
    home.ingest(events("2026-03-01", 1))

    @dg.asset
    def mine(serving: ServingResource) -> int:
        return int(serving.bundle("acme", "customer/b").fields["notes"])

    definitions = dg.Definitions.merge(home.graph().definitions(), dg.Definitions(assets=[mine]))
    resources = {"serving": definitions.resources["serving"]} if definitions.resources else {}
    assert dg.materialize([mine], instance=instance, resources=resources).output_for_node("mine") == 1


def test_a_broken_spec_takes_nothing_else_with_it(home: Home) -> None:
    """The good specs are read; the others are told by file, line, key and remedy."""
    home.write_spec("typo", "context: typo\nentity: customer\nfieldz: {}\n")
    home.write_spec("twice", SPEC)
    home.write_spec("latin", "x").write_bytes(b"context: \xe9")
    specs = read_specs(home.folder / "contexts")
    assert list(specs.good) == ["customer_v0"]
    told = {broken.file.stem: str(broken.error) for broken in specs.broken}
    assert told.keys() == {"typo", "twice", "latin"}
    assert "typo.yaml:3: fieldz): did you mean fields?" in told["typo"]
    assert "there twice, first in customer_v0.yaml" in told["twice"]
    assert "does not read" in told["latin"]


def test_a_broken_spec_does_not_drop_its_packs(home: Home) -> None:
    """A typo must not throw published packs away: while a file is broken none are dropped; mended, none is stale."""
    good = SPEC.replace("customer_v0", "second_v0")
    home.write_spec("second_v0", good)
    home.ingest(events("2026-03-01", 2))
    build(home)
    home.write_spec("second_v0", good.replace("fields:", "fieldz:"))
    builder = home.builder()
    assert list(builder.specs) == ["customer_v0"]
    assert not builder.unpublished()
    assert builder.publish() is None
    home.write_spec("second_v0", good)
    assert not home.builder().stale()


def test_a_removed_spec_is_dropped_at_the_next_publication(home: Home) -> None:
    """Packs of a spec whose file is gone leave the snapshot; what is left is not built again."""
    path = home.write_spec("second_v0", SPEC.replace("customer_v0", "second_v0"))
    home.ingest(events("2026-03-01", 2))
    build(home)
    path.unlink()
    assert home.builder().unpublished()
    snapshot = home.builder().publish()
    assert snapshot is not None
    assert snapshot.catalog.specs == ["customer_v0"]
    assert not home.builder().stale()


def test_a_home_without_specs_goes_on_with_the_published_ones(home: Home, tmp_path: Path) -> None:
    """A worker that was given the store and no home builds what readers of that store see."""
    home.ingest(events("2026-03-01", 2))
    build(home)
    home.ingest([event(100, "2026-03-03")])
    bare = PlaneResource(home=str(tmp_path / "bare"), store=str(home.folder / "store"))
    builder = bare.builders.of("acme")
    assert list(builder.specs) == ["customer_v0"]
    assert len(builder.stale().contexts["customer_v0"]) == 1
    assert bare.plane.bundle("acme", "customer/a").fields["notes"] == 3


def test_builders_notice_that_derived_data_are_gone(home: Home) -> None:
    """A long-lived process that looks again finds everything stale after snapshots were removed under it."""
    home.ingest(events("2026-03-01", 2))
    build(home)
    builders = Builders(home.plane)
    assert not builders.of("acme").stale()
    for path in (home.folder / "store" / "tenants" / "acme" / "snapshots").iterdir():
        if path.is_file():
            path.unlink()
    builders.look_again()
    assert len(builders.of("acme").stale().timeline) == 2


def test_builders_import_no_dagster() -> None:
    """What `cortex materialize` needs to find that nothing is stale comes without Dagster, 0.7 s of import."""
    code = "import sys, resources.builders, context_assets.commands; print('dagster' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"
