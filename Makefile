# What can be done here; `make` alone prints it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
BOWERBIRD := $(PYTHON) -m bowerbird
export PYTHONPATH := $(CURDIR)
# Some images of continuous integration forbid it; then every process that is started compiles 350 modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: env
env: ## make .venv with what the stack needs; quick when it is there
	@deploy/make-env.sh

.PHONY: env-dev
env-dev: ## the same, with what checks and tests need on top
	@deploy/make-env.sh dev

.PHONY: up
up: env ## start the embedded stack and leave it running
	@$(BOWERBIRD) up

.PHONY: down
down: env ## stop it; the data stay in var/
	@$(BOWERBIRD) down

.PHONY: erase
erase: env ## stop it and delete its data, after asking
	@$(BOWERBIRD) down --erase

.PHONY: status
status: env ## show what of it runs
	@$(BOWERBIRD) status

.PHONY: demo
demo: env ## start it and take a whole Values Week from evidence to verified badges
	@$(BOWERBIRD) demo

# Faults and whole runs mostly wait for what they killed, so the other tests run beside them, on ports of their own. Some
# more tests that start whole stacks make the halves of one length.
# Each half says whose line it is, as it comes: the first a line for each test, which take long, the second for each file.
STACKS = tests/integration/test_embedded_commands.py tests/integration/test_secured_stores.py
HALF = set -o pipefail; $(PYTHON) -m pytest $(1) 2>&1 | sed -u 's/^/$(2) | /'

.PHONY: test
test: env-dev ## every test, on a real MongoDB and a real Apache Kafka; two halves side by side
	@(export TEST_PORT_OFFSET=1500; $(call HALF,tests/unit tests/contract tests/integration $(STACKS:%=--ignore=%),parts)) & half=$$!; \
	($(call HALF,-v tests/e2e tests/faults $(STACKS),whole)); first=$$?; \
	wait $$half; second=$$?; \
	exit $$(( first || second ))

SIZE ?= 20000
KILLS ?= 100
SEED ?= 0
VICTIMS ?= evidence,issuer,verifier,notifier,mongodb,kafka,smtp

.PHONY: soak
soak: env-dev ## kill everything at random moments of SIZE pieces; KILLS, SEED and VICTIMS may be set; count what is lost
	$(PYTHON) -m tests.faults.soak --size $(SIZE) --kills $(KILLS) --seed $(SEED) --victims $(VICTIMS)

AWARDS ?= 10000

.PHONY: drill
drill: env-dev ## lose MongoDB amid uploads, restore, then lose Kafka, republish; hold both against an undisturbed run; AWARDS, SEED
	$(PYTHON) -m tests.faults.drill --awards $(AWARDS) --seed $(SEED)

.PHONY: alerts
alerts: env-dev ## break the running stack, one thing after the other, and see which alert fires and falls silent
	$(PYTHON) -m tests.faults.live_alerts

.PHONY: conformance
conformance: env ## serve the VC API for conformance suites on https://127.0.0.1:8443; print their configuration
	@$(BOWERBIRD) conformance --background

.PHONY: conformance-down
conformance-down: env ## stop it
	@$(BOWERBIRD) conformance-down

SIZES ?= 20000,100000
HALF_LOAD ?= 20

.PHONY: bench
bench: env ## measure the whole way of an award; writes var/bench/pipeline.json
	$(PYTHON) -m benchmarks.pipeline --sizes $(SIZES) --half-load-seconds $(HALF_LOAD)

CREDENTIALS ?= 2000000

.PHONY: bench-fill
bench-fill: env ## fill the stores with CREDENTIALS issued credentials, so that `make bench` meets them full
	$(PYTHON) -m benchmarks.fill --credentials $(CREDENTIALS)

.PHONY: bench-upload
bench-upload: env ## send a million rows in one upload, and watch memory stay flat; writes var/bench/upload.json
	$(PYTHON) -m benchmarks.upload

ROUNDS ?= 300

.PHONY: bench-engine
bench-engine: env ## measure signing and verifying alone; writes var/bench/engine.json
	$(PYTHON) -m benchmarks.engine $(ROUNDS)

.PHONY: bench-rules
bench-rules: env ## measure how many rules a second are held against evidence; writes var/bench/rules.json
	$(PYTHON) -m benchmarks.rules $(ROUNDS)

PAIRS ?= 5

.PHONY: bench-broken
bench-broken: env ## measure what a school without its key costs forty-nine others, PAIRS times; writes var/bench/broken-school.json
	$(PYTHON) -m benchmarks.broken_school --pairs $(PAIRS)

ROWS ?= 60000

.PHONY: bench-lanes
bench-lanes: env ## measure what a file of ROWS rows costs ten rows of another school; writes var/bench/fair-lanes.json
	$(PYTHON) -m benchmarks.fair_lanes --rows $(ROWS)

STORED ?= 20000

.PHONY: bench-stores
bench-stores: env ## measure the memory of backup, restore, republish and audit with STORED credentials and ten times so many
	$(PYTHON) -m benchmarks.store_commands --credentials $(STORED)

TRIES ?= 60

.PHONY: bench-attack
bench-attack: env ## measure what the worst anonymous requests cost, and search for worse ones by TRIES documents
	$(PYTHON) -m benchmarks.attack --tries $(TRIES)

.PHONY: check
check: env-dev ## style, types, secrets, licences, advisories, and whether generated documents are up to date
	@$(MAKE) --no-print-directory --jobs=2 check-types check-rest

# Takes twice as long as the rest, so they run side by side.
.PHONY: check-types
check-types:
	$(PYTHON) -m mypy

.PHONY: check-rest
check-rest:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(BOWERBIRD) contracts --check
	$(PYTHON) -m checks.secrets
	$(PYTHON) -m checks.licences
	$(PYTHON) -m checks.advisories

LOCK := $(PYTHON) -m uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url --no-header

.PHONY: lock
lock: env-dev ## pin what requirements/*.in name, with hashes
	for group in runtime embedded dev; do $(LOCK) requirements/$$group.in -o requirements/$$group.txt; done
