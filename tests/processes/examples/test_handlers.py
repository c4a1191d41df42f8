"""The handlers by themselves: other logs, faults and documents than those of the example, and with a model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from context_plane.errors import InputError
from context_plane.processes.registry.handler import StepFailure
from tests.processes.examples.conftest import act, git

FAILING = "tests.test_prices.DiscountTest.test_the_limit_itself_counts"
CODE = {"file": "shop/prices.py", "name": "discount", "line": 7, "end": 12, "code": "…"}


def log_of(shop: Path, *command: str) -> dict[str, Any]:
    """What a run of the repository's tests prints, read."""
    done = subprocess.run([sys.executable, "-B", "-m", *command], cwd=shop, capture_output=True, text=True, check=False)
    (shop / "run.log").write_text(done.stdout + done.stderr)
    found: dict[str, Any] = act("read_ci_log", shop, {"log": "run.log"})
    return found


def model(*answers: str) -> Any:
    """A model that answers so, one after the other."""
    told = iter(answers)
    return lambda prompt, **how: SimpleNamespace(text=next(told), model="local")


# --- logs and sources ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [(), ("--tb=short",), ("-x",)], ids=str)
def test_a_log_of_pytest_is_read(shop: Path, options: tuple[str, ...]) -> None:
    """Its names of tests are those that it takes, and its short tracebacks lead to the same place."""
    found = log_of(shop, "pytest", "-p", "no:cacheprovider", "-q", "tests", *options)
    assert found["test"] == "tests/test_prices.py::DiscountTest::test_the_limit_itself_counts"
    assert (found["found"], found["expected"]) == ("0", "1000")
    assert act("find_relevant_code", shop, {"frames": found["frames"]})["name"] == "discount"


def test_an_exception_leads_to_where_it_was_raised(shop: Path) -> None:
    """The deepest frame of our own, not the test."""
    (shop / "shop" / "money.py").write_text(
        "def shown(cents):\n    return inner(cents)\n\n\ndef inner(cents):\n    return [][cents]\n"
    )
    found = log_of(shop, "unittest", "tests.test_money")
    assert found["error"].startswith("IndexError")
    assert (found["found"], found["expected"]) == (None, None)
    assert act("find_relevant_code", shop, {"frames": found["frames"]})["name"] == "inner"


def test_several_failures_are_told_and_the_first_is_taken(shop: Path) -> None:
    """In the order of the log."""
    prices = shop / "shop" / "prices.py"
    prices.write_text(prices.read_text().replace("// 100", "// 10"))
    found = log_of(shop, "unittest", "discover", "-s", "tests", "-t", ".")
    assert found["test"] == "tests.test_cart.CartTest.test_a_discount_is_taken_off"
    assert FAILING in found["others"]


def test_a_test_of_a_class_leads_to_the_class(shop: Path) -> None:
    """Where the line compares a local variable, the rest of the test says what it is about."""
    line = (shop / "tests" / "test_cart.py").read_text().splitlines().index(
        "        self.assertEqual(cart.due, 28_500)"
    ) + 1
    found = act("find_relevant_code", shop, {"frames": [{"file": "tests/test_cart.py", "line": line}]})
    assert (found["file"], found["name"]) == ("shop/cart.py", "Cart")


def test_paths_of_another_machine_are_found_here(shop: Path) -> None:
    """The longest end of a path that there is; files of the library are none of ours."""
    (shop / "run.log").write_text(
        "FAIL: test_x (tests.test_prices.DiscountTest.test_x)\n---\nTraceback (most recent call last):\n"
        '  File "C:\\\\builds\\\\7\\\\shop\\\\tests\\\\test_prices.py", line 25, in test_x\n'
        '  File "/usr/lib/python3.11/unittest/case.py", line 1, in x\nAssertionError: 0 != 1000\n'.replace("\\\\", "\\")
    )
    found = act("read_ci_log", shop, {"log": "run.log"})
    assert found["frames"] == [{"file": "tests/test_prices.py", "line": 25}]


@pytest.mark.parametrize("text", ["", "No space left on device\n", "OK\n"])
def test_a_log_without_a_failing_test_is_told(shop: Path, text: str) -> None:
    """It is not tried again: another attempt reads the same."""
    (shop / "run.log").write_text(text)
    with pytest.raises(StepFailure, match="names no failing test") as caught:
        act("read_ci_log", shop, {"log": "run.log"})
    assert not caught.value.retryable


def test_a_log_outside_of_the_workspace_is_not_read(shop: Path) -> None:
    """Whoever sends an event must not have any file read."""
    with pytest.raises(InputError, match="not in the workspace"):
        act("read_ci_log", shop, {"log": "../secret.log"})


