# Context Plane: everything a developer runs. Needs Python >= 3.11 (with venv) and make, nothing else.

# The first interpreter that is new enough; `make PYTHON=/path/to/python …` chooses another.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
PY := $(VENV)/bin/python
# Wheels only: building from source would fetch build tools that no lock names.
PIP_INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check
LOCKED := --require-hashes --only-binary :all: -r
PROJECT := --no-deps --no-build-isolation
UV_VERSION := 0.13.8

CONTEXT_PLANE_HOME ?= .context-plane
CONTEXT_PLANE_TEST_DATA ?= ../shared/data
# Absolute where it exists, so that a test may change its folder; as given where not, so that the skip can name it.
export CONTEXT_PLANE_TEST_DATA := $(shell CDPATH= cd "$(CONTEXT_PLANE_TEST_DATA)" 2>/dev/null && pwd || echo "$(CONTEXT_PLANE_TEST_DATA)")
export DAGSTER_DISABLE_TELEMETRY := 1
# Without bytecode `import dagster` takes 2.9 s instead of 0.7 s, and every run of a job pays it.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache

PYTEST_ARGS ?=
DEMO_ARGS ?=
DEV_ARGS ?=
BENCH_ARGS ?=
LOCK_ARGS ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test dev check bench soak lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime-ready ## The main job on generated data, then its proof (DEMO_ARGS="--customers 10000")
	$(VENV)/bin/cortex demo $(DEMO_ARGS)

test: $(VENV)/.ready ## All tests but the long ones (PYTEST_ARGS="-k name")
	$(PY) -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal $(PYTEST_ARGS)

# The home is initialised before the start: processes that open an empty home at the same time crash each other.
dev: $(VENV)/.runtime-ready ## Dagster's UI and daemon on your home, run history kept between starts (DEV_ARGS="--port 3001")
	@mkdir -p "$(CONTEXT_PLANE_HOME)/dagster" && cp dagster.yaml "$(CONTEXT_PLANE_HOME)/dagster/dagster.yaml"
	@export CONTEXT_PLANE_HOME="$$(CDPATH= cd "$(CONTEXT_PLANE_HOME)" && pwd)" && \
	export DAGSTER_HOME="$$CONTEXT_PLANE_HOME/dagster" && \
	$(PY) -c 'from context_assets.lost import tidy; tidy()' && \
	exec $(PY) -m dagster dev -w workspace.yaml $(DEV_ARGS)

check: $(VENV)/.ready ## Format, lint, types, import floors
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo --cache-dir .cache/import-linter

bench: $(VENV)/.ready ## The measurements of bench/README.md
	$(PY) -m bench $(BENCH_ARGS)

soak: export CONTEXT_PLANE_SOAK := 1
soak: export HYPOTHESIS_PROFILE := soak
soak: $(VENV)/.ready ## The long fault and property runs
	$(PY) -m pytest -m "soak or not soak" $(PYTEST_ARGS)

# Everything is resolved together first, so that the three locks agree on every version. LOCK_ARGS=--upgrade moves the pins.
COMPILE = $(VENV)/bin/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet
lock: $(VENV)/bin/python ## Resolve pyproject.toml into the locks (LOCK_ARGS=--upgrade)
	$(PIP_INSTALL) uv==$(UV_VERSION)
	$(COMPILE) --group dev --extra prod $(LOCK_ARGS) -o requirements-dev.lock
	$(COMPILE) --no-annotate -c requirements-dev.lock --extra prod $(LOCK_ARGS) -o requirements-prod.lock
	$(COMPILE) --no-annotate -c requirements-dev.lock $(LOCK_ARGS) -o requirements.lock

clean: ## Remove the environment and the caches; homes stay
	rm -rf $(VENV) .cache dist

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "error: no Python >= 3.11 found; install one or run make PYTHON=/path/to/python" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)

# What the demo and the UI need.
$(VENV)/.runtime-ready: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(PIP_INSTALL) $(LOCKED) requirements.lock
	$(PIP_INSTALL) $(PROJECT) --editable .
	@touch $@

# And what the tests and checks need.
$(VENV)/.ready: $(VENV)/.runtime-ready requirements-dev.lock
	$(PIP_INSTALL) $(LOCKED) requirements-dev.lock
	@touch $@
