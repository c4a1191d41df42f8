"""A change of code is asked for, and the interface finds who makes it."""

from __future__ import annotations

import pytest

from tests.cli.conftest import refused
from tests.processes.examples.conftest import EVENT, Example


@pytest.fixture
def green(example: Example) -> Example:
    """The repository with its CI failure mended."""
    assert example.run("fix_ci_failure", "--event", str(EVENT))["status"] == "succeeded"
    return example


def test_a_bug_is_fixed_with_a_test(green: Example) -> None:
    """kind=bug runs fix_bug: the examples of the report are tests, and pass after one changed operator."""
    trace = green.run("code_change", "--input", "kind=bug")
    assert (trace["process"], trace["status"]) == ("fix_bug", "succeeded"), trace["reason"]
    assert green.pushed[0] == "Fix: refunds add the handling fee instead of keeping it"
    assert green.git("show", "--format=", "--numstat", "shop") == "1\t1\tshop/returns.py"
    assert "refund(5_000, 500), 4500" in (green.repository / "tests" / "test_report_0007.py").read_text()
    assert green.suite().returncode == 0
    assert "11 tests" in trace["steps"][2]["output"]["stderr"]


def test_a_feature_is_added_with_its_tests(green: Example) -> None:
    """kind=feature runs add_feature: a module, and a test for each example of the specification."""
    trace = green.run("code_change", "--input", "kind=feature")
    assert (trace["process"], trace["status"]) == ("add_feature", "succeeded"), trace["reason"]
    assert green.pushed[0] == "Add shipping costs by country"
    assert trace["steps"][-1]["output"]["files"] == ["shop/shipping.py", "tests/test_shipping.py"]
    assert (green.repository / "tests" / "test_shipping.py").read_text().count("def test_") == 5
    assert green.suite().returncode == 0


def test_both_changes_and_nothing_is_left_over(green: Example) -> None:
    """One after the other, each on the other's commit; a second wish for the same fix finds nothing to commit."""
    for kind in ("bug", "feature"):
        assert green.run("code_change", "--input", f"kind={kind}")["status"] == "succeeded"
    assert len(green.pushed) == 4
    assert green.git("status", "--porcelain") == ""
    again = green.run("fix_bug")
    assert (again["status"], again["steps"][-1]["id"]) == ("failed", "commit")
    assert "nothing to commit" in again["reason"]
    assert len(green.pushed) == 4


def test_the_same_key_makes_the_same_change(green: Example) -> None:
    """A caller who does not know whether it was asked for asks again."""
    first, second = (green.run("code_change", "--input", "kind=bug", "--key", "report 7") for _ in range(2))
    assert first == second
    assert len(green.pushed) == 3


def test_no_process_for_a_poem(green: Example) -> None:
    """Whose conditions do not fit is said, and why; the template cannot be run."""
    line = refused(green("process", "run", "code_change", "--tenant", "acme", "--input", "kind=poem"), 1)
    assert "fix_bug" in line
    assert "add_feature" in line
    assert "is abstract" in refused(green("process", "run", "standard_code_change", "--tenant", "acme"))


def test_nothing_is_committed_on_a_red_suite(example: Example) -> None:
    """The bug is mended, but CI was red before: the parent's gate holds for its child."""
    trace = example.run("fix_bug")
    assert (trace["status"], trace["reason"].partition(":")[0]) == (
        "halted",
        "gate tests_pass before step commit is closed",
    )
    assert example.pushed == ["The shop as it is"]


def test_a_run_waits_at_a_breakpoint(green: Example) -> None:
    """It shows what the commit would be, and goes on when it is told to."""
    trace = green.run("fix_bug", "--break", "commit")
    assert (trace["status"], trace["pause"]["step"]) == ("paused", "commit")
    assert trace["pause"]["inputs"]["title"].startswith("Fix: refunds")
    assert len(green.pushed) == 2
    resumed = green("process", "resume", trace["execution"], "--input", "title=Keep the handling fee", "--json")
    assert green.read(resumed.stdout)["status"] == "succeeded"
    assert green.pushed[0] == "Keep the handling fee"