# --- mending ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "right", "wrong", "test"),
    [
        ("returns", "days <= allowed", "days < allowed", "in_time(30), True"),
        ("returns", "allowed: int = 30", "allowed: int = 31", "in_time(31), False"),
        ("prices", "return 0", "return 1", "discount(5), 0"),
        ("prices", "* percent", "// percent", "discount(60_000), 6_000"),
    ],
)
def test_small_faults_are_found(shop: Path, module: str, right: str, wrong: str, test: str) -> None:
    """A limit, a number, an operator: what was made wrong reads right again, if tests can tell the difference."""
    file = shop / "shop" / f"{module}.py"
    before = file.read_text()
    file.write_text(before.replace(right, wrong))
    (shop / "tests" / "test_new.py").write_text(
        f"import unittest\nfrom shop.{module} import *\nclass NewTest(unittest.TestCase):\n"
        f"    def test_new(self):\n        self.assertEqual({test})\n"
    )
    code = {"file": f"shop/{module}.py", "name": "x", "line": 4, "end": len(before.splitlines())}
    found = act("analyze_failure", shop, {"test": "tests.test_new", "error": "AssertionError", "code": code})
    assert found["by"] == "operators"
    assert file.read_text() == before.replace(right, wrong), "it is only tried in a copy"
    act("write_code", shop, {"edit": found})
    assert log_of(shop, "unittest", "discover", "-s", "tests", "-t", ".")["others"] == []
    assert file.read_text() == before or right == "allowed: int = 30"


def test_what_no_small_change_mends_is_handed_over(shop: Path) -> None:
    """With how many were tried."""
    prices = shop / "shop" / "prices.py"
    prices.write_text(
        prices.read_text().replace("(20_000, 5)", "(21_000, 5)").replace("total > least", "total >= least")
    )
    with pytest.raises(StepFailure, match=r"none of \d+ small changes of discount") as caught:
        act("analyze_failure", shop, {"test": FAILING, "error": "", "code": CODE})
    assert not caught.value.retryable


def test_a_test_that_passes_here_is_told(shop: Path) -> None:
    """CI tested something else, or it was mended meanwhile."""
    with pytest.raises(StepFailure, match="passes here"):
        act("analyze_failure", shop, {"test": "tests.test_money", "error": "", "code": CODE})


def test_a_model_proposes_and_the_tests_decide(shop: Path) -> None:
    """What it proposes is taken if it passes; the cause is in its words."""
    answer = {"line": 10, "after": "        if least <= total:", "cause": "The limit itself must count."}
    found = act(
        "analyze_failure", shop, {"test": FAILING, "error": "0 != 1000", "code": CODE},
        ask=model(f"Here it is:\n```json\n{json.dumps(answer)}\n```"),
    )  # fmt: skip
    assert (found["after"], found["cause"], found["by"]) == (answer["after"], answer["cause"], "local")


@pytest.mark.parametrize(
    "answer",
    [
        "I cannot help with that.",
        '{"line": 1, "after": "import os", "cause": "outside of the function"}',
        '{"line": 10, "after": "        if total < least:", "cause": "does not pass"}',
        '{"line": 10, "after": "two\\nlines", "cause": ""}',
        '{"line": "x"}',
    ],
)
def test_a_model_that_is_wrong_does_no_harm(shop: Path, answer: str) -> None:
    """The small changes are tried after it."""
    found = act("analyze_failure", shop, {"test": FAILING, "error": "", "code": CODE}, ask=model(answer))
    assert (found["after"].strip(), found["by"]) == ("if total >= least:", "operators")


def test_a_line_that_changed_meanwhile_is_not_overwritten(shop: Path) -> None:
    """The same edit again changes nothing, one of another line is refused."""
    edit = {
        "file": "shop/prices.py",
        "line": 10,
        "before": "        if total > least:",
        "after": "        if total >= least:",
    }
    first = act("write_code", shop, {"edit": edit})
    assert act("write_code", shop, {"edit": edit}) == first
    assert first["diff"].splitlines()[-3:] == [
        "-        if total > least:", "+        if total >= least:", "             return total * percent // 100",
    ]  # fmt: skip
    with pytest.raises(StepFailure, match="does not read as it was"):
        act("write_code", shop, {"edit": {**edit, "line": 9}})
    with pytest.raises(StepFailure, match="is no edit"):
        act("write_code", shop, {"edit": {}})


# --- documents -------------------------------------------------------------------------------------------------------


def test_a_fix_that_was_cut_off_is_written_again(shop: Path) -> None:
    """The second attempt finds the fix in place and comes to the same files."""
    report = act("read_bug_report", shop, {"document": "docs/reports/0007-refund-adds-the-fee.md"})
    first = act("write_fix", shop, {"report": report})
    fixed = (shop / "shop" / "returns.py").read_text()
    second = act("write_fix", shop, {"report": report})
    assert second["files"] == first["files"]
    assert (shop / "shop" / "returns.py").read_text() == fixed


