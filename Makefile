# `make` prints the menu. Everything runs from .venv, which make builds from the hashed locks and builds again when they change.
#   PYTHON=python3.12   the interpreter for a new .venv (>= 3.11)
#   ARGS="-k journal"   more arguments for pytest
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
# Each of the thousand processes that tests start would compile all modules anew where a machine asks not to write them.
export PYTHONDONTWRITEBYTECODE :=
BIN := .venv/bin
VENV := .venv/.stamp
# in several processes, a file in one of them; the longest files come first (tests/conftest.py)
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# the core, its laws and its oracle, and the rules of the source: what a change is most likely to break
QUICK := tests/core tests/laws tests/golden tests/test_oracle.py tests/test_tidy.py

.PHONY: help demo test quick soak torture check check-more versions lint types contracts docs golden bench bench-kafka lock clean

help:  ## this menu
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)  ## real shoppers and their funnel; then generated ones, who sign in
	@$(BIN)/streams demo

test: $(VENV)  ## the tests
	@$(PYTEST) $(ARGS)

quick: $(VENV)  ## the core's tests, in under a minute
	@EXAMPLES=$(or $(EXAMPLES),200) $(PYTEST) --quiet $(QUICK) $(ARGS)

soak: $(VENV)  ## worst days in virtual time, one seed after the other, until you stop it
	@$(BIN)/python -m tests.simulation --soak

torture: $(VENV)  ## real workers on real brokers, killed, frozen and replaced: SEED=n, ARGS="--short"
	@$(BIN)/python -m tests.torture $(or $(SEED),1) $(ARGS)

check: lint types contracts test  ## all that CI runs: lint, types, import contracts, tests

check-more: $(VENV) versions  ## what takes longer or needs more than CI has; names what is missing: SEED=n
	@.ci/more $(or $(SEED),1)

versions:  ## the tests of core, logs and wheel, on each Python version that is claimed and found
	@.ci/versions $(QUICK) tests/test_wheel.py tests/contract tests/log/sqlite tests/log/kafka/registry -k "not kafka"

lint: $(VENV)  ## ruff, format and spelling
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell

types: $(VENV)  ## mypy, strict
	@$(BIN)/mypy

contracts: $(VENV)  ## who may import whom
	@$(BIN)/lint-imports

docs: $(VENV)  ## writes the generated pages and the JSON Schemas
	@$(BIN)/python -m schemas.generate
	@$(BIN)/python -m docs.generate

golden: $(VENV)  ## writes what consumers see of one fixed input
	@$(BIN)/python -m tests.golden_topics.write

bench: $(VENV)  ## microseconds per event, stage by stage
	@$(BIN)/python -m benchmarks.pipeline

bench-kafka: $(VENV)  ## a worker on a broker, beside others: speed, delay, restarts, growth; ARGS="--only latency"
	@$(BIN)/python -m benchmarks.kafka $(ARGS)

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	-c requirements/constraints.txt
lock:  ## resolves the requirements (needs uv; UPGRADE=--upgrade takes the newest)
	@$(LOCK) $(UPGRADE) pyproject.toml -o requirements/runtime.txt >/dev/null
	@$(LOCK) $(UPGRADE) pyproject.toml --extra registry -c requirements/runtime.txt -o requirements/registry.txt >/dev/null
	@$(LOCK) $(UPGRADE) pyproject.toml --extra parquet -c requirements/runtime.txt -o requirements/parquet.txt >/dev/null
	@$(LOCK) $(UPGRADE) pyproject.toml --all-extras --group dev -c requirements/registry.txt -c requirements/parquet.txt -o requirements/dev.txt >/dev/null
	@echo uv | $(LOCK) $(UPGRADE) - -o requirements/uv.txt >/dev/null

clean:  ## removes .venv and every cache; your data stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): requirements/venv requirements/dev.txt requirements/uv.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh requirements/venv
