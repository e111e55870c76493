# Everything sets itself up: `make demo` and `make test` need nothing but Python 3.11 or newer.

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint bench simulate chaos constraints clean

BIN := .venv/bin
JOBS ?= auto
WEFT_SEEDS ?= 5000
WEFT_CHAOS ?= 300
TESTS := tests $(wildcard examples/*/tests)
PYTEST := $(BIN)/python -m pytest -n $(JOBS) -rfEs

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Create .venv and install what is needed; quick when all is there
	@scripts/setup

demo: setup ## Watch weft keep two simulated systems in agreement
	@$(BIN)/weft demo

test: setup ## Run all tests (ARGS="-k words" for some of them)
	@if scripts/postgresql; then export WEFT_REQUIRE_POSTGRES=1; fi; \
	if scripts/chromium; then export WEFT_REQUIRE_CHROMIUM=1; fi; $(PYTEST) $(ARGS) $(TESTS)

lint: setup ## Check style, formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup ## Measure, as ratios against a floor taken in the same run
	$(BIN)/python -m benchmarks.run --json benchmarks/results.json $(ARGS)

simulate: setup ## Long simulation of edits, faults and kills (WEFT_SEEDS=5000)
	WEFT_SEEDS=$(WEFT_SEEDS) $(PYTEST) --timeout 0 $(ARGS) tests/simulation

chaos: setup ## Kill, stop and cut off workers for long (WEFT_CHAOS=seconds)
	WEFT_CHAOS=$(WEFT_CHAOS) WEFT_REQUIRE_POSTGRES=1 $(BIN)/python -m pytest -s --timeout 0 $(ARGS) tests/simulation/chaos

constraints: setup ## Write constraints.txt anew, with the newest versions that fit
	scripts/constraints

clean: ## Remove .venv and everything built or cached
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	find core plugins examples tests benchmarks -depth -type d -name __pycache__ -exec rm -rf {} +
