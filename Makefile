# `make demo` shows the whole job on real data, `make test` runs every check, `make bench` measures.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.PHONY: demo test check bench clean

demo: $(READY)
	$(BIN)/repayrank demo $(ARGS)

# Everything CI runs: checks that change nothing, then the tests.
test: check
	$(BIN)/python -m pytest

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "repayrank needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@echo "setting up $(VENV): some 200 packages, two or three minutes the first time"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar off -c constraints.txt -e '.[dev]'
	@touch $(READY)
	@echo "ready"

# Ours against the usual way, in turn; about ten minutes. `make bench ARGS=--write` puts the table into the docs.
bench: $(READY)
	$(BIN)/python -m benchmarks $(ARGS)

clean:
	rm -rf $(VENV) demo build dist *.egg-info
