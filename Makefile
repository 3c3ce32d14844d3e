# The lab's commands. `make lab` and `make test` install what they need; each target can be called alone.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

TRUNK_VERSION := 0.21.14
# Moves together with wasm-bindgen in Cargo.toml.
WASM_BINDGEN_VERSION := 0.2.130
ADDRESS ?= 127.0.0.1:8080
PYTHON ?= python3

TOOLS := $(CURDIR)/.tools
export PATH := $(TOOLS)/bin:$(CURDIR)/frontend/node_modules/.bin:$(HOME)/.cargo/bin:$(PATH)
BIN := target/release
# What the programs say that they were built from (`recspeed --version`). Only they read it, so another commit compiles no library again.
export RECSPEED_BUILD := $(shell tests/setup/built-from.sh)

.PHONY: help setup lab build page binaries worker-libtorch worker-vulkan worker-cuda gpu-bundle devices-test studies-tab test test-setup lint python-lint unit mpi-test engines-test engines-agree wasm-check browser bench bench-test conformance clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{ printf "make %-16s %s\n", $$1, $$2 }'

setup: ## Install the wasm target, wasm-bindgen, Trunk and the npm packages, where missing
	@tests/setup/tools.sh "$(TOOLS)" "$(TRUNK_VERSION)" "$(WASM_BINDGEN_VERSION)"

# Whatever the page's two programs are made of; without a change there, the page stays and so do the binaries that hold it.
PAGE_SOURCES := $(shell find frontend shared static backend/server/showcase -type f -not -path '*/node_modules/*') Cargo.toml Cargo.lock Trunk.toml .cargo/config.toml

page: setup dist/index.html ## Build the page and the in-tab runner into dist/

dist/index.html: $(PAGE_SOURCES) | setup
	@frontend/runner/build.sh target/in-tab
	trunk build --release --offline
	@touch $@

binaries: page ## Build recspeed and recspeed-worker with the page inside
	cargo build --release --locked --workspace --bin recspeed --bin recspeed-worker

build: page ## Build everything, the tests too: one build, so that heavy crates are compiled once
	cargo build --release --locked --workspace --all-targets

# Another build of the worker beside the usual one, which then is taken for its devices: of the whole workspace, as that one is, so
# that they differ in their devices alone.
define worker_with
cargo build --release --locked --workspace --bin recspeed-worker --features recspeed-worker/$(1) --target-dir target/$(1); \
install target/$(1)/release/recspeed-worker $(BIN)/recspeed-worker-$(1)
endef

worker-libtorch: binaries ## Build the worker for libtorch-cpu and libtorch-cuda (`recspeed engines install libtorch`, or LIBTORCH=/path)
	export LIBTORCH="$${LIBTORCH:-$$($(BIN)/recspeed engines path libtorch)}" LIBTORCH_BYPASS_VERSION_CHECK=1; \
	[ -d "$$LIBTORCH/include" ]; $(call worker_with,libtorch)

worker-vulkan: binaries ## Build the worker for GPUs by Vulkan
	$(call worker_with,vulkan)

worker-cuda: binaries ## Build the worker for NVIDIA's GPUs by Burn's own kernels (LLVM=/usr/lib/llvm-22: with that, nothing is fetched)
	$(if $(LLVM),XDG_DATA_HOME="$$(tests/setup/llvm.sh '$(LLVM)')"; export XDG_DATA_HOME;) $(call worker_with,cuda)

gpu-bundle: binaries ## One folder that measures on a machine with CUDA, an installed PyTorch and no Rust (PYTHON: one here with the same PyTorch)
	PYTHON='$(PYTHON)' LLVM='$(LLVM)' tests/gpu/bundle.sh

devices-test: binaries ## Every network on every device that is here learns what it learns on flex; PyTorch on a GPU too
	$(PYTHON) tests/gpu/agree.py --workers $(BIN)

# What a terminal cannot measure: the tab's rows beside those of the same run that they are held against.
studies-tab: test-setup binaries ## Two studies in a tab of Chromium beside Rust and PyTorch, into sections of docs/studies.md
	$(BIN)/recspeed study retrieval --rows 10000,100000,1000000,2023070 --containers plain,arrow,tab,torch,pyvelox \
		--tab tests/browser/in-tab.mjs --document docs/studies.md --section 'in the tab' --replace
	$(BIN)/recspeed study four-layer --engines burn,burn@browser,pytorch --repeats 9 --threads 2 \
		--tab tests/browser/in-tab.mjs --document docs/studies.md --section 'in the tab' --replace

lab: binaries ## Build the page and both binaries, start the lab, print the owner's link
	$(BIN)/recspeed serve --bind $(ADDRESS)

test-setup: setup ## Also install the browser of the tests
	@tests/setup/browser.sh

# What is quick to fail comes first.
test: test-setup python-lint build lint unit mpi-test engines-test engines-agree bench-test wasm-check browser ## Run every test

lint: ## Formatting and clippy, warnings denied
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	cargo clippy --release --workspace --all-targets --locked --features recspeed-worker/nccl -- -D warnings

