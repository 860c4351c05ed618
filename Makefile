# `make` lists the targets. GNU make 3.81 (macOS) is enough; no system package is needed beyond make, git and Python.
# Settings: PYTHON=/path/to/python3  CUDA=1 (Linux with an NVIDIA GPU; CUDA=0 goes back)  S=study  FORCE=1
.DEFAULT_GOAL := help
.PHONY: help setup repro verify claim pull push status study new-study check estimate report page plots diff crate tidy test lint lock export review remote

BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export TOKENIZERS_PARALLELISM := false
export PYTHONUNBUFFERED := 1
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
# names reach Python as text: neither make nor the shell expands what is in them
override S := $(value S)
override FORCE := $(value FORCE)
override REV := $(if $(filter command,$(origin REV)),$(value REV))
override NAME := $(if $(filter command,$(origin NAME)),$(value NAME))
override FROM := $(if $(filter command,$(origin FROM)),$(value FROM))
override A := $(if $(filter command,$(origin A)),$(value A))
override B := $(if $(filter command,$(origin B)),$(value B))
override C := $(if $(filter command,$(origin C)),$(value C))
override RUN := $(if $(filter command,$(origin RUN)),$(value RUN))
override TO := $(if $(filter command,$(origin TO)),$(value TO))
override OUT := $(if $(filter command,$(origin OUT)),$(value OUT))
override URL := $(if $(filter command,$(origin URL)),$(value URL))
override ENDPOINT := $(if $(filter command,$(origin ENDPOINT)),$(value ENDPOINT))
export S NAME FROM REV FORCE A B C RUN TO OUT URL ENDPOINT

backend = $(if $(CUDA),$(if $(filter 0,$(CUDA)),cpu,cuda))
UV_COMPILE = uv pip compile -q --universal --generate-hashes --python-version 3.11 --fork-strategy fewest \
	--no-header --no-emit-index-url --no-emit-find-links

# a killed `make study` leaves its params.yaml: any target puts the original back
ifneq ($(wildcard .work/params.yaml.active),)
restored := $(shell $(BIN)/python -m tools.activation)
endif

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: ## make .venv from the pinned and hashed requirements (at once when it is there)
	@sh tools/setup.sh $(backend)

repro: setup ## run every stage that is not up to date and show the results; FORCE=1: also those that are; only the student is pulled
	@$(BIN)/python -m tools.repro $(if $(filter-out 0,$(FORCE)),--force)

verify: setup ## recompute everything in a scratch copy of HEAD, without cache, and compare every output with dvc.lock
	@$(BIN)/python -m tools.verify

claim: setup ## a claim, what was found and what it rests on: make claim C=NAME; RUN=1, grade, sample, train or all: compute it again and compare
	@$(BIN)/python -m tools.claim "$$C" "$$S" "$$RUN"

pull: setup ## bring every output from the remote: the embedded one, with no account, or that of make remote; S=NAME: of another study
	@$(BIN)/python -m tools.study pull "$$S"

push: setup ## put every output into the remote; the embedded one is committed with dvc.lock; S=NAME: of another study
	@$(BIN)/python -m tools.study push "$$S"

remote: setup ## pull and push by a server of yours: make remote URL=s3://bucket/prefix ENDPOINT=https://...; alone: check the one in use
	@$(BIN)/python -m tools.set_remote "$$URL" "$$NAME" "$$ENDPOINT"

status: setup ## say what is not up to date; S=NAME: of another study
	@$(BIN)/python -m tools.study status "$$S"

study: setup ## run another study and leave all others as they are: make study S=job; FORCE=STAGE: that stage first, up to date or not
	@$(BIN)/python -m tools.study run "$$S" $(if $(FORCE),"$$FORCE")

new-study: setup ## begin a study of your own: make new-study NAME=x, of a table of yours, or of a folder of exams: make new-study NAME=x FROM=table.csv
	@$(BIN)/python -m tools.new_study "$$NAME" "$$FROM"

check: setup ## check a study file, without running anything: make check S=job
	@$(BIN)/python -m tools.check_study "$$S"

estimate: setup ## what a study's models will cost, before the first call: make estimate S=NAME
	@$(BIN)/python -m tools.estimate "$$S"

review: setup ## one offline page to look at a study's items: make review S=NAME; FROM=file: what it saved, put into the study file
	@$(BIN)/python -m tools.review "$$S" "$$FROM"

report: setup ## bring the report up to date and say where it lies
	@$(BIN)/python -m tools.repro report

page: setup ## bring the page for a browser up to date and say where it lies; S=NAME: of another study
	@$(BIN)/python -m tools.page "$$S"

plots: setup ## draw the plots as one page that needs no network; REV=HEAD~1: beside those of a revision
	@$(BIN)/python -m tools.plots "$$REV"

diff: setup ## what moved and matters between two revisions: make diff A=HEAD~1; B=REV: that one, not the workspace; S=NAME: one study
	@$(BIN)/python -m tools.diff "$$A" "$$B" "$$S"

export: setup ## an adapter for other engines, with its card: make export S=mini A=r1-1 TO=peft, merged or gguf; A=r1 TO=data: the corpus
	@$(BIN)/python -m tools.export $(if $(OUT),--out "$$OUT") --to "$$TO" -- "$$S" "$$A"

crate: setup ## describe the committed run as a Workflow Run RO-Crate: ro-crate-metadata.json
	@$(BIN)/python -m tools.ro_crate

tidy: setup ## remove the files of arms and seeds that no longer run; lists what it removes
	@$(BIN)/python -m tools.tidy

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
