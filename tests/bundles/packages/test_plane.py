"""Packages through the façade, over a real log and store."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from context_plane import AsyncContextPlane, ContextPlane
from context_plane.bundles.packages import table
from context_plane.errors import Conflict, Corrupt, Infeasible, InputError, NotFound
from context_plane.log.append import append
from context_plane.log.history import History

TOPIC = "# Deploying\n\nOne region at a time.\n\n## Rollback\n\nThe image before.\n"
PAY = """\
package: team/pay
scope: team
description: How we run payments
knowledge: [deploying]
chains: [n2]
queries: [{query: export, k: 2}]
"""


class Home:
    """A home with a topic, a chain of memory and events of the tenant acme, and the package `team/pay`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "knowledge").mkdir(parents=True)
        (folder / "knowledge" / "deploying.md").write_text(TOPIC)
        self.declare("pay", PAY)
        self.plane = ContextPlane.open(folder)

    def fill(self, tenant: str = "acme") -> None:
        """The sources of the package."""
        told = {"type": "decision", "at": "2026-01-01"}
        self.plane.remember(tenant, "service/pay", "Uses MySQL", id="n1", **told)
        self.plane.remember(tenant, "service/pay", "Uses Postgres", id="n2", supersedes="n1", at="2026-02-01")
        self.plane.learn(tenant)
        self.plane.ingest(tenant, [note(n) for n in (1, 2, 3)])

    def declare(self, name: str, text: str) -> Path:
        """Writes a file under `packages/`."""
        path = self.folder / "packages" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def again(self) -> ContextPlane:
        """A plane that has read nothing yet."""
        return ContextPlane.open(self.folder)


def note(number: int, **data: Any) -> dict[str, Any]:
    """An event about an export."""
    return {
        "specversion": "1.0", "id": str(number), "source": "crm", "type": "crm.note", "subject": "customer/a",
        "time": f"2026-03-0{number}T09:00:00Z", "data": {"text": f"Asked about export {number}", **data},
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "home")
    made.fill()
    yield made
    made.plane.close()


def test_what_is_built_is_what_is_compiled(home: Home) -> None:
    """Byte by byte; a reader of another process is served what was built, and told so."""
    compiled = home.plane.package("acme", "team/pay")
    assert compiled.freshness.state == "not built"
    (built,) = home.plane.build_packages("acme", table=False)
    assert (built.new, built.error) == (True, None)
    served = home.again().package("acme", "team/pay")
    assert (served.freshness.state, served.freshness.log) == ("fresh", 4)
    assert served.compiled.body == compiled.compiled.body
    assert "Uses Postgres" in served.text
    assert "MySQL" not in served.text
    assert [source["ref"] for source in served.sources] == [
        "topic deploying", "chain n2", "query export (k=2, search=bm25)",
    ]  # fmt: skip
    assert (served.scope, served.description, served.chains, served.depends) == (
        "team", "How we run payments", ["n1"], [],
    )  # fmt: skip
    assert served.tokens < served.raw_tokens
    assert json.loads(json.dumps(served.to_dict()))["ratio"] == round(served.ratio, 4)


def test_a_changed_source_makes_it_stale_until_it_is_built(home: Home) -> None:
    """Nobody is served what is no longer so: meanwhile it is compiled when it is asked for."""
    home.plane.build_packages("acme", table=False)
    home.plane.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    (row,) = home.plane.packages("acme")
    assert (row.freshness.state, row.lacking) == ("stale", True)
    assert row.freshness.changes == ("chain n2: n2 is superseded", "chain n2: n3 is new")
    assert "Uses Aurora" in home.plane.package("acme", "team/pay").text
    assert "Uses Postgres" in home.plane.package("acme", "team/pay", compile=False).text
    (built,) = home.plane.build_packages("acme", "team/pay", table=False)
    assert (built.new, built.changes) == (True, row.freshness.changes)
    assert home.plane.packages("acme")[0].freshness.state == "fresh"
    assert not home.plane.build_packages("acme", table=False)[0].new


