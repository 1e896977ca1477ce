# Each target does all of its own set-up in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo quick test coverage torture clean

demo: $(VENV)/installed  ## train on the sonnets, then write some text
	$(BIN)/charrnn train data/sonnets.txt
	$(BIN)/charrnn sample --seed H --top-k 5

# Leaves out what is marked slow: whole trainings and what starts processes (signals, pipes,
# terminals, torchrun, resumed runs), lower precision, the README's commands, the benchmarks. Of
# generated examples it takes a fifth. A file's tests share a process, and what they train.
quick: $(VENV)/installed  ## while editing: linters, types, the tests that take no time
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadfile -m "not slow" --hypothesis-profile=quick

test: $(VENV)/installed  ## linters, types, all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist loadgroup

coverage: $(VENV)/installed  ## all tests; the lines that none of them runs in its own process
	$(BIN)/pytest -n auto --dist loadgroup --cov --cov-report=term-missing:skip-covered

torture: $(VENV)/installed  ## a quarter of an hour of faults, kills, full disks and fuzzing
	OMP_NUM_THREADS=1 $(BIN)/pytest -s tests/torture
	$(BIN)/python -m pip install --quiet atheris
	$(BIN)/python tests/torture/fuzz.py 600

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV)
