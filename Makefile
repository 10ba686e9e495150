# RunAPI: `make run` serves, `make test` tests. Everything lives in .venv; delete it to begin again.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test check lint format bench prove lock clean

run: .venv/run  ## serve on RUNAPI_HOST:RUNAPI_PORT, data in RUNAPI_HOME
	@exec $(BIN)/runapi serve

test: .venv/test  ## the whole suite; RUNAPI_TEST_ALL=1 lets nothing be skipped
	$(BIN)/python -m pytest -n auto --dist loadgroup $(TESTS)

check: lint  ## format, lint, types, import floors, core and wire tests: before each commit
	$(BIN)/python -m pytest -n auto tests/core tests/wire

lint: .venv/dev  ## the part of `make check` that runs nothing
	$(BIN)/ruff format --quiet --check .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --config pyproject.toml --no-cache | tail -n 4

format: .venv/dev
	$(BIN)/ruff format --quiet .
	$(BIN)/ruff check --quiet --fix .

bench: .venv/dev  ## against nginx and a floor, in one run; then the ledger alone on both databases, and the pages
	$(BIN)/python -m bench
	$(BIN)/python -m bench.ledger --scale 0.3
	$(BIN)/python -m bench.pages

prove: .venv/dev  ## kill it, cut its power, race it: TIER=nightly for hours of it
	$(BIN)/python -m prove --tier $(or $(TIER),ci)

lock: .venv/dev  ## write the hashed requirement files from the .in files
	for set in run test dev clients; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	    --custom-compile-command "make lock" requirements/$$set.in -o requirements/$$set.txt; \
	done

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "RunAPI needs Python 3.11 or newer; $(PYTHON) is older. Try: make run PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv \
	  || { rm -rf .venv; echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# One stamp a set of packages; a larger set holds the smaller ones.
.venv/run .venv/test .venv/dev: .venv/%: requirements/%.txt pyproject.toml | .venv/bin/python
	@echo "Installing the packages of requirements/$*.txt ..."
	@$(PIP) install --require-hashes -r requirements/$*.txt
	@$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@
