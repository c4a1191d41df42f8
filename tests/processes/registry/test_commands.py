"""Commands, run for real: what they see, what is kept of what they print, and that nothing of them is left."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from context_plane.config import ProcessSettings
from context_plane.processes.registry import commands, running
from context_plane.processes.registry.handler import CancelledStep, StepFailure
from tests.processes.registry.world import gate_call, step


def run(workspace: Path, *arguments: str, **given: Any) -> dict[str, Any]:
    return commands.run(step(workspace, run=list(arguments), **given))


def python(workspace: Path, code: str, **given: Any) -> dict[str, Any]:
    return run(workspace, sys.executable, "-c", code, **given)


def alive(pid: int) -> bool:
    """Whether a process still runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_command_says_how_it_went(tmp_path: Path) -> None:
    """Exit code and both streams; it stands in the workspace and nothing can be typed."""
    assert run(tmp_path, "printf", "hi") == {"exit_code": 0, "passed": True, "stdout": "hi", "stderr": ""}
    code = "import os, sys; print(os.getcwd(), repr(sys.stdin.read())); print('x', file=sys.stderr)"
    assert python(tmp_path, code) == {
        "exit_code": 0, "passed": True, "stdout": f"{tmp_path} ''\n", "stderr": "x\n",
    }  # fmt: skip


def test_nothing_can_be_typed(tmp_path: Path) -> None:
    """Whatever the plane itself reads from."""
    reading, writing = os.pipe()
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert python(tmp_path, "import sys; print(repr(sys.stdin.read()))", timeout=5)["stdout"] == "''\n"
    finally:
        os.dup2(before, 0)
        for handle in (reading, writing, before):
            os.close(handle)


def test_there_is_no_shell(tmp_path: Path) -> None:
    """An argument is an argument, whatever is in it."""
    hostile = "$(touch owned); `touch owned` | & > owned * ~ \n '\" -x"
    assert run(tmp_path, "printf", "%s", hostile)["stdout"] == hostile
    assert list(tmp_path.iterdir()) == []


def test_a_failure_fails_the_step_with_its_output(tmp_path: Path) -> None:
    """The last line that it printed is the reason; with `check: false` it is an output like others."""
    code = "import sys; print('out'); print('first\\nlast', file=sys.stderr); sys.exit(3)"
    with pytest.raises(StepFailure, match=r"ended with exit code 3: last") as caught:
        python(tmp_path, code)
    output = {"exit_code": 3, "passed": False, "stdout": "out\n", "stderr": "first\nlast\n"}
    assert (caught.value.output, caught.value.retryable) == (output, True)
    assert python(tmp_path, code, check=False) == output
    with pytest.raises(StepFailure, match="was ended by SIGKILL"):
        python(tmp_path, "import os; os.kill(os.getpid(), 9)")


def test_the_environment_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No secret of the user's; what belongs to the step is told."""
    monkeypatch.setenv("MY_API_KEY", "secret")
    monkeypatch.setenv("LC_TIME", "C")
    seen = python(tmp_path, "import os, json; print(json.dumps(dict(os.environ)))")["stdout"]
    assert "secret" not in seen
    assert '"CORTEX_EXECUTION": "e1"' in seen
    assert '"CORTEX_STEP": "it"' in seen
    assert '"CORTEX_KEY": "e1/it"' in seen
    assert '"LC_TIME": "C"' in seen
    assert '"PATH"' in seen


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-command-here"], "there is no command 'no-such-command-here'"),
        (["./missing.sh"], "there is no command './missing.sh'"),
        (["./plain.txt"], "may not be run"),
        (["."], "may not be run"),
        (["printf", "a\0b"], "cannot be run"),
        (["printf", "\ud800"], "cannot be run"),
        (["printf", "x" * 3_000_000], "cannot be run"),
        ([""], "there is no command"),
        ([], "there is no command"),
    ],
)
def test_what_cannot_be_run_is_told(tmp_path: Path, arguments: list[str], says: str) -> None:
    """With a remedy; trying again would not help."""
    (tmp_path / "plain.txt").write_text("x")
    with pytest.raises(StepFailure) as caught:
        run(tmp_path, *arguments)
    assert says in caught.value.what
    assert (bool(caught.value.remedy), caught.value.retryable) == (True, False)


def test_a_workspace_that_is_gone_is_told(tmp_path: Path) -> None:
    """And not taken for a missing command."""
    with pytest.raises(StepFailure, match=r"the workspace .* is not there"):
        run(tmp_path / "gone", "printf", "x")


def test_a_script_of_the_workspace_is_run(tmp_path: Path) -> None:
    """Paths are relative to the workspace."""
    script = tmp_path / "say.sh"
    script.write_text("#!/bin/sh\necho said $1\n")
    script.chmod(0o755)
    assert run(tmp_path, "./say.sh", "it")["stdout"] == "said it\n"


def test_python_is_this_python_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the machine's where there is one."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run(tmp_path, "python", "-c", "import sys; print(sys.executable)")["stdout"].strip() == sys.executable
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\necho fake\n")
    fake.chmod(0o755)
    assert run(tmp_path, "python")["stdout"] == "fake\n"


def test_of_much_output_both_ends_are_kept(tmp_path: Path) -> None:
    """With how much is missing between them, in bounded memory, and both streams at once."""
    code = "import sys\nfor stream in (sys.stdout, sys.stderr):\n    stream.write('begin' + 'x' * 5_000_000 + 'end')\n"
    output = python(tmp_path, code)
    for text in (output["stdout"], output["stderr"]):
        assert text.startswith("beginxxx")
        assert text.endswith("xxxend")
        assert "[… 4,934,472 bytes left out …]" in text
        assert len(text) < 66_000


