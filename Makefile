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

test: check ## everything: check, then the lab, the roles' molecule scenarios with olm-test beside them, and the end-to-end tests
	@lab/up
	@$(IN_VENV) lab/deploy
	@$(IN_VENV) tests/lab

olm-test: ## olm_operator and the role operators on a real OLM of their own (needs no lab; builds OLM once)
	@$(IN_VENV) tests/olm/run

hub-test: ## managed_facility, its role and the inventory plugin on a real hub of their own (needs no lab; builds OCM once)
	@$(IN_VENV) python -m pytest -q tests/hub

matrix: ## sanity, the plugins' unit tests and the playbooks' syntax on each ansible-core from 2.16 to 2.21
	@$(IN_VENV) tests/matrix

bench: ## figures of the function, the gallery and of a running lab, printed as ratios
	@$(IN_VENV) python tests/bench/function.py
	@$(IN_VENV) python tests/bench/service.py
	@$(IN_VENV) python tests/bench/gallery.py
	@$(IN_VENV) python tests/bench/lab.py
	@$(IN_VENV) python tests/bench/flow.py

dashboards: ## write the JSON of Grafana's dashboards anew from files/dashboards
	@$(IN_VENV) cd files/dashboards && python -m dashboards

pictures: ## draw the dashboards from the running lab's data into docs/images
	@$(IN_VENV) XRAYLAB_SCREENSHOTS=docs/images python -m pytest -q tests/e2e/test_dashboards.py

train: ## train the model on ../shared/data (XRAYLAB_DATA) and write model.onnx
	@files/model_service/train

.PHONY: help lab lab-down lab-status check test olm-test hub-test matrix bench dashboards pictures train
