SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
UV := $(shell command -v uv || echo .venv-uv/bin/uv)
RUN := $(UV) run --no-sync
WORKERS ?= 2

.PHONY: help
help: ## Show the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

.venv-uv/bin/uv:
	python3 -m venv .venv-uv
	.venv-uv/bin/pip install --quiet uv

.PHONY: setup
setup: $(UV) ## Install everything into .venv
	$(UV) sync --quiet --locked

.PHONY: demo
demo: setup ## Run the whole pipeline on a sample repository: offline, without a key
	. .ci/environment && $(RUN) repowright demo

.PHONY: test
test: setup ## Run the tests; those that need a Docker engine are skipped without one
	. .ci/environment && $(RUN) python -I -m pytest -n $(WORKERS) --dist loadfile

.PHONY: lint
lint: setup ## Style, types, imports, sizes, and whether generated files are fresh
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy
	$(RUN) pyright
	$(RUN) lint-imports
	$(UV) lock --check --quiet

.PHONY: check
check: lint test ## What CI runs

.PHONY: generate
generate: setup ## Write the generated files anew
	$(RUN) python -m repowright_server.settings > .env.example
	$(RUN) python -m repowright_server.protocol.publish
	$(RUN) python -m repowright_server.commands.readme
	PYTHONPATH=tests $(RUN) python -m support.faults

.PHONY: format
format: setup ## Put the code into shape
	$(RUN) ruff check --fix
	$(RUN) ruff format
