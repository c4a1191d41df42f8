"""`cortex package`: built, listed, shown, composed, verified, handed on, proposed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from context_plane import ContextPlane
from context_plane.log.append import append
from context_plane.log.history import History
from tests.cli.conftest import Shell, event, refused

PAY = "package: team/pay\nscope: team\ndescription: Payments\nchains: [n2]\nqueries: [{query: SSO, k: 2}]\n"


def declare(cortex: Shell, name: str, text: str) -> Path:
    """Writes a file under `packages/`."""
    path = cortex.home / "packages" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def remember(cortex: Shell, *told: dict[str, str]) -> None:
    """Remembers things about a service."""
    with ContextPlane.open(cortex.home) as plane:
        for each in told:
            plane.remember("acme", "service/pay", **each)  # type: ignore[arg-type]


@pytest.fixture
def pay(acme: Shell) -> Shell:
    """A home with a chain, three events and a package of both."""
    declare(acme, "pay", PAY)
    remember(
        acme, {"content": "Uses MySQL", "id": "n1", "at": "2026-01-01"},
        {"content": "Uses Postgres", "id": "n2", "supersedes": "n1", "at": "2026-02-01"},
    )  # fmt: skip
    return acme


def test_build_says_what_it_did_and_why(pay: Shell) -> None:
    """The first time it is built, then it is fresh, and after a change it says what changed."""
    done = pay("package", "build", "acme")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith("team/pay: built, ")
    assert " to 1), sha256:" in done.stdout
    assert pay("package", "build", "acme", "team/pay").stdout.startswith("team/pay: fresh, ")
    remember(pay, {"content": "Uses Aurora", "id": "n3", "supersedes": "n2", "at": "2026-04-01"})
    assert pay("package", "build", "acme").stdout.startswith(
        "team/pay: built (chain n2: n2 is superseded; chain n2: n3 is new), "
    )
    (told,) = pay.json("package", "build", "acme")
    assert (told["name"], told["new"], told["error"]) == ("team/pay", False, None)
    assert told["raw_tokens"] > told["tokens"] > 0


def test_what_cannot_be_built_is_the_answer_no(pay: Shell) -> None:
    """Each error on stderr with its file and line; the others are built."""
    gone = declare(pay, "gone", "package: gone\nscope: org\nchains: [nowhere]\n")
    typo = declare(pay, "typo", "package: typo\nscope: org\nchians: [n1]\n")
    done = pay("package", "build", "acme")
    assert done.exit_code == 1
    assert done.stdout.startswith("team/pay: built")
    assert sorted(line.startswith("error: ") for line in done.stderr.splitlines()) == [True, True]
    assert f"{gone}:3: chains.0" in done.stderr
    assert f"{typo}:3: chians" in done.stderr
    assert "did you mean chains?" in refused(pay("package", "build", "acme", "typo"))
    assert "there is no package nay" in refused(pay("package", "build", "acme", "nay"))


def test_list_shows_sizes_and_how_fresh_each_is(pay: Shell) -> None:
    """Also what is broken, as a warning."""
    assert pay("package", "list", "acme").stdout.split("\n")[1].split()[:4] == ["team/pay", "team", "not", "built"]
    pay("package", "build", "acme")
    declare(pay, "gone", "package: gone\nscope: org\nchains: [nowhere]\n")
    done = pay("package", "list", "acme")
    header, gone, row, *_ = done.stdout.split("\n")
    assert header.split() == [
        "package",
        "scope",
        "state",
        "version",
        "tokens",
        "raw",
        "ratio",
        "answers",
        "builds",
        "on",
    ]
    assert gone.split()[:3] == ["gone", "org", "broken"]
    assert row.split()[:3] == ["team/pay", "team", "fresh"]
    assert done.stderr.startswith("warning: gone: chain nowhere: there is no memory 'nowhere'")
    told = {each["name"]: each for each in pay.json("package", "list", "acme")}
    assert told["team/pay"]["freshness"]["state"] == "fresh"
    assert told["gone"]["version"] is None
    assert "nowhere" in told["gone"]["error"]


def test_no_packages_is_said(acme: Shell) -> None:
    """With what to do."""
    for command in ("list", "build"):
        assert acme("package", command, "acme").stdout == "no packages: declare some in packages/ of the home\n"
    assert acme("package", "verify", "acme").stdout == "nothing is built: cortex package build\n"


def test_show_prints_a_package(pay: Shell) -> None:
    """For people with what it was made of, for prompts as it is, for scripts as JSON."""
    shown = pay("package", "show", "acme", "team/pay").stdout.split("\n")
    assert shown[0].startswith("team/pay  team  sha256:")
    assert shown[1] == "Payments"
    assert "not built, in 0 answers" in shown[2]
    assert shown[3:5] == ["  chain n2: 1 fact, 1 superseded", "  query SSO (k=2, search=bm25): 2 facts"]
    text = pay("package", "show", "acme", "team/pay", "--text").stdout
    assert text.startswith("<team-pay-memory>\n")
    assert "Uses Postgres" in text
    told = pay.json("package", "show", "acme", "team/pay")
    assert f"{told['text']}\n" == text
    assert [source["kind"] for source in told["sources"]] == ["memory", "events"]
    assert "Uses MySQL" not in text
    refused(pay("package", "show", "acme", "team/pay", "--known-at", "99"))


def test_compose_prints_one_text_within_the_budget(pay: Shell) -> None:
    """And on stderr how it was spent; what is mandatory and does not fit is the answer no, with the least."""
    declare(pay, "me", "package: personal/me\nscope: personal\nchains: [{node: n2, mandatory: true}]\n")
    done = pay("package", "compose", "acme", "team/pay", "personal/me", "--max-tokens", "300")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.count("Uses Postgres") == 1
    assert done.stdout.startswith("<personal-me-memory>\n")
    assert "of 300 tokens, 2 pieces, 1 fact said elsewhere or not current" in done.stderr
    told = pay.json("package", "compose", "acme", "team/pay", "--max-tokens", "300")
    assert told["tokens"] <= 300
    text = pay("package", "compose", "acme", "team/pay", "--max-tokens", "300", "--text").stdout
    assert text == f"{told['text']}\n"
    line = refused(pay("package", "compose", "acme", "personal/me", "--max-tokens", "5"), code=1)
    assert "what is mandatory takes" in line
    assert "give at least" in line
    assert "the budget is 0" in refused(pay("package", "compose", "acme", "team/pay", "--max-tokens", "0"))
    assert refused(pay("package", "compose", "acme", "team/pay"))


def test_verify_is_a_no_where_bytes_differ(pay: Shell) -> None:
    """Exit code 0 for what the log makes, 1 for what it does not."""
    pay("package", "build", "acme")
    assert pay("package", "verify", "acme").stdout.startswith("team/pay: equal, sha256:")
    from context_plane.bundles.packages.compile import compiled_of
    from context_plane.bundles.packages.stored import Stored

    with ContextPlane.open(pay.home) as plane:
        stored = Stored(plane.store, "acme")
        head = stored.latest("team/pay")
        assert head is not None
        forged = stored.read("team/pay", head.version).body.replace(b"Postgres", b"postgres")
        stored.write(compiled_of(forged, "here"), head.log, head.as_of, head.end)
    done = pay("package", "verify", "acme", "team/pay")
    assert done.exit_code == 1
    assert done.stdout.startswith("team/pay: not equal, the text differs first in line ")
    done = pay("package", "verify", "acme", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)[0]["equal"] is False


def test_a_package_is_handed_on_in_a_file(pay: Shell, tmp_path: Path) -> None:
    """Out of one tenant, into another, under another name; a changed file is refused with what is wrong."""
    path = tmp_path / "pay.ctxpkg"
    done = pay("package", "export", "acme", "team/pay", path)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"wrote {path}: ")
    assert pay("package", "export", "acme", "team/pay", "-").stdout_bytes == path.read_bytes()
    assert "is declared by this home" in refused(pay("package", "import", "beta", path))
    assert " imported, " in pay("package", "import", "beta", path, "--as", "vendor/pay").stdout
    assert " is there already, " in pay("package", "import", "beta", path, "--as", "vendor/pay").stdout
    remember(pay, {"content": "Uses Aurora", "id": "n3", "supersedes": "n2", "at": "2026-04-01"})
    pay("package", "export", "acme", "team/pay", path)
    assert " takes the place of sha256:" in pay("package", "import", "beta", path, "--as", "vendor/pay").stdout
    assert "Uses Aurora" in pay("package", "show", "beta", "vendor/pay", "--text").stdout
    path.write_bytes(path.read_bytes()[:-9])
    assert "the package has" in refused(pay("package", "import", "beta", path, "--as", "vendor/pay"))
    assert "cannot be read" in refused(pay("package", "import", "beta", tmp_path / "none"))
    assert "cannot be written" in refused(pay("package", "export", "acme", "team/pay", tmp_path / "no" / "such"))


def test_propose_prints_declarations_and_writes_them(pay: Shell) -> None:
    """What is written is a package from then on, and no longer proposed."""
    assert pay("package", "propose", "acme").stdout == "no chains are drawn on together often enough\n"
    remember(pay, {"content": "Uses SES", "id": "m1", "at": "2026-01-01"})
    items = [{"kind": "memory", "id": id_, "chain": id_} for id_ in ("n1", "m1")]
    with ContextPlane.open(pay.home) as plane:
        append(
            History(plane.store, "acme"),
            [
                event(n, type="cortex.receipt", source="cortex/receipts", subject=f"receipt/{n}", data={"items": items})
                for n in range(5)
            ],
        )
    done = pay("package", "propose", "acme", "--write")
    assert "chains:\n" in done.stdout
    (path,) = (pay.home / "packages").glob("auto-*.yaml")
    assert done.stderr == f"wrote {path}\n"
    assert path.read_text() == done.stdout
    assert [each["scope"] for each in pay.json("package", "list", "acme") if each["name"].startswith("auto/")] == [
        "personal"
    ]
    assert pay.json("package", "propose", "acme") == []
    assert refused(pay("package", "propose", "acme", "--least", "1"))


def test_a_home_without_a_store_makes_none(cortex: Shell) -> None:
    """Looking does not write."""
    for command in ("list", "build", "verify"):
        refused(cortex("package", command, "acme"))
    assert not cortex.home.exists()