def test_what_does_not_matter_leaves_it_fresh(home: Home) -> None:
    """Other events, other memories, a file that is only written differently."""
    home.plane.build_packages("acme", table=False)
    home.plane.ingest("acme", [note(7, text="Asked for a refund")])
    home.plane.remember("acme", "service/other", "Something else")
    home.declare("pay", PAY.replace("chains: [n2]", "chains:\n  - n2  # the database"))
    assert home.plane.packages("acme")[0].freshness.state == "fresh"
    assert home.again().package("acme", "team/pay").freshness.state == "fresh"


def test_views_of_the_past_are_compiled_as_they_were(home: Home) -> None:
    """By event time and by log number, whatever was built since."""
    before = home.plane.package("acme", "team/pay").compiled.body
    home.plane.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    home.plane.build_packages("acme", table=False)
    assert home.plane.package("acme", "team/pay", known_at=4).compiled.body == before
    with pytest.raises(NotFound, match="topic deploying: there is no topic"):
        home.plane.package("acme", "team/pay", as_of="2026-01-15")  # the file was learned later
    home.declare("chain", "package: team/chain\nscope: team\nchains: [n1]\n")
    assert "Uses MySQL" in home.plane.package("acme", "team/chain", as_of="2026-01-15").text
    assert "Uses Aurora" in home.plane.package("acme", "team/chain").text


def test_all_but_the_log_may_be_deleted(home: Home) -> None:
    """Built again, every byte is the same; an imported package is there without being built."""
    home.plane.build_packages("acme", table=False)
    data = home.plane.export_package("acme", "team/pay")
    home.plane.import_package("acme", data, name="vendor/pay")
    before = {name: home.plane.package("acme", name).compiled.body for name in ("team/pay", "vendor/pay")}
    home.plane.close()
    for path in (home.folder / "store" / "tenants" / "acme").iterdir():
        if path.name not in ("log", "entities"):
            shutil.rmtree(path)
    again = home.again()
    again.build_packages("acme", table=False)
    assert {name: again.package("acme", name).compiled.body for name in before} == before
    assert again.export_package("acme", "team/pay") == data


def test_verification_compiles_again_from_the_log(home: Home) -> None:
    """At the view that it was built at, with the declaration that it was built by; a forged version is found out."""
    home.plane.build_packages("acme", table=False)
    home.plane.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    home.declare("pay", PAY.replace("k: 2", "k: 1"))
    found = home.plane.verify_package("acme", "team/pay")
    assert (found.equal, found.difference) == (True, "")
    from context_plane.bundles.packages.compile import compiled_of, version_of
    from context_plane.bundles.packages.stored import Stored

    stored = Stored(home.plane.store, "acme")
    head = stored.latest("team/pay")
    assert head is not None
    body = stored.read("team/pay", head.version).body.replace(b"One region", b"All regions")
    forged = compiled_of(body, "here")
    assert version_of(body) != head.version
    stored.write(forged, head.log, head.as_of, head.end)
    found = home.again().verify_package("acme", "team/pay")
    assert not found.equal
    assert found.difference == "the text differs first in line 4"
    assert found.to_dict()["version"] == forged.version


def test_damage_is_built_over_and_told_by_verification(home: Home) -> None:
    """A reader compiles instead of serving it."""
    home.plane.build_packages("acme", table=False)
    text = home.plane.package("acme", "team/pay").text
    (path,) = [path for path in (home.folder / "store").rglob("packages/*/*.json") if len(path.stem) == 64]
    path.chmod(0o644)
    path.write_text(path.read_text().replace("One region", "All regions"))
    again = home.again()
    assert again.package("acme", "team/pay").text == text
    with pytest.raises(Corrupt, match="damaged"):
        again.verify_package("acme", "team/pay")


