# `make` lists the targets. GNU make 3.81 (macOS) is enough; no system package is needed beyond make, git and Python.
# Settings: PYTHON=/path/to/python3  CUDA=1 (Linux with an NVIDIA GPU; CUDA=0 goes back)  S=study
.DEFAULT_GOAL := help
.PHONY: help setup repro verify pull study estimate report test lint lock

BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
export PYTHONUNBUFFERED := 1
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

backend = $(if $(CUDA),$(if $(filter 0,$(CUDA)),cpu,cuda))
UV_COMPILE = uv pip compile -q --universal --generate-hashes --python-version 3.11 --fork-strategy fewest \
	--no-header --no-emit-index-url --no-emit-find-links

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## make .venv from the pinned and hashed requirements (at once when it is there)
	@sh tools/setup.sh $(backend)

repro: setup ## run every stage that is not up to date and show the results; only the student is pulled
	@bash tools/repro.sh

verify: setup ## recompute everything in a scratch copy of HEAD, without cache, and compare every output with dvc.lock
	@$(BIN)/python -m tools.verify

pull: setup ## bring every output from the embedded remote, with no account
	@$(BIN)/dvc pull

study: setup ## run another study: make study S=job
	@$(BIN)/python -m tools.study "$(S)"

estimate: setup ## what a study's models will cost, before the first call: make estimate S=NAME
	@$(BIN)/python -m tools.estimate "studies/$(S).yaml" "data/$(S)/problems.jsonl"

report: setup ## bring the report up to date and say where it lies
	@$(BIN)/python -m tools.dvc repro report && $(BIN)/python -m tools.show_results where

test: setup ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

lint: setup ## ruff, mypy, and what may not be committed
	@$(BIN)/ruff check && $(BIN)/ruff format --check && $(BIN)/mypy && $(BIN)/python -m tools.check_repo

lock: ## compile requirements*.in again (needs uv); versions move only with UPGRADE=1
	$(UV_COMPILE) $(if $(UPGRADE),--upgrade) requirements-dev.in -o requirements-dev.txt
	cp requirements-dev.txt requirements.txt
	$(UV_COMPILE) requirements.in -o requirements.txt
	cp requirements-dev.txt requirements-cuda.txt
	$(UV_COMPILE) requirements-dev.in --override requirements-cuda.in -o requirements-cuda.txt
