# Needs Python 3.11 or newer and make. Every target makes its own .venv, with uv
# when it is on PATH and with venv and pip when it is not.
#   make test ARGS="-k retry"    passes ARGS on; PYTHON=... chooses the interpreter

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check fix docs bench \
	check-format check-lint check-imports check-mypy check-pyright check-sizes check-states check-api \
	check-reference check-parameters check-docs

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
CODE := $(wildcard src tests scripts benchmarks examples)
UV := $(shell command -v uv 2>/dev/null)

# pyright comes whole from its wheel: no look for a newer one
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

# The first interpreter that starts, is new enough and can make a virtual environment.
usable = import sys; assert sys.version_info >= (3, 11)$(if $(UV),,; import ensurepip, venv)
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	$$p -c '$(usable)' >/dev/null 2>&1 && command -v $$p && break; done)

help: ## show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.demo ## run the demo application (python -m outlive.demo)
	$(PY) -m outlive.demo $(ARGS)

test: $(VENV)/.dev ## run the tests; ARGS="..." goes to pytest
	$(PY) -m pytest $(ARGS)

check: check-format check-lint check-imports check-mypy check-pyright check-sizes check-states check-api check-reference check-parameters check-docs ## everything but the tests: format, lint, layers, types, sizes, generated files, docs

fix: $(VENV)/.dev ## format, fix what ruff can, rewrite the generated files
	$(BIN)/ruff check --fix --exit-zero $(CODE)
	$(BIN)/ruff format $(CODE)
	$(PY) scripts/public_api.py
	$(PY) scripts/state_diagram.py
	$(PY) scripts/reference.py
	$(PY) scripts/parameters.py

docs: $(VENV)/.dev ## build the documentation into site/
	$(BIN)/zensical build --strict

bench: $(VENV)/.bench ## run the benchmarks; ARGS="..." goes to them
	$(PY) -m benchmarks $(ARGS)

check-format: $(VENV)/.dev
	$(BIN)/ruff format --check $(CODE)
check-lint: $(VENV)/.dev
	$(BIN)/ruff check $(CODE)
check-imports: $(VENV)/.dev
	$(BIN)/lint-imports
check-mypy: $(VENV)/.dev
	$(BIN)/mypy $(CODE)
check-pyright: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(PY)
check-sizes: $(VENV)/.dev
	$(PY) scripts/check_sizes.py
check-states: $(VENV)/.dev
	$(PY) scripts/state_diagram.py --check
check-api: $(VENV)/.dev
	$(PY) scripts/public_api.py --check
check-reference: $(VENV)/.dev
	$(PY) scripts/reference.py --check
check-parameters: $(VENV)/.dev
	$(PY) scripts/parameters.py --check
check-docs: $(VENV)/.dev
	$(PY) scripts/typed_pages.py
	$(BIN)/zensical build --strict

# The environment is made anew when pyproject.toml changes, so that nothing
# stays in it that the project no longer asks for.
$(VENV)/.made: pyproject.toml
	@test -n "$(PYTHON)" || { echo "No usable Python found: outlive needs Python 3.11 or newer, with its venv module" \
		"(Debian: apt install python3-venv). Name one with: make $(MAKECMDGOALS) PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c '$(usable)' 2>/dev/null || { echo "$(PYTHON) is no Python 3.11 or newer with its venv module." >&2; exit 1; }
	rm -rf $(VENV)
ifdef UV
	$(UV) venv --quiet --python "$(PYTHON)" $(VENV)
else
	$(PYTHON) -m venv $(VENV)
endif
	@touch $@

ifdef UV
install = $(UV) pip install --quiet --python $(PY)
else
# pip reads dependency groups from 25.1 on; an environment that uv made has no pip at all
install = $(PY) -m ensurepip >/dev/null && $(PY) -m pip install --quiet --upgrade 'pip>=25.1' \
	&& $(PY) -m pip install --quiet
endif

$(VENV)/.dev: $(VENV)/.made
	$(install) --editable . --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	$(install) --group bench
	@touch $@

$(VENV)/.demo: $(VENV)/.made
	$(install) --editable '.[demo]'
	@touch $@