def test_packages_build_on_each_other(home: Home) -> None:
    """A change below makes those above stale; what is missing below is said with the file that names it."""
    home.declare("base", "package: org/base\nscope: org\nknowledge: [deploying]\n")
    home.declare("top", "package: team/top\nscope: team\nchains: [n2]\npackages: [org/base]\n")
    assert [each.error for each in home.plane.build_packages("acme", table=False)] == [None] * 3
    top = home.plane.package("acme", "team/top")
    assert [each["package"] for each in top.depends] == ["org/base"]
    assert "<org-base-knowledge>" in top.text
    assert top.freshness.state == "fresh"
    (home.folder / "knowledge" / "deploying.md").write_text(TOPIC.replace("One", "Every"))
    home.plane.learn("acme")
    rows = {row.name: row.freshness.changes for row in home.plane.packages("acme")}
    assert rows["team/top"] == ("package org/base changed",)
    assert rows["org/base"] == ("topic deploying changed",)
    wrong = home.declare("wrong", "package: team/wrong\nscope: team\npackages: [org/bose]\n")
    with pytest.raises(NotFound, match="builds on org/bose: there is no package") as error:
        home.plane.package("acme", "team/wrong")
    assert error.value.where == str(wrong)
    assert "did you mean org/base" in error.value.remedy


def test_bad_files_leave_the_others(home: Home) -> None:
    """Each is an error with its place when it is asked for, and a row in the list."""
    home.declare("typo", "package: team/typo\nscope: team\nknowlegde: [a]\n")
    home.declare("a", "package: a\nscope: team\npackages: [b]\n")
    home.declare("b", "package: b\nscope: team\npackages: [a]\n")
    home.declare("gone", "package: gone\nscope: team\nknowledge: [nowhere]\n")
    rows = {row.name: row for row in home.plane.packages("acme")}
    assert {name: row.freshness.state for name, row in rows.items()} == {
        "a": "broken", "b": "broken", "gone": "broken", "team/pay": "not built", "team/typo": "broken",
    }  # fmt: skip
    with pytest.raises(InputError, match="in a circle: a → b → a"):
        home.plane.package("acme", "a")
    with pytest.raises(InputError, match="did you mean knowledge"):
        home.plane.package("acme", "team/typo")
    built = {each.name: each for each in home.plane.build_packages("acme", table=False)}
    assert built["team/pay"].new
    assert isinstance(built["gone"].error, NotFound)
    assert str(home.folder / "packages" / "gone.yaml") in str(built["gone"].error)
    with pytest.raises(NotFound, match="there is no package team/nay"):
        home.plane.build_packages("acme", ["team/nay"], table=False)
    with pytest.raises(InputError, match="no name of a package"):
        home.plane.package("acme", "../pay")


def test_a_declaration_may_be_of_some_tenants(home: Home) -> None:
    """Others do not have the package, and may import one under its name."""
    home.fill("beta")
    home.declare("pay", f"{PAY}tenants: [acme]\n")
    assert home.plane.packages("beta") == []
    with pytest.raises(NotFound):
        home.plane.package("beta", "team/pay")
    assert home.plane.import_package("beta", home.plane.export_package("acme", "team/pay")).new


def test_tenants_are_apart(home: Home) -> None:
    """The same declaration is another package of another tenant's memory."""
    home.plane.remember("beta", "service/pay", "Uses Oracle", id="n2")
    home.declare("pay", "package: team/pay\nscope: team\nchains: [n2]\n")
    home.plane.build_packages("acme", table=False)
    home.plane.build_packages("beta", table=False)
    assert "Oracle" in home.plane.package("beta", "team/pay").text
    assert "Oracle" not in home.plane.package("acme", "team/pay").text


def test_without_a_home_what_was_built_is_gone_on_with(home: Home, tmp_path: Path) -> None:
    """A worker may have been given the store alone: it reads packages, sees that they are stale, and builds them."""
    home.plane.build_packages("acme", table=False)
    worker = ContextPlane.open(tmp_path / "worker", store=home.plane.settings.store)
    assert worker.package("acme", "team/pay").text == home.plane.package("acme", "team/pay").text
    worker.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    assert worker.packages("acme")[0].freshness.state == "stale"
    assert worker.build_packages("acme", table=False)[0].new
    assert home.again().package("acme", "team/pay").freshness.state == "fresh"


