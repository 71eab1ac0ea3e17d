# `make demo` shows the whole job on real data, `make test` runs every check, `make bench` measures, `make soak` breaks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.PHONY: demo test check bench soak clean

demo: $(READY)
	$(BIN)/repayrank demo $(ARGS)

# Everything CI runs: checks that change nothing, then the tests, a file at a time on each of two cores.
test: check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20

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

# The tests that kill, cut, forge and damage, as long as a release asks for: most of a day. The command that is printed
# names the seed; `make soak SEED=7` runs with that seed again, `make soak ARGS='-k cut'` runs a part.
ifndef SEED
SEED := $(shell date +%s)
endif
SEEDS := $(addsuffix =$(SEED),$(addprefix REPAYRANK_,$(addsuffix _SEED,ARRIVAL CUT DAMAGE EXPIRY FORGERY FUZZ KILL PROMOTION RETRY SHARED STATISTICS TUNING VALIDATION VAULT_COPIES)))
LENGTHS := REPAYRANK_KILL_ROUNDS=200 REPAYRANK_SERVICE_KILLS=200 REPAYRANK_SUPERVISED_KILLS=60 \
	REPAYRANK_SECONDS_BETWEEN_KILLS=10 REPAYRANK_SHARED_ROUNDS=20 REPAYRANK_CRASH_IMAGES=2000 REPAYRANK_SYNC_FAULTS=200 \
	REPAYRANK_LOCK_SECONDS=30 REPAYRANK_CUTS=10000 REPAYRANK_CUT_SECONDS=3600 REPAYRANK_RESTARTS=20 REPAYRANK_FLIPS=100000 \
	REPAYRANK_CLEAN_LOGS=1000 REPAYRANK_FORGED_PROOFS=500 REPAYRANK_FORGERIES=1000000 REPAYRANK_DAMAGED_MODELS=10000 \
	REPAYRANK_SIGNED_DAMAGED_MODELS=100 REPAYRANK_PROMOTION_ROUNDS=1000 REPAYRANK_PROMOTION_KILLS=100 \
	REPAYRANK_RETRIED_REQUESTS=300000 REPAYRANK_HTTP_CUTS=10000 REPAYRANK_EXPIRY_RUNS=400 REPAYRANK_EXPIRY_KILLS=200 \
	REPAYRANK_FUZZ_CASES=2000000 REPAYRANK_FUZZ_CONNECTIONS=100000 REPAYRANK_SCHEMATHESIS_EXAMPLES=300 \
	REPAYRANK_VAULT_COPIES=100 REPAYRANK_EXPIRY_CLOCKS=300 REPAYRANK_STATISTICS_SIMULATIONS=4000 \
	REPAYRANK_COVERAGE_ROUNDS=10000 REPAYRANK_VALIDATION_CASES=30 REPAYRANK_TUNING_KILLS=40 REPAYRANK_SHADOW_KILLS=100 \
	REPAYRANK_MONITOR_MONTHS=5000 REPAYRANK_ARRIVAL_FAULTS=5000
SOAKED = $(shell grep -rlE --include='test_*.py' 'environ.get."REPAYRANK_|^from simulations import' tests)

soak: $(READY)
	env $(SEEDS) $(LENGTHS) $(BIN)/python -m pytest -s --durations=0 --durations-min=60 --hypothesis-seed=$(SEED) \
		$(SOAKED) $(ARGS)

clean:
	rm -rf $(VENV) demo build dist *.egg-info
