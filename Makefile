# The two commands of the README: `make demo` and `make test`. Each makes .venv if need be.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
UV_VERSION := 0.13.9
SCENES := demo/scenes/.complete
WEIGHTS := weights/tf_efficientnet_lite0.in1k.safetensors

.PHONY: install demo test test-fast coverage lint docs benchmark web-runtime check-page release clean

install: $(INSTALLED)

# The lock has a hash of every file; uv refuses any other.
$(INSTALLED): uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "humanseg needs Python 3.11 or newer; name one with: make PYTHON=python3.12 ..."; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv sync --frozen --active --compile-bytecode \
		--extra train --extra serve --extra hub --extra openvino --extra video --extra heic
	touch $@

$(WEIGHTS): | $(INSTALLED)
	$(BIN)/python examples/lite_weights.py 0 $@

# New scenes make a new comparison: an old one would be of other pictures.
$(SCENES): examples/demo.yaml Makefile | $(INSTALLED)
	rm -rf demo
	$(BIN)/humanseg data synthesize demo/scenes --count 540 --size 160 160 --seed 1 --clutter 0
	touch $@

demo: $(SCENES) $(WEIGHTS)
	$(BIN)/humanseg compare --data demo/scenes --config examples/demo.yaml --output demo/comparison

# One thread each: two processes share the cores better than two times two threads. In the order of
# tests/conftest.py: by itself xdist leaves the files of few and long tests to the end. Bytecode is
# kept whatever the surroundings say: hundreds of commands are started, which would compile anew.
PYTEST = PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest \
	-n 2 --dist loadfile --no-loadscope-reorder

test: $(INSTALLED)
	$(PYTEST)

test-fast: $(INSTALLED)
	$(PYTEST) -m unit

# Lines and branches of the package that no test reaches, commands that tests start included.
coverage: export COVERAGE_FILE = $(CURDIR)/build/coverage/data
coverage: COVERAGE = $(BIN)/python -m coverage
coverage: $(INSTALLED)
	rm -rf build/coverage && mkdir -p build/coverage
	$(subst -m pytest,-m coverage run -m pytest,$(PYTEST))
	$(COVERAGE) combine --quiet
	$(COVERAGE) html --quiet --directory build/coverage/html
	$(COVERAGE) json --quiet -o build/coverage/coverage.json
	$(COVERAGE) report --skip-covered

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

# Pages and generated reference as a site; a broken link or reference fails.
docs: $(INSTALLED)
	$(BIN)/python -m sphinx -c docs -b html -W --keep-going -n . build/site

benchmark: $(INSTALLED)
	$(BIN)/python -m benchmarks.training

# What the page's private mode runs on, fetched anew from the npm registry, its hash verified.
web-runtime: $(INSTALLED)
	$(BIN)/python examples/web_runtime.py

# Types of the page's modules, which JSDoc declares; needs node and the npm registry.
check-page:
	npx --yes --package typescript@5.9 tsc --noEmit --checkJs --allowJs --strict --target es2023 \
		--module esnext --moduleResolution bundler --lib es2023,dom,dom.iterable,dom.asynciterable \
		src/humanseg/serving/static/*.js

# Builds, tries and hashes; docs/release-checklist.md has what comes before and after.
release: $(INSTALLED)
	.ci/release

clean:
	rm -rf $(VENV) demo