def test_bytes_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    """NULs are left out: the log would refuse them."""
    output = python(tmp_path, r"import sys; sys.stdout.buffer.write(b'a\xff\0b\xc3\xa9')")
    assert output["stdout"] == "a�b\xe9"


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    """With what it has printed, and with all that it started."""
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    begun = time.monotonic()
    with pytest.raises(StepFailure, match=r"took longer than 0\.5 s") as caught:
        python(tmp_path, code, timeout=0.5)
    assert time.monotonic() - begun < 5
    assert caught.value.retryable
    assert not alive(int(caught.value.output["stdout"]))


def test_who_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a grace."""
    monkeypatch.setattr(running, "GRACE", 0.2)
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\n"
        "time.sleep(60)\n"
    )
    begun = time.monotonic()
    with pytest.raises(StepFailure) as caught:
        python(tmp_path, code, timeout=0.5)
    assert not alive(int(caught.value.output["stdout"]))
    assert time.monotonic() - begun < 10


def test_who_listens_can_tidy_up(tmp_path: Path) -> None:
    """TERM comes first."""
    code = (
        "import signal, sys, time, pathlib\n"
        "def end(*_):\n    pathlib.Path('tidied').touch(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "time.sleep(60)\n"
    )
    with pytest.raises(StepFailure):
        python(tmp_path, code, timeout=0.5)
    assert (tmp_path / "tidied").exists()


def test_cancelling_ends_the_command(tmp_path: Path) -> None:
    """Long before its time is over."""
    stop, begun = threading.Event(), time.monotonic()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(CancelledStep):
        python(tmp_path, "import time; time.sleep(60)", timeout=50, cancelled=stop)
    assert time.monotonic() - begun < 5


def test_what_a_command_leaves_behind_is_ended(tmp_path: Path) -> None:
    """Also if it holds the output open: nobody waits for it."""
    code = (
        "import subprocess, sys\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid)\n"
    )
    begun = time.monotonic()
    output = python(tmp_path, code)
    assert time.monotonic() - begun < 5
    assert not alive(int(output["stdout"]))


def test_the_engines_interruption_ends_the_command_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It raises `CancelledStep` in the thread at any line, also while the group is being ended."""
    pids: list[int] = []
    real = running._wait

    def interrupted(process: Any, *_: Any) -> None:
        pids.append(process.pid)
        raise CancelledStep

    monkeypatch.setattr(running, "_wait", interrupted)
    with pytest.raises(CancelledStep):
        python(tmp_path, "import time; time.sleep(60)")
    monkeypatch.setattr(running, "_wait", real)

    def again(*_: Any) -> None:
        raise CancelledStep

    monkeypatch.setattr(running.time, "sleep", again)
    with pytest.raises(CancelledStep):
        python(tmp_path, "import os, time; print(os.getpid(), flush=True); time.sleep(60)", timeout=0.5)
    assert not alive(pids[0])
    assert not [pid for pid in os.listdir("/proc") if pid.isdigit() and _child_of_ours(pid)]


def _child_of_ours(pid: str) -> bool:
    try:
        state, parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:2]
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return parent == str(os.getpid()) and state != "Z" and b"time.sleep(60)" in said


def test_outputs_fit_what_the_plane_allows(tmp_path: Path) -> None:
    """Whatever the bytes, the output is at most what `output_kb` says."""
    from context_plane.canonical import canonical

    for kb in (1, 256):
        for byte in (0x1B, 0xFF, 0x61, 0x0A):
            code = f"import sys\nfor s in (sys.stdout, sys.stderr): s.buffer.write(bytes([{byte}]) * 300_000)"
            output = python(tmp_path, code, settings=ProcessSettings(output_kb=kb))
            assert len(canonical(output)) <= kb << 10


# --- gates -----------------------------------------------------------------------------------------------------------


def test_a_gates_command_passes_with_exit_code_0(tmp_path: Path) -> None:
    """Else its last line is the reason."""
    (tmp_path / "there").touch()
    passed = commands.passes(gate_call(tmp_path, run=["test", "-f", "there"]))
    assert (passed.passed, passed.reason, passed.seen["exit_code"]) == (True, "", 0)
    code = "import os, sys; print(sorted(n for n in os.environ if n.startswith('CORTEX'))); sys.exit('because')"
    closed = commands.passes(gate_call(tmp_path, run=[sys.executable, "-c", code]))
    assert not closed.passed
    assert closed.reason.endswith("ended with exit code 1: because")
    assert closed.seen["stdout"] == "['CORTEX_EXECUTION', 'CORTEX_STEP']\n"


def test_a_gate_that_cannot_be_run_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which closes it: also one that hangs."""
    with pytest.raises(StepFailure, match="there is no command 'no-such'"):
        commands.passes(gate_call(tmp_path, run=["no-such"]))
    monkeypatch.setattr(commands, "GATE_SECONDS", 0.2)
    with pytest.raises(StepFailure, match="took longer"):
        commands.passes(gate_call(tmp_path, run=["sleep", "60"]))


@pytest.mark.parametrize("before", range(270, 300, 3))
def test_what_an_error_quotes_is_cut_after_secrets_are_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int
) -> None:
    """The beginning of one would not be found any more."""
    key = "swordfish-and-chips-1234"
    monkeypatch.setenv("ACME_SECRET", key)
    given = step(tmp_path, run=["sh", "-c", f"printf '%0{before}d %s' 0 {key} >&2; exit 1"])
    with pytest.raises(StepFailure) as caught:
        commands.run(given)
    assert "swor" not in caught.value.what
