# Everything that a fresh machine needs is set up by the target that needs it.
#
#   make demo     a tour of dsmilctl on simulated devices and on this machine's own sensors
#   make test     every check there is: style, types, imports, tests, coverage, other Pythons
#   make check    the quick part of it: style, types, imports
#   make bench    what we measure, beside the peers, one line each
#   make docs     write the completion scripts, man pages and CLI reference anew
#   make picture  the picture of the README, drawn by the dashboard itself
#   make soak     the long forms of the reliability tests, or of those in SOAK=tests/...
#   make clean    remove what the targets above made

.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs picture soak clean packages

VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.core-installed
DEV := $(VENV)/.dev-installed
SOAK := tests/reliability tests/archive/test_kills.py tests/archive/test_backup_bad_days.py

help:
	@sed -n 's/^#   //p' Makefile

$(CORE): pyproject.toml .ci/venv .ci/install
	@.ci/venv $(VENV) core

$(DEV): pyproject.toml .ci/venv .ci/install
	@.ci/venv $(VENV) dev

# Another Python's own environment, for `make test`.
.venv-%/.test-installed: pyproject.toml .ci/venv .ci/install $(DEV)
	@.ci/venv .venv-$* test "$$(.ci/pythons | awk '$$1 == "$*" {print $$2}')"

.venv-%/.dev-installed: pyproject.toml .ci/venv .ci/install $(DEV)
	@.ci/venv .venv-$* dev "$$(.ci/pythons | awk '$$1 == "$*" {print $$2}')"

demo: $(CORE)
	@$(BIN)/dsmilctl demo

test: $(DEV)
	@.ci/test

check: $(DEV)
	@.ci/check

bench: $(DEV)
	@.ci/packages gh
	@$(BIN)/python -m bench

docs: $(DEV)
	@$(BIN)/python -m dsmilctl.reference

picture: $(DEV)
	@$(BIN)/python -m dsmilctl.reference.picture

soak: $(DEV)
	@DSMIL_SOAK=1 $(BIN)/python -m pytest $(SOAK) --timeout 0

packages:
	@.ci/packages

clean:
	rm -rf $(VENV) .venv-3.* build dist *.egg-info .coverage .coverage.* \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
