# What a person types. Needs make and Python 3.11 or newer with venv; the rest
# is installed into .venv, at the versions of constraints.txt.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
INSTALL := PYTHONWARNINGS='ignore:Editable installation' $(PIP) install --quiet --constraint constraints.txt

# Dozens of gateways are started as processes: compile what they load once.
COMPILED := PYTHONDONTWRITEBYTECODE=

# What the ledger, its users and the whole way do, whichever database it lies in.
ON_BOTH := $(filter-out %_postgresql.py,$(wildcard tests/unit/gateway/test_ledger_*.py)) \
	$(patsubst %,tests/unit/gateway/test_%.py,away campaigning_working receiving_committing receiving_intake \
	running_job_leases running_membership running_retention running_roles \
	running_timekeeping showing_choices showing_review stages_delivery \
	stages_grounding stages_pipeline stages_turn) \
	tests/acceptance/test_whole_way.py tests/acceptance/test_kill_and_restart.py

.PHONY: help audit-attacks demo test check bench coded-findings differential disk-faults \
	dockerfile-check evaluate-phantom failpoints fuzz golden kill-storm leaks ray-storm roles-storm \
	screenshots sizing soak \
	state-machine test-postgresql train-phantom validate-results viewer views
.DEFAULT_GOAL := help

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/run.stamp  ## Send a phantom study through the gateway; shows the result.
	@$(BIN)/maira-gateway demo --folder demo

test: .venv/dev.stamp  ## Run every test.
	$(COMPILED) $(BIN)/python -m pytest -n 3 --dist worksteal

test-postgresql: .venv/dev.stamp  ## Run the tests of ledger and pipeline on PostgreSQL (Debian: postgresql).
	$(COMPILED) LEDGER=postgresql $(BIN)/python -m pytest -n 4 --dist worksteal $(ON_BOTH)

check: .venv/dev.stamp  ## Format, lint, types, imports, licences, and the self-test.
	$(BIN)/python -m gate

bench: .venv/dev.stamp  ## Measure everything beside its peers, write docs/performance.md (Debian: dcmtk, orthanc).
	$(BIN)/python -m benchmarks.whole
	$(BIN)/python -m benchmarks.page

bench-audit: .venv/dev.stamp  ## Measure the console and the verifier on a million records of the audit (8 min).
	$(BIN)/python -m benchmarks.audit --rounds 3
	$(BIN)/python -m benchmarks.audit_verify
	$(BIN)/python -m benchmarks.page

sizing: .venv/dev.stamp  ## Hold the simulation against the gateway (22 min), simulate the sites, write docs/sizing.md.
	$(BIN)/python -m benchmarks.sizes
	$(BIN)/python -m benchmarks.simulation --check
	$(BIN)/python -m benchmarks.sizing
	$(BIN)/python -m benchmarks.page

soak: .venv/dev.stamp  ## Send N= studies through a whole gateway: nothing slows, grows or is lost.
	$(BIN)/python -m benchmarks.soak --studies $(or $(N),10000)
	$(BIN)/python -m benchmarks.page

viewer: .venv/run.stamp .peers/viewer.stamp  ## Send a phantom, look at it in OHIF (Debian: orthanc-dicomweb, npm).
	@$(BIN)/python -m viewer

validate-results: .venv/dev.stamp  ## Put 200 generated results before the validators (Debian: see .ci/run).
	$(BIN)/python -m tests.conformance

differential: .venv/dev.stamp  ## Compare the bytes that receiver and storescp store (Debian: dcmtk, libgdcm-tools).
	$(BIN)/python -m tests.differential

failpoints: .venv/dev.stamp  ## Kill a gateway at every named point, five times each.
	$(BIN)/python -m tests.faults.points

kill-storm: .venv/dev.stamp  ## Kill a gateway N= times at random, count the end; SEED= repeats.
	$(BIN)/python -m tests.faults.storm --kills $(or $(N),1000) --seed $(or $(SEED),1)

roles-storm: .venv/dev.stamp  ## Kill processes of all roles and the ledger's server while N= studies pass (Debian: orthanc, postgresql).
	$(BIN)/python -m tests.faults.roles --studies $(or $(N),2000) --kills $(or $(KILLS),200) --seed $(or $(SEED),1)

disk-faults: .venv/dev.stamp  ## Let the disk fail at call 1 to 60, hold the ledger 1, 10, 60 s (Debian: strace).
	$(BIN)/python -m tests.faults.disk

fuzz: .venv/fuzz.stamp  ## Fuzz what reads others' bytes, MINUTES= (10) for each TARGET= (all).
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) --target "$(TARGET)"

golden: .venv/dev.stamp  ## Run every golden answer through every fast path; the suite takes a sixth for each.
	GOLDEN_EVERY=1 $(BIN)/python -m pytest tests/integration/test_golden_parity.py

audit-attacks: .venv/dev.stamp  ## Attack 500 copies of an audit log, leave 100 honest ones alone; SEED= repeats.
	SEED=$(or $(SEED),54) ATTACKS=500 LOGS=100 $(BIN)/python -m pytest -q tests/integration/test_audit_attacks.py

ray-storm: .venv/dev.stamp  ## Kill and add replicas and nodes of a Ray cluster under load; FAULTS= (30), SEED=.
	FAULTS=$(or $(FAULTS),30) SEED=$(or $(SEED),1) REQUIRE_PEERS=1 \
		$(BIN)/python -m pytest -q -s tests/integration/test_ray_cluster.py

coded-findings: .venv/dev.stamp  ## Measure how well sentences are coded.
	$(BIN)/python -m benchmarks.coded_findings

leaks: .venv/dev.stamp  ## Count what 10,000 associations, 10,000 probes and 1,000 aborts leave.
	$(BIN)/python -m benchmarks.leaks

views: .venv/dev.stamp  ## Resolve the views of N= phantom studies under headers as real ones.
	$(BIN)/python -m benchmarks.views $(or $(N),2000)

screenshots: .venv/dev.stamp  ## Take pictures of every page of the console, for docs/images (Debian: chromium).
	$(BIN)/python -m tests.console

state-machine: .venv/dev.stamp  ## Faults in random order: 200 sequences of 30 steps; SEED=, SEQUENCES=, STEPS=.
	SEQUENCES=$(or $(SEQUENCES),200) STEPS=$(or $(STEPS),30) SEED=$(or $(SEED),43) PERMUTATIONS=500 \
		$(BIN)/python -m pytest -q -s tests/integration/test_one_result.py tests/integration/test_half_a_study.py

train-phantom: .venv/run.stamp  ## Train the phantom checkpoint anew (about an hour on one core).
	$(BIN)/python -m model.phantom.train --out model/phantom/checkpoint
	$(BIN)/python -m model.maira2.scanning model/phantom/checkpoint

evaluate-phantom: .venv/run.stamp  ## Score the phantom checkpoint; SEED= and N= choose the phantoms.
	@$(BIN)/python -m model.phantom.evaluate --seed $(or $(SEED),7) --n $(or $(N),200)

dockerfile-check: .venv/dev.stamp  ## Run the Dockerfile's steps in an empty Debian root.
	$(BIN)/python -m gate.image

.venv/run.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv; the first time takes some minutes."
	@$(INSTALL) pip setuptools
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(INSTALL) --no-build-isolation --editable '.[dev]'
	@touch $@

.venv/fuzz.stamp: .venv/dev.stamp
	@$(INSTALL) --no-build-isolation --editable '.[fuzz]'
	@touch $@

.peers/console.stamp: tests/console/package.json tests/console/package-lock.json
	@mkdir -p .peers/console
	@cp tests/console/package.json tests/console/package-lock.json .peers/console/
	@cd .peers/console && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.peers/viewer.stamp: viewer/package.json viewer/package-lock.json
	@mkdir -p .peers/viewer
	@cp viewer/package.json viewer/package-lock.json .peers/viewer/
	@cd .peers/viewer && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
