# Two commands are all a newcomer needs: `make demo` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/installed
PIP_FLAGS := --quiet --disable-pip-version-check
JOBS ?= 2

.PHONY: demo test test-all mutants check format bench docs results clean
.DEFAULT_GOAL := demo

demo: $(STAMP)  ## the whole story on bundled data, to demo/report.html
	$(BIN)/ridgeline demo --out demo --overwrite

test: $(STAMP)  ## what a change is tried on, minutes
	$(BIN)/pytest -n $(JOBS) -m "not slow"

test-all: $(STAMP)  ## every test, the long ones too, with coverage
	$(BIN)/pytest -n $(JOBS) --cov --cov-report=term

mutants: $(STAMP)  ## slips in what changed, and the tests that notice them; ARGS="--package objective"
	$(BIN)/python tools/mutants.py $(ARGS)

check: $(STAMP)  ## lint, format, types, import contracts, docs
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/zensical build --strict

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## ratios against the obvious loop and the existing tools, measured side by side
	$(BIN)/python -m benchmarks.profiles
	$(BIN)/python -m benchmarks.populations
	$(BIN)/python -m benchmarks.soft_trees

docs: $(STAMP)
	$(BIN)/zensical serve

# torch first and by itself: under the constraint it is the CPU build where one is at hand.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt torch
	$(BIN)/python -m pip install $(PIP_FLAGS) -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf .venv demo site .pytest_cache .ruff_cache .coverage*

results: $(STAMP)  ## every paper at laptop scale, hours; verdicts into docs/results
	$(BIN)/ridgeline reproduce all --scale laptop --store runs --out results
	for folder in results/*/; do cp $$folder/verdicts.md docs/results/$$(basename $$folder).md; done
	$(BIN)/python tools/results.py
