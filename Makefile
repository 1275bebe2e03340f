# `make app` and `make test` are all a newcomer needs; the other targets are for work on the project.
#
# A stamp in .venv says which requirements are installed and is older than a requirements file that
# changed since, so a second run installs nothing.

VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8501
PYTEST_ARGS ?=

# A version manager may offer a python3.11 that is not installed: only one that runs counts.
PYTHON ?= $(shell for p in python3.11 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)

# --retries 1: pip goes on without the CPU wheel pages where they cannot be reached, but asks for them
# once per package, and with its default of five retries a machine behind a closed network waits minutes.
PIP_INSTALL := $(BIN)/python -m pip install --retries 1 --disable-pip-version-check

APP := $(VENV)/.installed-app
TRAIN := $(VENV)/.installed-train
DEV := $(VENV)/.installed-dev

QUICK := not slow and not browser and not server

.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help app test test-all lint format bench train-env dev-env clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

app: $(APP) ## install what the application needs and serve it on PORT (8501)
	$(BIN)/streamlit run streamlit_app.py --server.port $(PORT)

test: $(DEV) ## install what the tests need and run the quick ones
	$(BIN)/python -m pytest -m "$(QUICK)" $(PYTEST_ARGS)

test-all: $(DEV) ## every test, the slow ones and those with a browser or a server included
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(DEV) ## style and format, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(DEV) ## repair what ruff can repair
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV) ## the project's engine against the plain way to do the same
	$(BIN)/python -m benchmarks

train-env: $(TRAIN) ## install what `python -m train` needs

dev-env: $(DEV) ## install everything and run nothing

clean: ## remove the environment and the caches of the tools
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "No python3 found: NeuroTriage needs Python 3.11 or newer." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version): NeuroTriage needs Python 3.11 or newer (make PYTHON=...)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Only the existence of .venv matters: its time stamp changes with whatever is installed.
$(APP): requirements.txt | $(BIN)/python
	$(PIP_INSTALL) -r requirements.txt
	@touch $@

$(TRAIN): requirements.txt requirements-train.txt | $(BIN)/python
	$(PIP_INSTALL) -r requirements-train.txt
	@touch $@ $(APP)

$(DEV): requirements.txt requirements-server.txt requirements-train.txt requirements-dev.txt | $(BIN)/python
	$(PIP_INSTALL) -r requirements-dev.txt
	@touch $@ $(TRAIN) $(APP)
