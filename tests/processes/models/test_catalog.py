"""models.yaml: what it may say, and where it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from context_plane.errors import InputError
from context_plane.processes.models.catalog import Model, Price, load_models
from context_plane.processes.models.gateway import open_gateway
from tests.processes.registry.world import settings

FULL = """\
models:
  - name: small-local
    provider: openai
    model: llama3
    url: http://127.0.0.1:11434/v1/
    context: 8192
    locality: local
    speed: fast
    capabilities: [code, reasoning, code]
    max_output: 512
  - name: big
    provider: litellm
    model: anthropic/some-model
    key_env: ANTHROPIC_API_KEY
    context: 200_000x
"""
GOOD = FULL.replace("200_000x", "200000\n    price: {input: 3, output: 15}\n    parameters: {temperature: 0}")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.yaml"


def test_models_are_read_in_their_order(file: Path) -> None:
    """With what is not said by default."""
    file.write_text(GOOD)
    local, big = load_models(file)
    assert local == Model(
        "small-local", "openai", "llama3", 8_192, url="http://127.0.0.1:11434/v1", locality="local", speed="fast",
        capabilities=("code", "reasoning"), max_output=512, place=f"{file}:2",
    )  # fmt: skip
    assert (big.price, big.key_env, big.locality, big.speed, big.max_output, big.parameters, big.place) == (
        Price(3, 15),
        "ANTHROPIC_API_KEY",
        "remote",
        "normal",
        4_096,
        {"temperature": 0},
        f"{file}:11",
    )
    assert (local.cost(1_000, 1_000), big.cost(1_000_000, 100_000)) == (0.0, 4.5)


def test_no_file_is_no_model(tmp_path: Path, file: Path) -> None:
    """Nor is a file without any."""
    assert load_models(file) == ()
    assert open_gateway(settings(tmp_path)) is None
    file.write_text("models: []")
    assert open_gateway(settings(tmp_path)) is None
    file.write_text(GOOD)
    gateway = open_gateway(settings(tmp_path))
    assert gateway is not None
    assert [model.name for model in gateway.models] == ["small-local", "big"]


def test_the_file_is_read_again_when_it_changed(file: Path) -> None:
    """And only then."""
    file.write_text(GOOD)
    first = load_models(file)
    assert load_models(file) is first
    file.write_text(GOOD.replace("name: big", "name: bigger"))
    assert [model.name for model in load_models(file)] == ["small-local", "bigger"]
    file.unlink()
    assert load_models(file) == ()


def entry(**changed: object) -> str:
    given = {"name": "m", "provider": "openai", "model": "x", "url": "http://127.0.0.1:1/v1", "context": 8192} | changed
    lines = "\n".join(f"    {key}: {value}" for key, value in given.items() if value is not None)
    return "models:\n  -\n" + lines + "\n"


@pytest.mark.parametrize(
    ("text", "says", "line"),
    [
        ("modls: []", "unknown key 'modls'", 1),
        ("models: {}", "models", 1),
        (entry(naem="m", name=None), "did you mean name", 7),
        (entry(context=None), "'context' is missing", 3),
        (FULL, "context", 15),
        (entry(context=0), "context", 7),
        (entry(context="true"), "context", 7),
        (entry(provider="anthropic"), "provider", 4),
        (entry(locality="here"), "locality", 8),
        (entry(speed="quick"), "speed", 8),
        (entry(price="3"), "price", 8),
        (entry(price="{input: 3}"), "'output' is missing", 8),
        (entry(price="{input: -1, output: 1}"), "input", 8),
        (entry(price="{input: .nan, output: 1}"), "input", 8),
        (entry(capabilities="code"), "capabilities", 8),
        (entry(key_env="sk-123"), "key_env", 8),
        (entry(url=None), "needs a url", 3),
        (entry(url="ftp://x/v1"), "none of HTTP", 6),
        (entry(url="https://ada:pw@x.example/v1"), "a key goes into key_env", 6),
        (entry(provider="litellm", url=None, locality="local"), "LiteLLM follows redirects", 4),
        (entry(url="http://8.8.8.8/v1", locality="local"), "public address", 6),
        (entry(max_output=8192), "leave room", 3),
        (entry(parameters="{messages: []}"), "parameter 'messages' is not the file's", 8),
        (entry(parameters="{max_tokens: 4097}"), "'max_tokens' is 4097, and max_output 4,096", 8),
        (entry(parameters="{max_tokens: 9, max_completion_tokens: 8000}"), "'max_completion_tokens' is 8000", 8),
        (entry(parameters="{max_tokens: null}"), "'max_tokens' is None", 8),
        (entry(parameters="{max_tokens: 0}"), "'max_tokens' is 0", 8),
        (entry(parameters="{extra_body: {options: [{num_predict: -1}]}}"), "'num_predict' is -1", 8),
        (entry(parameters="{best_of: 9}"), "parameter 'best_of' is not the file's", 8),
        (entry(url='"http://[64:ff9b::808:808]/v1"', locality="local"), "public address", 6),
        (entry(parameters="{api_key: x}"), "parameter 'api_key' is not the file's", 8),
        (entry() + entry().removeprefix("models:\n"), "'m' is there twice, first in line 3", 9),
        (entry(name="two words"), "name", 3),
        ("models: *x", "alias", 1),
        ("- x", "not a mapping", None),
    ],
)
def test_what_is_wrong_has_a_place_and_a_remedy(file: Path, text: str, says: str, line: int | None) -> None:
    """Nothing is guessed."""
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load_models(file)
    assert says in str(caught.value)
    assert caught.value.where.startswith(f"{file}:{line}" if line else str(file))
    assert caught.value.remedy
