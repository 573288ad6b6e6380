# Every target works from a fresh clone: it makes .venv and installs what it needs.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What the comparison is told: make bench BENCH='--data-dir ferplus', or BENCH=--no-peers.
BENCH ?=

.PHONY: demo test lint bench clean

demo: $(VENV)/installed
	$(BIN)/mien demo

test: lint
	$(BIN)/pytest --numprocesses auto

lint: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/installed-dev
	$(BIN)/python benchmarks/import_time.py
	$(BIN)/python -m benchmarks.pipeline
	$(BIN)/python benchmarks/preparation.py
	$(BIN)/python -m benchmarks.comparison $(BENCH)

clean:
	rm -rf $(VENV) benchmarks/.environments build dist

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-dev: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
