# What a person types. Needs make and Python 3.11 or newer with venv; the rest
# is installed into .venv, at the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := PYTHONWARNINGS='ignore:Editable installation' $(PIP) install --quiet --constraint constraints.txt

.PHONY: help demo test check bench dockerfile-check
.DEFAULT_GOAL := help

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/run.stamp  ## Send a phantom study through the gateway; shows the result.
	@$(BIN)/maira-gateway demo --folder demo

test: .venv/dev.stamp  ## Run every test.
	$(BIN)/python -m pytest

check: .venv/dev.stamp  ## Format, lint, types, imports, licences, and the self-test.
	$(BIN)/python -m gate

bench: .venv/dev.stamp  ## Measure the receiver beside DCMTK's (Debian: dcmtk).
	$(BIN)/python -m benchmarks.receive_small

dockerfile-check: .venv/dev.stamp  ## Run the Dockerfile's steps in an empty Debian root.
	$(BIN)/python -m gate.image

.venv/run.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv; the first time takes some minutes."
	@$(INSTALL) pip setuptools
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $@
