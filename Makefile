# The two commands of the README, and the checks. Everything is installed into a virtual environment of its own.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed

.PHONY: demo test fast check docs faults mutations coverage clean

demo: $(STAMP)
	$(BIN)/autapse demo

# `make test` runs all tests, the slow ones too: simulations on Verilator, place and route. `make fast` leaves them out.
test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations 10

fast: $(STAMP)
	$(BIN)/python -m pytest -n 2 -m "not slow"

check: $(STAMP) docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# HTML in build/docs/html; a warning is an error.
docs: $(STAMP)
	$(BIN)/python -m sphinx -q -W --keep-going -d build/docs/doctrees docs build/docs/html

# Plants faults into a copy of the tree, one at a time, and names the test that catches each: docs/faults.md.
faults: $(STAMP)
	$(BIN)/python tests/faults/plant.py --table docs/faults.md

# Mutates netlists of cores with yosys, and runs the bench on each mutation: docs/mutations.md.
mutations: $(STAMP)
	$(BIN)/python tests/faults/mutate.py --table docs/mutations.md

# Lines and branches of the Python that the fast tests reach, and the bits of the core's RTL that its bench moves:
# build/coverage/python.txt, build/coverage/python/index.html, build/coverage/toggles.txt.
coverage: $(STAMP)
	mkdir -p build/coverage
	$(BIN)/python -m pytest -q -n 2 -m "not slow" --cov --cov-report html --cov-report term > build/coverage/tests.txt
	$(BIN)/python -m coverage report > build/coverage/python.txt
	$(BIN)/python -m autapse_sim.toggles > build/coverage/toggles.txt
	tail -n 1 build/coverage/python.txt build/coverage/toggles.txt

$(STAMP): pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is needed: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; $(PYTHON) is `$(PYTHON) --version`. Name another: make PYTHON=python3.12"; exit 1; }
	@for tool in g++ perl; do command -v $$tool >/dev/null || \
		{ echo "$$tool is needed by the simulator: apt-get install $$tool"; exit 1; }; done
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache
