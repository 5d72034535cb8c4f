# make run    set everything up, index index/documents/, open the chat on 127.0.0.1:7860
# make test   set everything up, run every test but the live ones (real models, real browser)
# make check  format, lint, types, docstrings     make eval, make bench   measure
# make baselines   what others make of the same questions: takes an hour
# make gate   25 questions, loose bounds: has something broken?
# make torture  kill a writing process at 200 random moments (KILLS=1000: as many)
# make bench-page   of `make bench`, the page alone    make screenshots   take the README's pictures
# make setup  install only      make lock   pin anew     make clean   delete what tools left
#
# PYTHON=python3.12        the Python to build .venv with (3.11 or newer)
# PIP_EXTRA="--extra-index-url https://download.pytorch.org/whl/cpu"
#                          where pip also looks; this one offers torch's small CPU build
# ARGS="--limit 20"        passed on to qa by run, eval, gate, baselines and bench, to pytest by test

PYTHON ?= python3
PIP_EXTRA ?=
ARGS ?=
KILLS ?= 200
BIN := .venv/bin
INSTALL = $(BIN)/python -m pip install --constraint constraints.txt $(PIP_EXTRA)

.PHONY: run setup test torture check eval baselines gate bench bench-page screenshots lock clean help

run: .venv/installed
	$(BIN)/qa serve $(ARGS)

setup: .venv/installed

test: .venv/installed-dev
	$(BIN)/pytest $(ARGS)

torture: .venv/installed-dev
	TORTURE_KILLS=$(KILLS) $(BIN)/pytest tests/test_store_killed.py

check: .venv/installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@echo "pydoclint: a parameter may go undescribed, but what is described must exist"
	@$(BIN)/pydoclint --quiet --show-filenames-in-every-violation-message True src/qa eval/qa_eval 2>&1 \
	  | awk '/^$$/ || /DOC101|DOC201|DOC402/ || (/DOC103/ && !/the docstring but not/) {next} {print; bad = 1} \
	    END {exit bad}'

# The held-out set, the embedded model: the README's table. ARGS="--data eval/dev.jsonl" asks another.
eval: .venv/installed-dev
	$(BIN)/qa eval --backend embedded --data eval/test.jsonl $(ARGS)

# The same table's rows of other methods; LlamaIndex's engine reads for long, so it is asked a part.
baselines: .venv/installed-dev
	for name in bm25 dense; do \
	  $(BIN)/qa eval --backend embedded --data eval/test.jsonl --baseline $$name $(ARGS) || exit; done
	for name in citation-64 citation-512; do \
	  $(BIN)/qa eval --backend embedded --data eval/test.jsonl --baseline $$name \
	    --limit 60 --seed 1 $(ARGS) || exit; done

# Asks anew each time; a run that was stopped goes on with the command that it prints.
gate: .venv/installed-dev
	rm -rf eval/results/gate
	$(BIN)/qa eval --backend embedded --gate eval/gate.json $(ARGS)

# The page's figures come last; they need a browser.
bench: .venv/installed-dev
	$(BIN)/qa bench $(ARGS)
	$(BIN)/python tests/e2e/bench_page.py

bench-page: .venv/installed-dev
	$(BIN)/python tests/e2e/bench_page.py

# Asks the real assistant in a real browser: takes minutes.
screenshots: .venv/installed-dev
	$(BIN)/python tests/e2e/screenshots.py docs/images

# Resolves every dependency anew in an empty environment and pins what was installed.
lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install $(PIP_EXTRA) ".[embedded,encoder,mcp,dev,eval,train]"
	{ sed -n '/^#/p' constraints.txt; build/lock/bin/python -m pip freeze --all --exclude pip \
	  --exclude qa-sentence-citations | sed 's/^\(torch==[^+]*\)+.*/\1/'; } > build/constraints.txt
	mv build/constraints.txt constraints.txt && rm -rf build/lock

# The environment, the index and the models stay: they take minutes to make.
clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src eval tests -name __pycache__ -type d -prune -exec rm -rf {} +

help:
	@sed -n '/^\#/!q;s/^\# \{0,1\}//p' Makefile

# A stamp is newer than what it was installed from, so a second start installs nothing.
.venv/installed: pyproject.toml constraints.txt | $(BIN)/pip
	$(INSTALL) --editable ".[embedded,encoder]"
	@touch $@

.venv/installed-dev: pyproject.toml constraints.txt | .venv/installed
	$(INSTALL) --editable ".[embedded,encoder,mcp,dev,eval]"
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." \
	    "Name another one: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
