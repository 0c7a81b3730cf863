# Everything a person does with this repository; `make` lists it.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

# Where demo and e2e tests run: local (a cluster of our own), kind, or current (your kubeconfig's).
export CLUSTER ?= local
# Python 3.11 or newer; found by itself when empty.
PYTHON ?=

VENV := .venv
READY := $(VENV)/.ready
RUN := $(VENV)/bin/python

.PHONY: help
help: ## List the targets.
	@echo "Two to begin with: make demo, make test"
	@echo
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(READY) ## Play releases, refusals and reverts under load on a real cluster.
	@$(RUN) -m demo

.PHONY: sandbox shell
sandbox: $(READY) ## Keep an operator running on a cluster, with signed images, to try things by hand.
	@$(RUN) -m demo --sandbox
shell: $(READY) ## Open a shell inside the local cluster, with kubectl, helm, crane and cosign.
	@$(RUN) -m devcluster exec -- $${SHELL:-bash}

.PHONY: test
test: $(READY) ## Run every tier of tests that this machine can run.
	@$(RUN) -m tests.tiers --clean

.PHONY: unit fuzz api e2e lint faults
unit: $(READY) ## Test the core, parsers and verification; needs nothing.
	@$(RUN) -m tests.tiers unit
fuzz: $(READY) ## Feed the parsers of a registry's bytes; needs atheris.
	@$(RUN) -m tests.tiers fuzz
api: $(READY) ## Test CRDs, policies and roles on a real API server.
	@$(RUN) -m tests.tiers api
e2e: $(READY) ## Test real Pods, signatures and traffic on a whole cluster.
	@$(RUN) -m tests.tiers e2e
faults: $(READY) ## Put the API server in trouble and kill the operator at any write.
	@$(RUN) -m tests.tiers faults
lint: $(READY) ## Check style, types, layers and generated files.
	@$(RUN) -m tests.tiers lint

.PHONY: bench
bench: $(READY) ## Measure it beside its peers, in the same scenes on one cluster.
	@$(RUN) -m bench.verification --runs 10
	@$(RUN) -m bench

.PHONY: crds
crds: $(READY) ## Write crds/ and the chart's copy from the typed models.
	@$(RUN) -m immutablerelease.api.crds --write crds/
	@cp crds/* charts/immutable-release-operator/files/crds/

.PHONY: up down
up: $(READY) ## Bring up the local cluster: python -m devcluster exec -- kubectl get nodes
	@$(RUN) -m devcluster up --profile full
down: $(READY) ## Remove the local cluster and everything it left.
	@$(RUN) -m devcluster down

.PHONY: clean
clean: ## Remove what was built here; built tools and clusters stay.
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): requirements-dev.txt pyproject.toml
	@.ci/venv $(VENV) $(PYTHON)
	@touch $@
