PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
CHROMIUM ?= chromium
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo test test-all test-faults test-ui fuzz check docs bench-gain bench-speed bench-peers audit clean

help:
	@echo "make demo        install, and run the main job on the data that ship with the project"
	@echo "make test        install, and run the tests"
	@echo "make test-all    the same with the slow ones"
	@echo "make test-faults kill, starve and break runs at many more points than the tests do; takes half an hour"
	@echo "make test-ui     drive Prefect's UI in a browser; needs Chromium, and installs Debian's where it may"
	@echo "make fuzz        feed damaged bytes to all that reads them, a minute each; atheris gets an environment of its own"
	@echo "make check       lint, formatting, types and the layers of imports"
	@echo "make docs        write docs/cli.md and docs/settings.md from the code"
	@echo "make bench-gain  measure the gain on the data that ship, from 10 images a class to a long tail"
	@echo "make bench-speed measure speed: training, generation, evaluation, and the settings behind them"
	@echo "make bench-peers measure tables beside CTGAN, which gets an environment of its own"
	@echo "make audit       ask for known holes of the pinned libraries; needs the network"
	@echo "make clean       remove caches and what was built; runs and .venv stay"

demo: $(INSTALLED)
	$(BIN)/gansynth augment data/studies/fashion_rare.toml

test: $(INSTALLED)
	$(PYTEST)

test-all: $(INSTALLED)
	$(PYTEST) -m "slow or not slow"

test-faults: $(INSTALLED)
	$(PYTEST) -m "slow or not slow" tests/faults

test-ui: $(INSTALLED)
	@command -v $(CHROMIUM) > /dev/null || { apt-get update && apt-get install --yes chromium; } \
		|| { echo "no Chromium: install it, or name its program by CHROMIUM=..."; exit 1; }
	CHROMIUM=$$(command -v $(CHROMIUM)) $(BIN)/pytest -m ui

fuzz: $(INSTALLED)
	$(BIN)/python -m fuzz

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest tests/test_layers.py

bench-gain: $(INSTALLED)
	$(BIN)/python -m benchmarks.gain --size 28

bench-speed: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.throughput

bench-peers: $(INSTALLED)
	$(BIN)/python -m benchmarks.peers

audit:
	$(PYTHON) -m venv build/audit-venv
	build/audit-venv/bin/pip install --quiet pip-audit
	build/audit-venv/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip

docs: $(INSTALLED)
	$(BIN)/python -m pipelines.docs

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(None if v >= (3, 11) else "gansynth needs Python 3.11 or newer, and $(PYTHON) is %d.%d; try: make PYTHON=python3.12" % v[:2])'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --constraint constraints.txt --editable . --group dev
	touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find gansynth pipelines tests benchmarks fuzz -name __pycache__ -type d -exec rm -rf {} +
