# `make` prints the menu. Everything runs from .venv, which make builds itself from the hashed locks and rebuilds when they change.
#   PYTHON=python3.12   the interpreter for a new .venv (>= 3.11)
#   ARGS="-k journal"   more arguments for pytest
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
BIN := .venv/bin
VENV := .venv/.stamp

.PHONY: help demo test soak torture check lint types contracts docs golden bench bench-kafka lock clean

help:  ## this menu
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)  ## real shoppers, from their first look to the purchase, and the funnel they make
	@$(BIN)/streams demo

test: $(VENV)  ## the tests
	@$(BIN)/python -m pytest $(ARGS)

soak: $(VENV)  ## worst days in virtual time, one seed after the other, until you stop it
	@$(BIN)/python -m tests.simulation --soak

torture: $(VENV)  ## real workers on real brokers, killed, frozen and replaced: SEED=n, ARGS="--short"
	@$(BIN)/python -m tests.torture $(or $(SEED),1) $(ARGS)

check: lint types contracts test  ## everything that CI runs: lint, types, import contracts, tests

lint: $(VENV)  ## ruff
	@$(BIN)/ruff check .

types: $(VENV)  ## mypy, strict
	@$(BIN)/mypy

contracts: $(VENV)  ## who may import whom
	@$(BIN)/lint-imports

docs: $(VENV)  ## writes the generated pages and the JSON Schemas anew
	@$(BIN)/python -m schemas.generate
	@$(BIN)/python -m docs.generate

golden: $(VENV)  ## writes down anew what consumers see of one fixed input
	@$(BIN)/python -m tests.golden_topics.write

bench: $(VENV)  ## microseconds per event, stage by stage
	@$(BIN)/python -m benchmarks.pipeline

bench-kafka: $(VENV)  ## a worker on a broker, beside others: speed, delay, restarts, growth; ARGS="--only latency"
	@$(BIN)/python -m benchmarks.kafka $(ARGS)

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	-c requirements/constraints.txt
lock:  ## resolves the requirements anew (needs uv; UPGRADE=--upgrade takes the newest)
	@$(LOCK) $(UPGRADE) pyproject.toml -o requirements/runtime.txt >/dev/null
	@$(LOCK) $(UPGRADE) pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt >/dev/null
	@echo uv | $(LOCK) $(UPGRADE) - -o requirements/uv.txt >/dev/null

clean:  ## takes away .venv and every cache; your data stays
	rm -rf .venv .tools .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV): requirements/venv requirements/dev.txt requirements/uv.txt pyproject.toml
	@PYTHON="$(PYTHON)" sh requirements/venv
