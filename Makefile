# `make demo` runs the main job without a key; `make test` runs the tests.
VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?= python3

.PHONY: demo test lint format types docs

demo: $(VENV)/.local
	$(BIN)/thoughttrace demo

test: $(VENV)/.dev
	$(BIN)/pytest --numprocesses logical --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/inspect-evals-lint --all --output-format github
	$(BIN)/deptry src protocols datasets tasks scorers models analysis
	$(BIN)/deptry tests benchmarks --exclude '^$$' --ignore DEP002,DEP004

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev
	$(BIN)/mypy

# A warning is an error, a link that leads nowhere too; nothing is loaded from the network.
docs: $(VENV)/.dev
	$(BIN)/sphinx-build -q -W --keep-going -n -b html -d build/doctrees docs site

# uv is quicker where it is there; --seed because the local models' weights are fetched with pip.
$(BIN)/python:
	@if command -v uv >/dev/null; then uv venv --seed $(VENV); else $(PYTHON) -m venv $(VENV); fi

define install
@echo "Installing into $(VENV), a minute or two …"
@if command -v uv >/dev/null; \
then uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[$(1)]'; \
else $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(1)]'; fi
@touch $@
endef

$(VENV)/.local: pyproject.toml constraints.txt | $(BIN)/python
	$(call install,local)

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	$(call install,local$(comma)shift$(comma)dev$(comma)docs)

comma := ,
