# The commands of this project. Everything sets up .venv by itself when it must.
#   make all            install, and run the whole workflow
#   make report         the same, and the HTML report
#   make test           the tests; make long-test: those that take long; make cluster-test: on a Slurm of their own
#   make lint           all static checks; make format: what can be mended by itself
#   make mutants        try the gate on hundreds of broken files
#   make foreign        try it on networks and files of others' making
#   make operators      compare its operators with ONNX Runtime's
#   make gate-benchmark, training-benchmark, scale    how long the gate, a training and large scans take
#   make knobs, dag, requirements                     write what is made from the sources
# PYTHON chooses the interpreter (3.11 or 3.12), CORES the cores, ARGS what else snakemake or pytest is given.

PYTHON ?= python3
CORES ?= 4
ARGS ?=

BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores $(CORES)

.DEFAULT_GOAL := all
.PHONY: all install runtimes test long-test mutants foreign operators gate-benchmark training-benchmark scale cluster-test lint \
  format report dag requirements knobs clean

all: install
	$(SNAKEMAKE) all $(ARGS)

install: .venv/installed

.venv/installed: requirements.txt requirements-dev.txt targets.yaml $(wildcard envs/*.yaml)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' || \
	  { echo "Torchship needs Python 3.11 or 3.12, $(PYTHON) is another: the oldest ONNX Runtime that a target ships," \
	  "1.17.1, has wheels for none that is newer; make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -r requirements.txt -r requirements-dev.txt
	$(BIN)/python tools/environments.py runtimes
	@touch $@

runtimes: install
	$(BIN)/python tools/environments.py runtimes

test: install
	$(BIN)/python -m pytest -m "not cluster and not long" $(ARGS)

# What takes long: kills, failed and interrupted runs, scans, folds, networks and files of others' making.
long-test: install
	$(BIN)/python -m pytest -m long $(ARGS)

# The gate against several hundred broken files, and as many correct ones: half an hour.
mutants: install
	PYTHONPATH=scripts:tests:tests/mutation $(BIN)/python tests/mutation/suite.py --output docs/mutants.md $(ARGS)

# Networks and files in the styles of the field, and a broken twin of each: half an hour.
foreign: install
	PYTHONPATH=scripts:tests:tests/foreign $(BIN)/python tests/foreign/wall.py --output docs/foreign.md $(ARGS)

# Each operator of the arbiter of files from elsewhere against ONNX Runtime: three minutes. Writes docs/onnx-operators.md.
# And more of torch's own test inputs for the arbiter of networks.
operators: install
	PYTHONPATH=scripts:tests:tests/operators $(BIN)/python tests/operators/suite.py $(ARGS)
	TORCHSHIP_OPERATOR_INPUTS=2 $(BIN)/python -m pytest tests/unit/gate/test_torch_operators.py

# How long the gate takes, and how that grows.
gate-benchmark: install
	PYTHONPATH=scripts:tests:tests/mutation:tests/foreign $(BIN)/python tests/mutation/scaling.py

# How long an epoch takes in each engine of training, beside the plainest loop of torch: ten minutes.
training-benchmark: install
	PYTHONPATH=scripts:tests $(BIN)/python tests/speed/training.py $(ARGS)

# How long scans of up to 10,000 points take to plan and to schedule, and whether that is too long: twenty minutes.
scale: install
	PYTHONPATH=scripts:tests $(BIN)/python tests/scale/planning.py

# The cluster's tests, on Slurms of their own, which wait more than they work: apt-get install slurm-wlm munge.
cluster-test: install
	$(BIN)/python -m pytest -m cluster -n 3 --dist load tests/slurm $(ARGS)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check .
	$(BIN)/mypy
	$(BIN)/snakemake --lint
	$(BIN)/python tools/environments.py requirements --check
	$(BIN)/python tools/knobs.py --check

format: install
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .
	$(BIN)/snakefmt .

report: all
	$(SNAKEMAKE) all --report report.html $(ARGS)

# The picture in the README: the rules, without the arrows that follow from others. Needs graphviz.
dag: install
	$(BIN)/snakemake all --rulegraph dot | sed -n "/^digraph/,$$ p" | tred | dot -Tsvg > docs/images/dag.svg

requirements: install
	$(BIN)/python tools/environments.py requirements

# The table of all knobs, from the schema and config.yaml.
knobs: install
	$(BIN)/python tools/knobs.py

clean:
	rm -rf results logs benchmarks report.html .snakemake