def test_a_feature_that_was_cut_off_is_not_written_twice(shop: Path) -> None:
    """Both files there are an earlier attempt's; one alone is somebody else's."""
    spec = act("read_feature_spec", shop, {"document": "docs/specs/0012-shipping-by-country.md"})
    assert act("write_feature", shop, {"spec": spec}) == act("write_feature", shop, {"spec": spec})
    (shop / "tests" / "test_shipping.py").unlink()
    with pytest.raises(StepFailure, match="is there already"):
        act("write_feature", shop, {"spec": spec})


def test_a_model_writes_the_feature(shop: Path) -> None:
    """Its module is taken if it is one; else the table is."""
    spec = act("read_feature_spec", shop, {"document": "docs/specs/0012-shipping-by-country.md"})
    text = '"""Shipping."""\n\n\ndef shipping(total: int, country: str) -> int:\n    return 0\n'
    act("write_feature", shop, {"spec": spec}, ask=model(f"```python\n{text}```"))
    assert (shop / "shop" / "shipping.py").read_text() == text
    for name in spec["module"], spec["test"]["path"]:
        (shop / name).unlink()
    act("write_feature", shop, {"spec": spec}, ask=model("Certainly! Here is the module:"))
    assert "RATES.get(country, OTHER)" in (shop / "shop" / "shipping.py").read_text()


@pytest.mark.parametrize(
    "example",
    ['__import__("os").system("touch owned")', "refund(open('owned', 'w'))", "refund(1); import os", "[refund(1)]"],
)
def test_a_report_gets_no_code_run(shop: Path, example: str) -> None:
    """Of an example only a call with literal values is taken."""
    (shop / "report.md").write_text(
        f"# Bug\n\nModule: `shop/returns.py`\n\n## What should happen\n\n    >>> {example}\n    0\n"
    )
    with pytest.raises(StepFailure, match="holds no examples"):
        act("read_bug_report", shop, {"document": "report.md"})


@pytest.mark.parametrize(
    "title", ['A """ quote', "Ends with a backslash \\", 'Ends with a quote "', "${inputs.x} {y} %s"]
)
def test_a_title_stays_a_title(shop: Path, title: str) -> None:
    """Whatever it holds, the test that is written is one docstring longer and nothing else."""
    (shop / "report.md").write_text(
        f"# {title}\n\nModule: `shop/returns.py`\n\n## What should happen\n\n    >>> refund(1, 0)  # one\n    1\n"
    )
    test = act("read_bug_report", shop, {"document": "report.md"})["test"]
    compiled = compile(test["text"], test["path"], "exec")
    assert compiled.co_consts[0] == f"{title} (report.md)."
    assert "assertEqual(refund(1, 0), 1)" in test["text"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("no heading", "has no heading"),
        ("# Title\n\n## What should happen\n\n    >>> f(1)\n    2\n", "names no module"),
        ("# Title\n\nModule: `shop/returns.py`\n", "holds no examples"),
        ("# T\n\nModule: `shop/returns.py`\n\n## What should happen\n\n    >>> f(1)\n    <object>\n", "is no value"),
    ],
)
def test_what_a_report_lacks_is_named(shop: Path, text: str, reason: str) -> None:
    """With what to write."""
    (shop / "report.md").write_text(text)
    with pytest.raises(StepFailure, match=reason):
        act("read_bug_report", shop, {"document": "report.md"})


def test_requirements_are_read(shop: Path) -> None:
    """What any document says of itself."""
    found = act("analyze_requirements", shop, {"document": "docs/specs/0012-shipping-by-country.md"})
    assert found["module"] == "shop/shipping.py"
    assert found["sections"] == ["Why", "What it does", "Examples", "What it does not do"]


# --- delivery --------------------------------------------------------------------------------------------------------


def test_the_same_key_makes_one_commit(shop: Path, tmp_path: Path) -> None:
    """An attempt that was cut off after the commit, or after the push, is repeated without a second one."""
    git(shop, "init", "--quiet", "--initial-branch=main")
    for name, value in (("user.name", "Ada"), ("user.email", "ada@example.com")):
        git(shop, "config", name, value)
    git(shop, "add", "--all")
    git(shop, "commit", "--quiet", "--message=First")
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(shop, "remote", "add", "origin", "../remote.git")
    (shop / "shop" / "money.py").write_text("# other\n")
    (shop / "README.md").write_text("not part of the change\n")
    given = {"title": "Change money " + "very " * 20, "files": ["shop/money.py"], "branch": "main"}
    first = act("commit_and_push", shop, given)
    assert act("commit_and_push", shop, given) == first
    assert first["files"] == ["shop/money.py"]
    assert git(shop, "rev-list", "--count", "HEAD") == "2"
    assert git(tmp_path / "remote.git", "rev-parse", "main") == first["commit"]
    assert len(git(shop, "log", "-1", "--format=%s")) == 72
    assert git(shop, "status", "--porcelain") == "M README.md"
