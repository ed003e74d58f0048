# Each target does all of its own set-up in .venv. `make help` lists them.
PYTHON  ?= python3
BIN     := .venv/bin
STAMP   := .venv/.set-up
WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); if [ $$n -lt 2 ]; then echo 2; elif [ $$n -gt 4 ]; then echo 4; else echo $$n; fi)

# No library looks for its own newer version.
export NO_ALBUMENTATIONS_UPDATE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help setup demo test tutorials export readme

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## .venv with the library (editable) and all that its development needs

$(STAMP): pyproject.toml settings.ini setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ocean-fastai needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Setting up .venv (some minutes and gigabytes the first time)"
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## draw, train, evaluate, export and predict, in minutes; OUT=folder says where
	$(BIN)/ocean-fastai demo $(if $(OUT),--out '$(OUT)')

# One thread a worker, which keeps the memory that it freed (as `fast_cpu` does, for the processes that it starts too):
# the notebooks run side by side, then the tests of pages and package beside the others.
test: export OMP_NUM_THREADS = 1
test: export OPENCV_FOR_THREADS_NUM = 1
test: export HF_HUB_OFFLINE = 1
test: export MALLOC_MMAP_MAX_ = 0
test: export MALLOC_TRIM_THRESHOLD_ = 2147483647
test: export MALLOC_TOP_PAD_ = 67108864
PAGES := $(addprefix tests/test_,detector.py notebooks.py package.py reference.py review.py site.py structure.py tutorials.py)
test: $(STAMP) ## every notebook, then the tests that no notebook can hold; WORKERS=n at once
	$(BIN)/nbdev-test --do-print --n-workers $(WORKERS)
	$(BIN)/python -m pytest $(PAGES) & first=$$!; \
	  $(BIN)/python -m pytest $(addprefix --ignore=,$(PAGES)); second=$$?; wait $$first && exit $$second

tutorials: $(STAMP) ## run the tutorials at full size, as a reader would, and keep what they show
	HF_HUB_OFFLINE=1 $(BIN)/python tools/tutorials.py

export: $(STAMP) ## after a change to a notebook: modules, clean notebooks, README.md, the command line's reference, llms.txt
	$(BIN)/nbdev-export
	$(BIN)/nbdev-clean
	$(BIN)/python tools/readme.py
	$(BIN)/python tools/commands.py
	$(BIN)/python tools/llms.py

readme: $(STAMP) ## README.md alone, from nbs/index.ipynb
	$(BIN)/python tools/readme.py
