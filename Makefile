# make run    set up, then compute everything that is missing
# make test   set up, then linters and tests
# make .venv  set up alone

export PATH := $(CURDIR)/.venv/bin:$(PATH)
STAMP := .venv/complete

.PHONY: run test lint

run: $(STAMP)
	snakemake --cores all --resources gpu=1

test: $(STAMP) lint
	python -m pytest

lint: $(STAMP)
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint

.venv: $(STAMP)
.PHONY: .venv

$(STAMP): requirements.lock pyproject.toml setup.py envs/venv.sh envs/link_libusb.py $(wildcard st3d/native_src/*)
	sh envs/venv.sh
	touch $@