python-lint: ## Ruff and mypy, strict, on the engines and on what measures devices and long runs (PYTHON: 3.11 or newer)
	@tests/setup/python-lint.sh '$(PYTHON)' '$(TOOLS)'

unit: build ## Unit, property, conformance, API and fault tests; TESTS='test(kill)' takes some (RECSPEED_DATA: real data)
	tests/setup/nextest.sh run --cargo-profile release --workspace --locked --no-fail-fast $(if $(TESTS),-E '$(TESTS)')
	$(if $(TESTS),,cargo test --release --workspace --locked --doc -q)
	@[ -n "$${RECSPEED_DATA:-}" ] || echo "unit: RECSPEED_DATA is not set: the tests on real data passed without looking at any"

# Tests that need MPI pass without it, and say so; where it is expected (RECSPEED_EXPECT_MPI=1) they fail, and so does this.
# Only the worker is compiled again, and what MPI needs: the features of everything else stay. The usual worker comes back at the end.
MPI := --release --workspace --locked --features recspeed-worker/mpi
mpi-test: build ## Ranks over MPI: the worker with the feature `mpi`, where Open MPI is there or can be installed
	@if tests/setup/mpi.sh; then set -x; \
		cargo clippy $(MPI) --all-targets -- -D warnings; \
		RECSPEED_EXPECT_MPI=1 cargo test $(MPI) --test mpi --bin recspeed-worker; \
		cargo build --release --locked --workspace --bin recspeed --bin recspeed-worker; \
	else echo "mpi-test: skipped"; [ -z "$${RECSPEED_EXPECT_MPI:-}" ]; fi

engines-test: ## The reference engines' own tests; those whose framework PYTHON lacks say so (PYTHON=/path/to/python)
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		cd backend/engines && PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m unittest discover -v -s tests -t .; \
	else echo "engines-test: skipped, $(PYTHON) is no Python 3.11 or newer"; fi
	@echo "engines-test: no losses were held against the lab's own training here; that is \`make engines-agree\`"

# The home of a lab whose installed engines are taken: the usual one unless set.
ENGINES_HOME ?= $(or $(RECSPEED_ENGINES_HOME),$(RECSPEED_HOME),$(if $(XDG_DATA_HOME),$(XDG_DATA_HOME)/recspeed),$(HOME)/.local/share/recspeed)
ENGINES := $(filter-out libtorch,$(basename $(notdir $(wildcard backend/engines/requirements/*.txt))))
INSTALLED = $(strip $(foreach engine,$(ENGINES),$(if $(wildcard $(ENGINES_HOME)/engines/$(engine)/record.json),$(engine))))
ABSENT = $(filter-out $(INSTALLED),$(ENGINES))
engines-agree: build ## The losses of every installed engine are those of the lab's own training (ENGINES_HOME=/home/of/a/lab)
	@if [ -n '$(INSTALLED)' ]; then set -x; \
		RECSPEED_ENGINES_HOME='$(ENGINES_HOME)' cargo test --release --workspace --locked --test engines -- --nocapture takes_the_steps; \
	fi
	@[ -z '$(INSTALLED)' ] || echo 'engines-agree: held against the lab: $(INSTALLED)'
	@[ -z '$(ABSENT)' ] || echo 'engines-agree: SKIPPED, not installed below $(ENGINES_HOME): $(ABSENT)'
	@[ -z '$(ABSENT)' ] || echo 'engines-agree: run `recspeed engines install $(ABSENT)`, then `make engines-agree`'

bench-test: build ## The laws of the bubbles that `make bench` foretells and measures
	@if $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		cd tests/bench && RECSPEED_BIN='$(CURDIR)/$(BIN)' PYTHONDONTWRITEBYTECODE=1 $(PYTHON) -m unittest -v test_bubbles; \
	else echo "bench-test: skipped, $(PYTHON) is no Python 3.11 or newer"; fi

wasm-check: ## Every shared crate compiles for the browser
	cargo check --release --locked --target wasm32-unknown-unknown $(patsubst shared/%/Cargo.toml,-p recspeed-%,$(wildcard shared/*/Cargo.toml))

browser: test-setup build ## The page in a real browser
	tests/browser/run.sh

bench: test-setup build ## Measure against the peers and write docs/benchmarks.md; ONLY='item-knn' for the sections of that title
	tests/bench/run.sh '$(ONLY)'

# Where a number is outside of its band the table is written all the same, and shows it.
ROWS := $(CURDIR)/target/published
conformance: build ## Measure beside the published numbers and write the table of docs/conformance.md (needs RECSPEED_DATA)
	@[ -n "$${RECSPEED_DATA:-}" ] || { echo "conformance: set RECSPEED_DATA to a folder with ml-100k/ and amazon-beauty/"; exit 1; }
	rm -rf '$(ROWS)'
	status=0; RECSPEED_ROWS='$(ROWS)' tests/setup/nextest.sh run --cargo-profile release --workspace --locked --no-fail-fast \
		-E 'binary(conformance) + binary(ratings) + binary(reference_numbers)' || status=$$?; \
	PYTHONDONTWRITEBYTECODE=1 '$(PYTHON)' tests/conformance/published.py '$(ROWS)'; exit $$status

clean: ## Remove what was built
	rm -rf target dist .tools