def test_imports_are_events_and_the_newest_goes_first(home: Home) -> None:
    """The same again is nothing new; another version takes its place and is reported; the past keeps what it had."""
    first = home.plane.export_package("acme", "team/pay")
    done = home.plane.import_package("beta", first, name="vendor/pay")
    assert (done.new, done.before) == (True, None)
    again = home.plane.import_package("beta", first, name="vendor/pay")
    assert (again.new, again.before) == (False, done.version)
    home.plane.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    second = home.plane.export_package("acme", "team/pay")
    other = home.plane.import_package("beta", second, name="vendor/pay")
    assert (other.new, other.before) == (True, done.version)
    assert home.plane.import_package("beta", first, name="vendor/pay").before == other.version
    found = home.plane.package("beta", "vendor/pay")
    assert (found.version, found.freshness.state, found.origin) == (done.version, "imported", "imported")
    assert home.plane.package("beta", "vendor/pay", known_at=2).version == other.version
    assert [row.name for row in home.plane.packages("beta")] == ["team/pay", "vendor/pay"]
    assert home.plane.search("beta", "Aurora Postgres region") == []
    assert (
        home.plane.sql("beta", "SELECT count(*) AS n FROM events WHERE type = 'cortex.package.imported'")["n"][
            0
        ].as_py()
        == 3
    )


def test_an_import_is_refused_before_anything_is_stored(home: Home, tmp_path: Path) -> None:
    """A file that was changed, a name that the home declares, a name that is none."""
    data = home.plane.export_package("acme", "team/pay")
    path = tmp_path / "pay.ctxpkg"
    path.write_bytes(data.replace(b"Postgres", b"postgres"))
    with pytest.raises(InputError, match="SHA-256 of the package is not the one told of") as error:
        home.plane.import_package("new", path)
    assert error.value.where == f"{path}:2"
    with pytest.raises(Conflict, match="is declared by this home"):
        home.plane.import_package("new", data)
    with pytest.raises(InputError, match="no name"):
        home.plane.import_package("new", data, name="Vendor")
    assert "new" not in home.plane.tenants()


def test_two_that_import_at_once_both_count(home: Home) -> None:
    """Each is its own version in the log, in some order."""
    first = home.plane.export_package("acme", "team/pay")
    home.plane.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    second = home.plane.export_package("acme", "team/pay")
    planes = [home.again() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(lambda at: planes[at].import_package("beta", (first, second)[at % 2], name="v/p"), range(4))
        )
    versions = {each.version for each in done}
    assert len(versions) == 2
    assert home.again().package("beta", "v/p").version in versions
    assert sum(each.new for each in done) >= 2


def test_packages_compose(home: Home) -> None:
    """Own and imported ones; a budget below what is mandatory is refused with the least; the same bytes each time."""
    data = home.plane.export_package("acme", "team/pay")
    home.plane.import_package("acme", data, name="vendor/pay")
    home.declare("me", "package: personal/me\nscope: personal\nknowledge: [{topic: deploying, mandatory: true}]\n")
    made = home.plane.compose("acme", ["vendor/pay", "team/pay", "personal/me"], 400)
    assert made.text.count("One region") == 1
    assert made.items[0]["package"] == "personal/me"
    assert home.again().compose("acme", ["vendor/pay", "team/pay", "personal/me"], 400).text == made.text
    assert home.plane.compose("acme", "team/pay", 400).text == home.plane.package("acme", "team/pay").text
    with pytest.raises(Infeasible, match="mandatory takes") as error:
        home.plane.compose("acme", "personal/me", 5)
    assert error.value.remedy.startswith("give at least ")
    for names, budget in (([], 100), (["team/pay"], 0), (["team/pay"], True)):
        with pytest.raises(InputError):
            home.plane.compose("acme", names, budget)
    home.plane.remember("acme", "service/pay", "Uses Aurora", id="n3", supersedes="n2", at="2026-04-01")
    late = home.plane.compose("acme", "vendor/pay", 400)
    assert "Uses Postgres" not in late.text
    assert late.report.dropped[0].why == "superseded by n3"


