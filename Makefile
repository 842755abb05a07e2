# The two commands of this project: `make run` and `make test`. The rest is for developers.
#
#   make run [LOG=/var/log/mail.log] [CONFIG=mxheed.yaml] [ARGS="…"]
#   make test [T=tests/rules] [K=expression] [WORKERS=0]

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help run test native lint dashboards live bench bench-rules bench-logs bench-serve bench-greedy \
        bench-pacing bench-faults \
        soak-kills soak-memory fuzz fresh pipx clean

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
# pytest's processes: one of them keeps the live tests to itself (tests/README.md); 0: all in one
WORKERS ?= $(shell test "$$(nproc)" -ge 2 && echo 2 || echo 0)

help: ## show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# The stamp files tell make what is installed; setup.cfg is what decides it.
$(VENV)/.python:
	@PYTHON="$(PYTHON)" VENV="$(VENV)" contrib/dev/venv
	@touch $@

$(VENV)/.run: $(VENV)/.python setup.cfg setup.py logparse/native.c
	@echo "installing mxheed into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@$(BIN)/python -m rules.compile
	@touch $@

$(VENV)/.test: $(VENV)/.run setup.cfg
	@echo "installing what the tests need into $(VENV) …"
	@$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

run: $(VENV)/.run ## follow this machine's mail log (or play a sample day) and serve page, metrics, sockets
	@exec $(BIN)/mxheed run $(if $(LOG),--log '$(LOG)') $(if $(CONFIG),--config '$(CONFIG)') $(ARGS)

test: $(VENV)/.test ## install what the tests need and run the whole suite
	@contrib/dev/test-packages
	@$(BIN)/python -m rules.compile
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest -n $(WORKERS) $(T) $(if $(K),-k '$(K)')

native: $(VENV)/.run ## build the native part again (needs a C compiler and Python's headers)
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --force-reinstall --editable .
	@$(BIN)/python -c 'from logparse import native; print(native.path); exit(not native.scan)'

lint: $(VENV)/.test ## ruff and mypy only
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

dashboards: $(VENV)/.run ## make the files of contrib/grafana anew from their source
	@$(BIN)/python -m contrib.grafana.source

live: $(VENV)/.test ## only the tests against real servers
	@contrib/dev/test-packages
	@$(BIN)/python -m pytest -m live

bench: bench-rules bench-logs bench-serve ## all quick benchmarks

bench-rules: $(VENV)/.test ## time per reply, warm, cold, and with ten times the rules
	@$(BIN)/python -m bench.rules_bench

bench-logs: $(VENV)/.test ## log lines per second beside other programs
	@contrib/dev/bench-packages
	@$(BIN)/python -m bench.logs_bench

bench-serve: $(VENV)/.test ## decisions per second beside other daemons
	@contrib/dev/bench-packages
	@$(BIN)/python -m bench.serve_bench

bench-greedy: $(VENV)/.test ## what a polite client feels beside greedy ones
	@$(BIN)/python -m bench.greedy_bench

bench-pacing: $(VENV)/.test ## the proving ground: stock Postfix against Postfix with mxheed
	@contrib/dev/test-packages
	@$(BIN)/python -m bench.pacing

bench-faults: $(VENV)/.test ## mail while mxheed is killed, stopped, robbed of its state
	@contrib/dev/test-packages
	@$(BIN)/python -m bench.faults

soak-kills: $(VENV)/.test ## 200 random kills while a log grows and rotates
	@$(BIN)/python -m bench.kills --kills 200

soak-memory: $(VENV)/.test ## 50 kills; the memory must be the log's after each of them
	@$(BIN)/python -m bench.kills --kills 50

fuzz: $(VENV)/.test ## coverage-guided fuzzing of the parsers (needs atheris)
	@$(BIN)/pip install --quiet --disable-pip-version-check '.[fuzz]'
	@$(BIN)/python -m bench.fuzz

fresh: ## both commands on bare Debian 12 and 13, as a user and as root (needs root)
	@contrib/dev/fresh-machine bookworm
	@contrib/dev/fresh-machine trixie

pipx: ## install by pipx as docs/production.md says, and use it (needs the network)
	@contrib/dev/try-pipx

clean: ## remove what make and the tools made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis var
