"""Models through LiteLLM, with a stand-in for the library in a process of its own: only our side of the call is tested.

The library itself is large, changes weekly and asks vendors; what it is given, and what becomes of what it returns and
raises, does not need it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

STAND_IN = """
import json, os
from types import SimpleNamespace as N

class AuthenticationError(Exception): status_code = 401
class RateLimitError(Exception): status_code = 429
class BadRequestError(Exception): status_code = 400
class Strange(Exception): pass

how = ""

def completion(**given):
    print(json.dumps({**given, "timeout": 0 < given["timeout"] <= 300}, sort_keys=True))
    assert os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] == "True", "else importing the library asks the network"
    if how in globals():
        raise globals()[how](f"no: {given.get('api_key')}")
    text = None if how == "empty" else "It failed."
    if how == "nothing":
        return N(choices=[])
    choice = N(message=N(content=text), finish_reason="length" if how == "cut" else "stop")
    return N(choices=[choice], usage=None if how == "uncounted" else N(prompt_tokens=100, completion_tokens=20))
"""
ASK = """
import sys, traceback
sys.path.insert(0, sys.argv[1])
from context_plane.processes.linked import ModelNeeds
from context_plane.processes.models.catalog import Model, Price
from context_plane.processes.models.gateway import Gateway
model = Model("big", "litellm", "vendor/some", 8_000, key_env="VENDOR_KEY", price=Price(1, 10),
              parameters={"temperature": 0})
assert "litellm" not in sys.modules
for how in sys.argv[2:]:
    print("---", how)
    if how != "right":
        import litellm
        litellm.how = how
    try:
        r = Gateway([model]).ask(ModelNeeds(), "Hi", system="Do")
        print(r.text, r.model, r.input_tokens, r.output_tokens, r.cost, r.cut)
        print(sys.modules["litellm"].telemetry, sys.modules["litellm"].suppress_debug_info)
    except Exception as error:
        print(type(error).__name__, "|", error)
        print("SHOWN" if "vendor-key-1" in "".join(traceback.format_exception(error)) else "hidden")
"""
ERRORS = {
    "AuthenticationError": ("Denied", "set VENDOR_KEY to a key that may use vendor/some"),
    "RateLimitError": ("Unavailable", "try again later"),
    "BadRequestError": ("InputError", "check model and parameters in models.yaml"),
    "Strange": ("Unavailable", "litellm fails: Strange: no: [its key]"),
    "empty": ("Unavailable", "the answer holds no text"),
    "nothing": ("Unavailable", "no chat completion"),
}


def ask(folder: Path, *cases: str) -> dict[str, list[str]]:
    """What each case prints; the library is loaded from the folder, whether the real one is installed or not."""
    env = os.environ | {"VENDOR_KEY": "vendor-key-1"}
    env.pop("LITELLM_LOCAL_MODEL_COST_MAP", None)
    command = [sys.executable, "-c", ASK, str(folder), *cases]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    lines = [part.splitlines() for part in done.stdout.split("--- ")[1:]]
    return {case: told for case, *told in lines}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """All cases in one process: starting one takes a second."""
    folder = tmp_path_factory.mktemp("library")
    (folder / "litellm.py").write_text(STAND_IN)
    return ask(folder, "right", "cut", "uncounted", *ERRORS)


def test_what_the_library_is_given_and_what_it_returns(told: dict[str, list[str]]) -> None:
    """Key, limits and messages; counts, cost, and whether the answer was cut."""
    given, reply, switches = told["right"]
    assert given == (
        '{"api_key": "vendor-key-1", "max_tokens": 4096, "messages": [{"content": "Do", "role": "system"}, '
        '{"content": "Hi", "role": "user"}], "model": "vendor/some", "num_retries": 0, "temperature": 0, '
        '"timeout": true}'
    )
    assert reply == "It failed. big 100 20 0.0003 False"
    assert switches == "False True"
    assert told["cut"][1].endswith("True")
    assert told["uncounted"][1].startswith("It failed. big 18 3 ")


@pytest.mark.parametrize("how", list(ERRORS))
def test_errors_are_translated_and_show_no_key(told: dict[str, list[str]], how: str) -> None:
    """By the status that they carry."""
    kind, says = ERRORS[how]
    _, error, shown = told[how]
    assert error.startswith(f"{kind} | ")
    assert says in error
    assert shown == "hidden"


def test_a_missing_library_is_told(tmp_path: Path) -> None:
    """With the command that installs it."""
    (tmp_path / "litellm.py").write_text("raise ImportError('not here')")
    error, _ = ask(tmp_path, "right")["right"]
    assert error.startswith("NotFound | litellm is not installed")
    assert "pip install 'context-plane[litellm]'" in error
