# Set-up is part of every target: a private environment in .venv, from the locks, on any Python from 3.11 on.

HOST ?= 127.0.0.1
PORT ?= 8080
COUNT ?= 100000
TRIALS ?= 50
STORE ?= sqlite
SYSTEM ?= rt
ARGS ?= -n auto
CORPUS ?= tests/probes

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11
PYTHON ?= $(shell for each in $(CANDIDATES); do \
	if $$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$each; break; fi; done)
BIN := .venv/bin
UV_COMPILE := uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate \
	--python-version 3.11 --custom-compile-command "make lock" pyproject.toml

.DEFAULT_GOAL := check
.PHONY: serve test lint types contracts check docs train compare evaluate lab lab-logs lock docker-lint fuzz \
	trials gateways ticketing clean

serve: .venv/runtime  ## Serve on HOST:PORT.
	$(BIN)/python -m service serve --host $(HOST) --port $(PORT) --with-runner

test: .venv/dev  ## Run all tests.
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/dev  ## Check style and form.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev  ## Check types.
	$(BIN)/mypy

contracts: .venv/dev  ## Check who imports whom.
	$(BIN)/lint-imports

docker-lint: .venv/dev  ## Check the Dockerfile.
	$(BIN)/hadolint Dockerfile

check: test lint types contracts docker-lint  ## Everything that must hold.

fuzz: .venv/dev  ## Send COUNT mutated bounces; none may be answered by a 5xx.
	$(BIN)/python tests/fuzz.py --count $(COUNT)

trials: .venv/dev  ## Kill workers, runners and services in TRIALS runs while they triage; STORE is sqlite or postgresql.
	$(BIN)/python tests/trials.py --trials $(TRIALS) --store $(STORE)

gateways: .venv/dev  ## Run real Postfix, Exim, rspamd and Dovecot against the service, in WORK; needs root on Debian.
	@test -n "$(WORK)" || { echo "Name a scratch folder with WORK=..." >&2; exit 64; }
	$(BIN)/python tests/real/gateways/trial.py $(WORK)

ticketing: .venv/dev  ## Run a real SYSTEM (rt, roundup, redmine) against the service, in WORK; needs root on Debian.
	@test -n "$(WORK)" || { echo "Name a scratch folder with WORK=..." >&2; exit 64; }
	WORK=$(WORK) tests/real/$(SYSTEM).sh

docs: .venv/dev  ## Write the pages that are made from code.
	$(BIN)/python -m service.settings > docs/settings.md
	$(BIN)/python -m training.datacard > training/data/README.md
	$(BIN)/python -m service.triage.rows > docs/triage-columns.md

train: .venv/dev  ## Train the shipped classifier anew.
	$(BIN)/ndr-train train

compare: .venv/dev  ## Compare ways to classify.
	$(BIN)/ndr-train compare

evaluate: .venv/dev  ## Score the labelled bounces in CORPUS, with a page and JSON in build/.
	@mkdir -p build
	$(BIN)/ndr-train evaluate $(CORPUS) --html build/evaluation.html --json build/evaluation.json

lab: .venv/dev  ## Make genuine reports with real mail systems, in WORK; needs root on Debian.
	@test -n "$(WORK)" || { echo "Name a scratch folder with WORK=..." >&2; exit 64; }
	$(BIN)/python -m training.lab --work $(WORK) --out training/data/lab

lab-logs: .venv/dev  ## Keep the logs of real Postfix and Exim, in WORK; needs root on Debian.
	@test -n "$(WORK)" || { echo "Name a scratch folder with WORK=..." >&2; exit 64; }
	$(BIN)/python -m training.lab.logs --work $(WORK) --out training/data/lab/logs

lock:  ## Resolve the dependencies anew; needs uv.
	$(UV_COMPILE) -o requirements.lock
	$(UV_COMPILE) --extra lmtp --extra postgresql -c requirements.lock -o requirements-image.lock
	$(UV_COMPILE) --group dev --extra cluster --extra lmtp --extra postgresql --extra train -c requirements.lock -o requirements-dev.lock

clean:  ## Remove the private environment.
	rm -rf .venv

.venv/made:
	@test -n "$(PYTHON)" || { echo "No Python from 3.11 on was found; name one with PYTHON=..." >&2; exit 69; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is too old; Python from 3.11 on is needed" >&2; exit 69; }
	$(PYTHON) -m venv .venv
	@touch $@

.venv/runtime: .venv/made requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

.venv/dev: .venv/runtime requirements-dev.lock pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
