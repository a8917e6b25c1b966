# Two commands do all: `make demo` shows Foreshock at work, `make test` runs the tests. Everything lives in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8470
SEED ?= 1
.DEFAULT_GOAL := help
.PHONY: help demo run test check lint bench chaos fuzz accuracy sentiment lock clean

help: ## say what can be made
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

demo: $(VENV)/run.stamp ## play a simulated crisis through the whole service (STAY=1 stays up, SEED=n, PORT=n)
	@$(BIN)/foreshock demo --seed $(SEED) --port $(PORT) $(if $(STAY),--stay)

run: $(VENV)/run.stamp ## run the service on the embedded store
	@$(BIN)/foreshock serve --port $(PORT) $(if $(wildcard foreshock.yaml),--config foreshock.yaml)

test: $(VENV)/dev.stamp ## run the tests (JOBS=2: two files at a time)
	@$(BIN)/pytest $(if $(JOBS),-n $(JOBS) --dist loadfile)

check: lint test ## all that CI runs

lint: $(VENV)/dev.stamp ## format, lint, types, and the rooms' rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

bench: $(VENV)/run.stamp ## measure the way in
	@$(BIN)/foreshock bench ingest

chaos: $(VENV)/dev.stamp ## kill everything for half an hour, count, and write RELIABILITY.md
	@$(BIN)/python -m tests.chaos

accuracy: $(VENV)/dev.stamp ## measure detection beside other tools, and write ACCURACY.md (DATA=folder of series)
	@$(BIN)/python -m service.bench.accuracy $(if $(DATA),--data $(DATA))

sentiment: $(VENV)/dev.stamp ## measure how well anger is told, and write SENTIMENT.md (DATA=folder of texts)
	@$(BIN)/python -m service.bench.sentiment_card $(if $(DATA),--data $(DATA))

fuzz: $(VENV)/dev.stamp ## annotate a million texts of any kind
	@$(BIN)/pytest -m slow tests/collectors/test_annotate_fuzz.py

lock: ## pin what pyproject.toml allows, with hashes (needs uv)
	uv pip compile -q --universal --no-emit-index-url --no-emit-find-links --generate-hashes --no-header pyproject.toml -o requirements.lock
	uv pip compile -q --universal --no-emit-index-url --no-emit-find-links --generate-hashes --no-header --extra dev pyproject.toml -o requirements-dev.lock

clean: ## forget the virtual environment
	rm -rf $(VENV)

$(VENV)/pip.stamp:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Foreshock needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing). Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Foreshock needs Python's venv module (on Debian: apt install python3-venv)." >&2; exit 2; }
	@touch $@

$(VENV)/run.stamp: $(VENV)/pip.stamp requirements.lock pyproject.toml
	@$(call install,requirements.lock)
	@touch $@

$(VENV)/dev.stamp: $(VENV)/pip.stamp requirements-dev.lock pyproject.toml
	@$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/run.stamp

define install
echo "installing what $(1) names into $(VENV) ..."; \
{ $(BIN)/pip install -q --disable-pip-version-check --require-hashes -r $(1) && \
  $(BIN)/pip install -q --disable-pip-version-check --no-deps -e . ; } || { \
  echo "Foreshock could not be installed: the package index could not be reached, or has no package for this machine; the lines above say which." >&2; exit 2; }
endef
