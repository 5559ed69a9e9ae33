# Each target does all its set-up: a fresh Debian 12 needs git, make, python3-venv and Python 3.11.

PYTHON ?= python3
BIN := .venv/bin
N ?= 5000

.PHONY: demo test property bench gpu notebooks clean

demo: .venv/simcore.installed
	$(BIN)/simcore run studies/ttft_slo.yaml --out runs/demo

test: .venv/test.installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n auto --dist worksteal

# Macro-steps, one event per iteration and independent references, bit for bit, on N random workloads: plain runs, then
# runs with the mechanisms of docs/mechanisms.md drawn together.
property: .venv/test.installed
	$(BIN)/python -m tests.property.run --n $(N)
	$(BIN)/python -m tests.property.cluster.run --n $(N)

# CPU time and ratios; the ten million requests: $(BIN)/pytest tests/bench -m long --benchmark-only -s
bench: .venv/test.installed
	$(BIN)/pytest tests/bench --benchmark-only --benchmark-timer=time.process_time -s

# All that only a GPU shows, with the Python that has torch for it, no network needed: docs/gpu.md. SLICE=engine: one part;
# GPU_ARGS=--dry-run: the same ways on a CPU.
GPU_PYTHON ?= python3
SLICE ?= all
WHEELS := $(wildcard build/wheels/*.whl)
gpu:
	$(if $(WHEELS),$(GPU_PYTHON) -m pip install --quiet --no-index --no-deps --upgrade --target build/site $(WHEELS))
	PYTHONPATH=$(CURDIR):$(CURDIR)/build/site $(GPU_PYTHON) -m realbackend.gpu_checks --slice $(SLICE) $(GPU_ARGS)

# Runs the notebooks anew and stores what they say, as the tests compare it.
notebooks: .venv/test.installed
	$(BIN)/python -m tests.notebooks.refresh

clean:
	rm -rf .venv runs build *.egg-info

# An empty file says that what it is named after is installed, and that pyproject.toml has not changed since.
.venv/simcore.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/test.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@ .venv/simcore.installed
