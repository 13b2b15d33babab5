# make demo   index pictures and search them in words; make test   every check; make docs   the generated pages.
# Each installs what it needs into .venv first: Python 3.11 or later and a package index are enough.

PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/pip install --quiet --constraint constraints.txt --build-constraint constraints.txt

.PHONY: demo test docs clean

demo: .venv/.demo-installed
	$(BIN)/limner demo

test: .venv/.test-installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest

docs: .venv/.test-installed
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv demo-out

.venv/.created:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --upgrade pip
	@touch $@

.venv/.demo-installed: .venv/.created pyproject.toml setup.py $(wildcard src/limner/index/*.[ch]) constraints.txt
	@echo "Installing limner into .venv ..."
	$(INSTALL) --editable '.[demo]'
	@touch $@

.venv/.test-installed: .venv/.created pyproject.toml setup.py $(wildcard src/limner/index/*.[ch]) constraints.txt
	@echo "Installing limner and what its tests need into .venv ..."
	$(INSTALL) --editable '.[all]' --group test
	@touch $@
