# SPDX-License-Identifier: GPL-3.0-or-later
# Every command of the project; `make help` lists them.
SHELL := /bin/bash -euo pipefail
.DEFAULT_GOAL := help
LAB_HOME ?= /var/lib/xraylab
LAB_CACHE ?= /var/cache/xraylab
export LAB_HOME LAB_CACHE
# The virtual environment lies in the cache, keyed by the requirements; recipes ask for it when they run.
IN_VENV = export PATH="$$(lab/venv):$$PATH" &&

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/\1\t\2/' | column -ts "$$(printf '\t')"

lab: ## bring up the lab, run site.yml on it and send X-rays through it; safe to repeat
	@lab/up
	@$(IN_VENV) lab/deploy

lab-down: ## stop the lab; WIPE=1 also removes its state
	@WIPE=$(WIPE) lab/down

lab-status: ## what runs in the lab and what it uses
	@lab/status

check: ## lint, sanity and unit tests (minutes; needs no lab)
	@$(IN_VENV) tests/check

test: check ## everything: check, then the lab, the roles' molecule scenarios and the end-to-end tests
	@lab/up
	@$(IN_VENV) lab/deploy
	@$(IN_VENV) tests/lab

bench: ## figures of a running lab, printed as ratios
	@$(IN_VENV) python tests/bench/lab.py

train: ## train the model on ../shared/data (XRAYLAB_DATA) and write model.onnx
	@files/model_service/train

.PHONY: help lab lab-down lab-status check test bench train
