# devloop's tasks; `make help` lists them. Everything runs in .venv, made from exact versions on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help run demo test check lint types layers reference e2e faults bench soak pictures constraints clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $(READY)

run: $(READY) ## Run devloop: make run ARGS="up --help"
	@$(BIN)/devloop $(ARGS)

demo: $(READY) ## Try it in a sandbox, without Docker or cluster: make demo ARGS="--script"
	@DEVLOOP_DEMO_BY_MAKE=1 $(BIN)/devloop demo $(ARGS)

test: $(READY) ## Run the tests; those that need a cluster are skipped when none is named
	$(BIN)/pytest $(ARGS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

check: lint types layers test ## Style, types, layers and tests: what has to pass before a commit

reference: $(READY) ## Write the generated parts of the documents anew: commands, configuration, events, codes
	$(BIN)/python -m tests.reference

e2e: $(READY) ## Run the tests against a real cluster (DEVLOOP_E2E_CONTEXT, DEVLOOP_E2E_REGISTRY)
	@if [ -z "$$DEVLOOP_E2E_CONTEXT" ] || [ -z "$$DEVLOOP_E2E_REGISTRY" ]; then \
	  echo "e2e needs a cluster and a registry that it and this machine reach. For example:"; \
	  echo "  kind or k3d with a local registry, then"; \
	  echo "  export DEVLOOP_E2E_CONTEXT=kind-kind DEVLOOP_E2E_REGISTRY=localhost:5001"; \
	  exit 2; fi
	$(BIN)/pytest -m "(e2e or engine or breaks) and not faults" $(ARGS)

faults: $(READY) ## Break everything under a session (needs DEVLOOP_E2E_CONTROL too): make faults ARGS="-k registry"
	@if [ -z "$$DEVLOOP_E2E_CONTEXT" ] || [ -z "$$DEVLOOP_E2E_REGISTRY" ] || [ -z "$$DEVLOOP_E2E_CONTROL" ]; then \
	  echo "faults needs what e2e needs, and DEVLOOP_E2E_CONTROL: see docs/reliability.md"; exit 2; fi
	@status=0; \
	$(BIN)/pytest -m "faults and not breaks" -n 3 --dist worksteal $(ARGS) || status=$$?; \
	$(BIN)/pytest -m "faults and breaks" $(ARGS) || status=$$?; \
	exit $$status

bench: $(READY) ## Measure, side by side with the shell line (needs the same cluster as e2e)
	$(BIN)/pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m tests.benchmarks $(ARGS)

soak: $(READY) ## 500 cycles with faults at random (needs DEVLOOP_E2E_CONTROL too): make soak ARGS="--cycles 20 --seed 3"
	$(BIN)/pip install --quiet --constraint constraints.txt --group bench
	$(BIN)/python -m tests.faults.soak --plot docs/reliability-soak.svg $(ARGS)

pictures: $(READY) ## Make the pictures of the documents anew, of real runs; ARGS="verified crash" makes those alone
	$(BIN)/python -m tests.pictures $(ARGS)

constraints: ## Write constraints.txt anew from what .venv holds
	$(BIN)/pip freeze --exclude-editable > constraints.txt

clean: ## Remove .venv and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist
