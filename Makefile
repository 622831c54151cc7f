# Every target prepares what it needs by itself: `make demo` or `make test` is all a fresh machine has to be told.
SHELL := /bin/bash
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/.venv/bin:$(PATH)
export LC_ALL := C.UTF-8
export PYTHONUNBUFFERED := 1
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.cache/collections
export MOLECULE_GLOB := molecule/*/molecule.yml
# Read by tests/tools and the lab: make scenarios SCENARIO=default PODSHIFT_LAB=container, make test SEED=1 SAMPLE=30.
HOSTILE ?= 600
export SCENARIO FRESH KEEP SEED SAMPLE PYTHON PODSHIFT_LAB

.PHONY: help setup demo test check sanity units generators scenarios bench crash hostile build docs format clean

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

setup: ## Install system packages, .venv and the collection path (all targets do this first)
	@tests/tools/setup.sh

demo: setup ## Migrate a real application from Docker to Podman on a disposable machine
	@python lab/demo.py

test: setup ## What CI runs: check, sanity, generators, scenario `default`; chosen by SEED: three Pythons for units, SAMPLE minutes of other scenarios, four cases of `crash`
	@python tests/tools/run.py check sanity generators default sample

check: setup ## The fast part: lint, types, documentation, build, unit tests
	@python tests/tools/run.py check

sanity: setup ## ansible-test sanity
	@python tests/tools/run.py sanity

units: setup ## ansible-test units, on every supported Python found here
	@python tests/tools/run.py units

generators: setup ## The units of plans, as the Quadlet generators of Podman 5.4 and 5.8 and systemd read them
	@python tests/tools/run.py generators

scenarios: setup ## All molecule scenarios, or SCENARIO=name; passed ones are not repeated (FRESH=1: they are; KEEP=1: leave the machines running)
	@python tests/tools/run.py scenarios

build: setup ## The collection's archive, into .cache/build
	@python tests/tools/run.py build

bench: setup ## Benchmarks, side by side in one run, or BENCH="plan volumes large images downtime"; ratios go to .cache/bench.json
	@PYTHONPATH=.cache/collections:lab:tests/crash python tests/benchmark/bench.py $(BENCH)

crash: setup ## Cut moves off at every point, on a machine; CRASH="--sample 5", CRASH=--faults, CRASH="--from COMMIT", CRASH="power podman", CRASH="--write 3600", KEEP=1
	@PYTHONPATH=.cache/collections python tests/crash/matrix.py $(CRASH)

hostile: setup ## A container that exchanges names of its volume while it is staged, for HOSTILE=600 seconds each, with this machine's rsync and with 3.2 where apt has it
	@mkdir -p .cache/rsync; cd .cache/rsync; test -x usr/bin/rsync || { apt-get -q download 'rsync=3.2.*' && dpkg-deb -x rsync_*.deb .; } || true
	@HOSTILE_SECONDS=$(HOSTILE) HOSTILE_RSYNC=$$(echo $(CURDIR)/.cache/rsync/usr/bin) pytest -q tests/unit/plugins/module_utils/_volumes/test_hostile_container.py

docs: setup ## docs/field-coverage.md from the tables
	@python tests/tools/field_coverage.py

format: setup ## Let ruff format and fix the Python files
	@ruff check -q --fix . ; ruff format .

clean: ## Remove .venv and .cache
	rm -rf .venv .cache
