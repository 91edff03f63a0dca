# Every task of a developer and every part of CI by its name; `make` lists them.
PYTHON ?= python3
VENV ?= .venv
LOCK_VENV ?= .venv-lock
PACKAGE_VENV ?= .venv-package
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help setup test fast lint format types layers environments oldest-pair vmcost-oracle airflow
.PHONY: bench ci docs lock hooks package pictures

help:  ## list the targets
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-14s %s\n", $$1, $$2 }'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

setup: $(BIN)/python  ## r2d2 and all that its tests need, in .venv
	$(BIN)/pip install -q -e '.[test]'

test:  ## all tests that this machine can run
	$(BIN)/python -m pytest -q

fast:  ## the tests that end in a minute, without a JVM
	$(BIN)/python -m pytest -q -m fast

lint:  ## style: ruff's rules and its formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format:  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types:  ## mypy --strict
	$(BIN)/mypy

layers:  ## import-linter: each layer knows only those below it
	$(BIN)/lint-imports

docs:  ## the docs as HTML in build/docs; a warning fails
	$(BIN)/python -m tools.docs

environments:  ## set up what the next three need, without running them
	tests/oldest_pair --set-up
	tests/vmcost/oracle --set-up
	tests/airflow_dag --set-up

oldest-pair:  ## the shared engine tests on the oldest pyspark and delta-spark, in .venv-oldest
	tests/oldest_pair

vmcost-oracle:  ## event logs beside an independent reader's figures, in .venv-oracle
	tests/vmcost/oracle

airflow:  ## the DAG in a real Airflow, in .venv-airflow
	tests/airflow_dag

bench:  ## r2d2 beside DuckDB on the same lakes
	$(BIN)/python -m benchmarks

ci:  ## everything that a change must pass
	.ci/run

lock:  ## make requirements.lock anew from pyproject.toml
	test -x $(LOCK_VENV)/bin/uv || $(PYTHON) -m venv $(LOCK_VENV)
	$(LOCK_VENV)/bin/pip install -q 'uv==0.13.9'
	$(LOCK_VENV)/bin/uv pip compile -q pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --upgrade --output-file requirements.lock

pictures:  ## the tutorial's pictures of the page, taken anew
	$(BIN)/python -m tools.pictures

package:  ## wheel, sdist and SBOM (CycloneDX) in dist/, their metadata checked
	test -x $(PACKAGE_VENV)/bin/twine || $(PYTHON) -m venv $(PACKAGE_VENV)
	$(PACKAGE_VENV)/bin/pip install -q build==1.6.1 twine==7.0.0 cyclonedx-bom==7.5.0 uv==0.13.9
	rm -rf dist
	$(PACKAGE_VENV)/bin/pyproject-build -q .
	$(PACKAGE_VENV)/bin/twine check --strict dist/*
	$(PACKAGE_VENV)/bin/uv pip compile -q pyproject.toml --extra all --universal --python-version 3.11 \
	  -c requirements.lock --generate-hashes --no-emit-index-url --no-header | \
	  $(PACKAGE_VENV)/bin/cyclonedx-py requirements --pyproject pyproject.toml --mc-type library \
	  --output-reproducible -o dist/r2d2_lake.cdx.json -

hooks:  ## run ruff and mypy before each commit
	$(PYTHON) -m venv $(VENV)-hooks
	$(VENV)-hooks/bin/pip install -q 'pre-commit>=4,<5'
	$(VENV)-hooks/bin/pre-commit install
