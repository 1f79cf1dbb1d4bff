# Two commands for a fresh machine: `make search` and `make test`. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin

# What trains, on a processor without AVX-512: oneDNN has other kernels there, with other faults.
AVX2 := ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
TRAINS := tests/nn tests/training tests/tasks tests/evaluators/test_short_training.py \
	tests/evaluators/test_zero_cost.py

.PHONY: search test test-avx2 lint docs clean

search: .venv/installed
	$(BIN)/neptune-nas search --space default --trials 200

# Compiled once: where Python is told to write no bytecode, a hundred processes would do it again.
test: .venv/installed-dev
	$(BIN)/python -m compileall -q neptune_nas search_spaces
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto

test-avx2: .venv/installed-dev
	$(AVX2) OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto $(TRAINS)

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-dev
	$(BIN)/zensical build --clean --strict
	@echo "The pages: build/docs/index.html (to search in them: python -m http.server -d build/docs)"

.venv/created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "neptune-nas needs Python 3.11 or later; say which: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	touch $@

.venv/installed: .venv/created pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/installed-dev: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .cache