def receipt(number: int, *items: dict[str, Any]) -> dict[str, Any]:
    """An answer's receipt."""
    return {
        "specversion": "1.0", "id": f"r{number}", "source": "cortex/receipts", "type": "cortex.receipt",
        "subject": f"receipt/r{number}", "time": f"2026-03-04T09:00:{number:02}Z", "data": {"items": list(items)},
    }  # fmt: skip


def test_answers_are_counted_and_chains_proposed(home: Home) -> None:
    """Accesses are how many answers a package was in; chains that answers draw on together are proposed."""
    home.plane.remember("acme", "service/mail", "Uses SES", id="m1", at="2026-01-01")
    chains = [{"kind": "memory", "id": id_, "chain": id_} for id_ in ("n1", "m1")]
    package = {"kind": "package", "package": "team/pay", "version": "x"}
    history = History(home.plane.store, "acme")
    append(history, [receipt(n, package, *chains) for n in range(6)])
    append(history, [receipt(n) for n in range(10, 20)])
    assert home.plane.package("acme", "team/pay").accesses == 6
    assert home.plane.packages("acme")[0].accesses == 6
    assert home.plane.packages("acme", counted=False)[0].accesses == 0
    (found,) = home.plane.proposals("acme")
    assert (found.chains, found.answers) == (("m1", "n1"), 6)
    home.declare("auto", found.yaml)
    assert "Uses SES" in home.plane.package("acme", found.name).text
    assert home.plane.proposals("acme") == []
    assert home.plane.proposals("acme", known_at=4) == []
    with pytest.raises(InputError, match="least is 1"):
        home.plane.proposals("acme", least=1)


def test_the_table_has_a_row_a_package(home: Home) -> None:
    """What was built and what was imported; a row goes with its package."""
    home.plane.build_packages("acme")
    home.plane.import_package("acme", home.plane.export_package("acme", "team/pay"), name="vendor/pay")
    home.declare("b", "package: b\nscope: org\npackages: [team/pay]\nmax_tokens: 200\n")
    home.plane.build_packages("acme")
    rows = {row["name"]: row for row in table.read(home.plane.store, "acme").to_pylist()}
    assert list(rows) == ["b", "team/pay", "vendor/pay"]
    pay = home.plane.package("acme", "team/pay")
    assert rows["team/pay"]["version"] == pay.version
    assert (rows["team/pay"]["tokens"], rows["team/pay"]["raw_tokens"]) == (pay.tokens, pay.raw_tokens)
    assert (rows["team/pay"]["chains"], rows["team/pay"]["topics"]) == (["n1"], ["deploying"])
    assert rows["b"]["depends"] == [f"team/pay@{pay.version}"]
    assert rows["vendor/pay"]["origin"] == "imported"
    (home.folder / "packages" / "b.yaml").unlink()
    home.plane.build_packages("acme")
    assert table.read(home.plane.store, "acme")["name"].to_pylist() == ["team/pay", "vendor/pay"]


def test_the_asynchronous_plane_has_the_same(home: Home) -> None:
    """Built, read and composed in an event loop."""

    async def run() -> tuple[str, str]:
        async with AsyncContextPlane.open(home.folder) as plane:
            await plane.build_packages("acme", table=False)
            package = await plane.package("acme", "team/pay")
            return package.text, (await plane.compose("acme", ["team/pay"], 400)).text

    one, other = asyncio.run(run())
    assert one == other


def test_an_unknown_tenant_has_no_packages(home: Home) -> None:
    """As everywhere."""
    with pytest.raises(NotFound, match="has no events"):
        home.plane.packages("nobody")
