# One word for each job. `make demo` and `make test` do all their set-up on a machine with Python >= 3.11, make and a
# network: a virtual environment in .venv with the pinned dependencies, and the web page's build. When nothing changed
# that costs nothing: the stamp file and the page's index.html tell.

SHELL := /bin/sh
BIN := .venv/bin
PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
    "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$name"; break; }; done)
INSTALLED := .venv/.installed
PAGE := hub/dashboard/dist/index.html
PAGE_SOURCES := $(shell find hub/dashboard -type f ! -path '*/node_modules/*' ! -path '*/dist/*' ! -path '*/__pycache__/*')
BENCH ?= all
TEST_MARK ?= not minutes
APT_AS_ROOT := $(shell [ "$$(id -u)" = 0 ] && command -v apt-get)

.PHONY: help install dashboard demo test soak unit check style types imports bench docs constraints clean

help:
	@echo 'make demo [DEMO_ARGS="--for 20 --no-browser"]   the whole system with a simulated fleet, stop with Ctrl-C'
	@echo 'make test [TEST_ARGS="-k bridge"]               all tests'
	@echo 'make soak                                       tests of minutes: kills, chaos, RabbitMQ, the tutorial of the simulator'
	@echo 'make unit                                       the quick tests'
	@echo 'make check                                      lint, types, import rules'
	@echo 'make bench [BENCH=all] [BENCH_ARGS=--quick]     the benchmarks (fanout, path, peers, simulator, storage) and their report'
	@echo 'make dashboard                                  build the web page'
	@echo 'make docs                                       write the generated tables of the documentation'
	@echo 'make constraints                                resolve the dependencies anew and pin them'
	@echo 'make clean                                      remove what was built and installed here'

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	@if [ -z "$(PYTHON)" ]; then echo 'Python 3.11 or newer is needed and was not found' >&2; exit 1; fi
# Debian splits ensurepip from Python into a package of its own.
	@"$(PYTHON)" -c 'import ensurepip' 2>/dev/null || if [ -n "$(APT_AS_ROOT)" ]; then \
	    apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3-venv; \
	else echo 'Python lacks the module ensurepip; on Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; fi
	@echo 'Setting up .venv with the pinned dependencies (once; a minute or so)'
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

dashboard: $(PAGE)

$(PAGE): $(PAGE_SOURCES) | $(INSTALLED)
	@$(BIN)/python -m hub.dashboard.build
	@touch $@

demo: $(INSTALLED) $(PAGE)
	@$(BIN)/telemetry-hub demo $(DEMO_ARGS)

# What tests need from outside Python, by its package in Debian, as far as it is missing; Node.js is in .venv as a wheel.
# Where one cannot be installed the tests that need it skip and say so, or fail when CI=true.
on_path = $(strip $(foreach name,$(1),$(shell PATH="$$PATH:/usr/sbin" command -v $(name))))
MISSING = $(if $(call on_path,mosquitto),,mosquitto) $(if $(call on_path,pgbouncer),,pgbouncer) $(if $(call on_path,nginx),,nginx) \
    $(if $(call on_path,chromium google-chrome),,chromium) \
    $(if $(wildcard /usr/lib/*/faketime/libfaketime.so.1),,libfaketime) \
    $(if $(wildcard /usr/lib/postgresql/*/bin/postgres),,postgresql)
MISSING_FOR_SOAK = $(if $(call on_path,rabbitmqctl),,rabbitmq-server) $(if $(call on_path,caddy),,caddy) $(if $(call on_path,pgbouncer),,pgbouncer)
define apt_install
	@if [ -n "$(strip $(1))" ] && [ -n "$(APT_AS_ROOT)" ]; then \
	    echo 'Installing $(strip $(1))'; \
	    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $(1); } \
	        >/dev/null || echo 'could not install $(strip $(1))' >&2; \
	fi
endef

# Three tests run at a time, on two cores: they share nothing but this machine, and mostly wait. TEST_ARGS="-n 0" runs them
# one by one.
test: $(INSTALLED) $(PAGE)
	$(call apt_install,$(MISSING))
	@$(BIN)/python -m pytest -n 3 --dist worksteal -m '$(TEST_MARK)' $(TEST_ARGS)

# What takes minutes, one test at a time: kills and chaos want the machine for themselves.
soak: $(INSTALLED) $(PAGE)
	$(call apt_install,$(MISSING) $(MISSING_FOR_SOAK))
	@$(BIN)/python -m pytest -n 0 -m minutes $(TEST_ARGS)

unit: $(INSTALLED)
	@$(BIN)/python -m pytest tests/unit $(TEST_ARGS)

check: style types imports

style: $(INSTALLED)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(INSTALLED)
	@$(BIN)/mypy

imports: $(INSTALLED)
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q -n 0 tests/unit/test_import_circles.py

# The load is written in Go, from ../shared; without Go or that directory the benchmarks that need it say so and are left out.
bench: $(INSTALLED)
	@if [ -d ../shared/bench/stompload ] && ! command -v go >/dev/null && [ -n "$(APT_AS_ROOT)" ]; then \
	    echo 'Installing golang-go'; \
	    { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends golang-go; } \
	        >/dev/null || echo 'could not install golang-go' >&2; \
	fi
	@$(BIN)/python -m tests.bench $(BENCH) $(BENCH_ARGS)

# The tables in docs/reference that the programs know best.
docs: $(INSTALLED)
	@page=docs/reference/settings.md; head=$$(sed '/^<!-- Below/q' $$page); \
	{ printf '%s\n\n' "$$head"; $(BIN)/telemetry-hub config list; } > $$page.new && mv $$page.new $$page
	@$(BIN)/python -m device_sim.scenario.schema docs/reference
	@$(BIN)/python -m hub.telemetry.words > docs/reference/words.md
	@$(BIN)/python -m docs.states
	@$(BIN)/python -m hub.refusal > docs/reference/refusals.md

# In an environment of its own, so that only what pyproject.toml asks for is pinned.
constraints:
	@"$(PYTHON)" -m venv .venv-constraints
	@.venv-constraints/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@{ echo '# Exact versions of all dependencies, the tools included. Made by `make constraints`; do not edit.'; \
	   .venv-constraints/bin/python -m pip freeze --exclude-editable; } > constraints.txt
	@rm -rf .venv-constraints

clean:
	@rm -rf .venv .venv-constraints .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist \
	    hub/dashboard/dist hub/dashboard/node_modules
