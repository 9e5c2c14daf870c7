# Everything runs from a virtual environment in $(VENV), which the first target that needs it makes.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
BENCH = runs/first-light
CASES ?= 20
STEPS ?= 100

.DEFAULT_GOAL := help
.PHONY: help setup bench test check

help: ## say what there is
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

setup: $(VENV)/ready ## make the virtual environment and install piva into it

$(VENV)/ready: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

bench: setup ## edit $(CASES) cases of PIE-Toybox with DDS and Piva, print the table and the page's path
	$(BIN)/piva run pie-toybox --method copy --limit $(CASES) --out $(BENCH)
	$(BIN)/piva run pie-toybox --method no-edit --limit $(CASES) --out $(BENCH)
	$(BIN)/piva run pie-toybox --method dds --steps $(STEPS) --limit $(CASES) --out $(BENCH)
	$(BIN)/piva run pie-toybox --method piva --steps $(STEPS) --limit $(CASES) --out $(BENCH)
	$(BIN)/piva report --runs $(BENCH)

test: setup ## run the tests: CPU, offline, minutes
	$(BIN)/python -m pytest

check: setup ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
