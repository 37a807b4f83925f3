# The entry points of the project; the work is done by `toolchain/` and the programs it installs.
# Of `up`, `down` and `status`. The first two are for stacks on this machine; elsewhere it is `pulumi up`.
STACK ?= local
FIGURES ?=
# Most of their time is waiting; still more would disturb what the tests' gates measure.
WORKERS ?= 4
TOOLCHAIN := ./toolchain/run
RUN := $(TOOLCHAIN) exec --

.DEFAULT_GOAL := help
.PHONY: help setup setup-lint setup-tests up down status test test-extended lint types bench doctor lock env

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what the embedded platform needs: Python environment, pulumi
	@$(TOOLCHAIN) setup

setup-lint: ## the same, and the SDKs of both clouds, whose types are checked (1.3 GB)
	@$(TOOLCHAIN) setup-lint

setup-tests: ## the same, and what the cluster tests need: Kubernetes, a gateway (half an hour once)
	@$(TOOLCHAIN) setup-tests

up: ## bring a stack on this machine up, gate included, and ask it for one prediction (STACK=local)
	@$(TOOLCHAIN) up --stack $(STACK)

down: ## take a stack on this machine down and check that nothing is left (STACK=local)
	@$(TOOLCHAIN) down --stack $(STACK)

status: ## what is live, what stands by, last verdict (STACK=local)
	@$(RUN) tidegate status --stack $(STACK)

test: lint setup-tests ## lint, type check, then the whole test suite
	@$(RUN) pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-extended: setup-tests ## what takes minutes for one thing: kills, groups of nodes, full pools, 50 services
	@$(RUN) pytest --extended -m extended

lint: setup-lint ## style, format and types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(MAKE) --no-print-directory types

types: ## types alone
	@$(RUN) mypy --strict .

bench: setup ## one JSON line per figure (FIGURES="name name" picks)
	@$(RUN) python -m tests.benchmarks $(FIGURES)

doctor: ## what is there, what is missing, what to do
	@$(TOOLCHAIN) doctor

lock: ## pin every Python package again from pyproject.toml (needs uv)
	@$(TOOLCHAIN) lock

env: ## print exports for a shell: eval "$$(make -s env)"
	@$(TOOLCHAIN) env
