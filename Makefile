# Everything a newcomer types. `make help` lists it.
VENV      ?= .venv
PYTHON    ?= python3
BIN       := $(VENV)/bin
STAMP     := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
PIP       := $(BIN)/pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install install-dev lock demo test soak fuzz mutants coverage debian check format bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

install: $(STAMP) ## Make .venv with the tollbook command and all it needs

install-dev: $(DEV_STAMP) ## The same, and what the tests and checks need

# What is installed is what the lock files say, file by file: pip refuses anything with another hash. greenswitch comes as
# sources. The setuptools of the lock builds it, installed first; pip alone would fetch one for that, without a hash.
LOCKED := $(PIP) install --require-hashes --no-build-isolation --use-pep517 --requirement

$(STAMP): pyproject.toml requirements.lock | $(BIN)/pip
	sed -n '/^setuptools==/,/^ *#/p' requirements.lock | $(LOCKED) /dev/stdin
	$(LOCKED) requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.lock
	$(LOCKED) requirements-dev.lock
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --custom-compile-command 'make lock' \
	pyproject.toml --extra embedded --group build $(ARGS)

lock: | $(BIN)/pip ## Resolve pyproject.toml into the lock files. ARGS=--upgrade takes newer releases
	@$(PIP) install uv
	@$(LOCK) --output-file requirements.lock
	@$(LOCK) --group dev --constraint requirements.lock --output-file requirements-dev.lock

demo: $(STAMP) ## Try it: simulated switch, database, listener, archive, API. ARGS=--once, or ESL=esl://:PASSWORD@HOST:8021
	@$(BIN)/tollbook demo $(if $(ESL),--esl '$(ESL)') $(ARGS)

test: $(DEV_STAMP) debian ## Run the tests on real components (under 6 minutes)
	@$(BIN)/pytest $(ARGS)

soak: $(DEV_STAMP) debian ## Run what takes long: outages, stalls, kills, every page, and properties on many examples
	@$(BIN)/pytest -m 'soak or hypothesis' --hypothesis-profile=soak $(ARGS)

fuzz: $(DEV_STAMP) ## Let a hostile switch send what it likes, for 10 minutes. ARGS=--minutes=60, or ARGS=FILE replays
	@$(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(DEV_STAMP) ## Break one rule at a time, in a copy, and see that its tests fail. ARGS='outbox lock' takes some
	@$(BIN)/python -m tests.mutants $(ARGS)

# Not in `make test`: counting takes 2.3 times the CPU. One test looks at which modules a command loads, and coverage,
# which must know of greenlets, loads gevent into every process.
coverage: $(DEV_STAMP) debian ## Run the tests and list the lines and branches that none of them reaches
	@$(BIN)/coverage erase
	@status=0; $(BIN)/coverage run -m pytest --deselect tests/integration/tollbook/test_cli.py::test_listing_the_commands_loads_none $(ARGS) || status=$$?; \
	$(BIN)/coverage combine --quiet; $(BIN)/coverage report; exit $$status

# What no wheel carries: systemd's own checker, for the units of conf/, PgBouncer, and a browser, for the dashboard.
debian:
	@missing=; \
	command -v systemd-analyze >/dev/null || missing="$$missing systemd"; \
	command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ] || missing="$$missing pgbouncer"; \
	command -v chromium >/dev/null || missing="$$missing chromium fonts-dejavu-core"; \
	[ -z "$$missing" ] || { \
		sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	} || { echo "install Debian's packages$$missing, then run make test again"; exit 1; }

check: $(DEV_STAMP) ## Lint, types and the import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-logo

format: $(DEV_STAMP) ## Format the code
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

bench: $(DEV_STAMP) ## Measure the figures of docs/performance.md
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) .fuzz .pytest_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis .coverage .coverage.* htmlcov
