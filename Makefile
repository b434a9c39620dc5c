# make run    set up, then compute everything that is missing, Table 1 first
# make test   set up, then linters and tests
# make bench  every kernel beside a plain reference: results/benchmarks.csv, docs/performance.md (ten minutes or so)
# make fuzz   damaged files for every reader, 2,000 each: docs/reliability.md (half an hour or so)
# make chaos  a tiny study under 100 kills, full disks, clock jumps and more (an hour or so); see docs/reliability.md
# make audit  the pinned packages beside the list of known vulnerabilities, which needs a network
# make triton the GPU kernels in Triton's interpreter, which needs no GPU
# make docs   the documentation as a site: site/index.html
# make .venv  set up alone

export PATH := $(CURDIR)/.venv/bin:$(PATH)
STAMP := .venv/complete

.PHONY: run test lint bench fuzz chaos audit triton docs

# Jobs that would use a GPU run one at a time on one GPU. Without a GPU they are CPU jobs of one thread, one a core.
GPUS := $(if $(wildcard /dev/nvidia0),1,$(shell nproc 2>/dev/null || echo 1))

run: $(STAMP)
	snakemake --cores all --resources gpu=$(GPUS) --prioritize table1

test: $(STAMP) lint
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

bench: $(STAMP)
	python -m benchmarks

fuzz: $(STAMP)
	python -m reliability fuzz

chaos: $(STAMP)
	python -m reliability chaos

audit:
	python3 -m venv .audit
	.audit/bin/python -m pip install --quiet pip-audit
	.audit/bin/pip-audit --strict --require-hashes --disable-pip --requirement requirements.lock --requirement requirements-cuda.lock

triton: $(STAMP)
	python -m pip install --quiet --editable '.[triton]' --no-build-isolation
	python -m pytest tests/kernels/test_aggregation_triton.py tests/kernels/test_nearest_triton.py

docs: $(STAMP)
	rm -rf site
	sphinx-build --fail-on-warning --keep-going --quiet docs site

lint: $(STAMP)
	ruff check .
	ruff format --check .
	mypy
	snakefmt --check Snakefile rules
	snakemake --lint

.venv: $(STAMP)
.PHONY: .venv

$(STAMP): requirements.lock requirements-cuda.lock envs/packages.sh pyproject.toml setup.py envs/venv.sh $(wildcard st3d/kernels/src/*)
	sh envs/venv.sh
	touch $@
