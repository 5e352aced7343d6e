VENV ?= .venv
PYTHON ?= python3
BIN := $(abspath $(VENV))/bin
STAMP := $(VENV)/.installed

.PHONY: demo test test-long lint bench schema clean

# The main job on a task that comes with the package: search three minutes for this machine, export the knee.
demo: $(STAMP)
	rm -rf demo && mkdir demo
	cd demo && $(BIN)/automl-kd search --task cluttered-digits --space tiny_resnet --hw local --budget 3m
	cd demo && $(BIN)/automl-kd export --pick knee --out winner

test: $(STAMP) lint
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# The checks that make test samples, in full.
test-long: $(STAMP)
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m long

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python -m benchmarks.overhead

# What docs/schema says of the JSON that verbs print.
schema: $(STAMP)
	$(BIN)/python -m automl_kd.studies.schema docs/schema

clean:
	rm -rf demo build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# torch first and exact: a range would bring gigabytes of CUDA libraries to a machine without a GPU.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
