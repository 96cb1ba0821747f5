# Two commands do everything on a fresh Debian 12 with Rust and Node:
#   make demo   the main job from end to end, on real rollup data, with members dying and lying
#   make test   every test
# Set CARGO_TARGET_DIR to share build products between checkouts; then build through make, since cargo by itself may take one
# for the other (scripts/own-sources.sh).

SHELL := /bin/bash
.DEFAULT_GOAL := help
TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
HOLDFAST := $(TARGET)/release/holdfast
CARGO := cargo --locked
FILE ?= testdata/op-channel.bin
# Folders of interop/ with tests.
INTEROP := op nitro

.PHONY: help deps first-build node build demo drill interop interop-modules test test-rust test-contracts test-foundry test-simulation test-reader test-any-cpu s3 soak versions fuzz lint bench bench-all bench-peers contracts golden mutants

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 22

deps: ## install, or say exactly, what is missing (C++ compiler, libclang, Node packages)
	@scripts/deps.sh

node: deps
	@cd contracts && if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then \
	  npm ci --no-audit --no-fund --loglevel=error; fi

first-build: deps
	@scripts/own-sources.sh "$(TARGET)"
	@scripts/first-build.sh "$(TARGET)"

build: first-build ## the holdfast binary
	$(CARGO) build --release -p holdfast-cli

demo: build ## the main job on FILE (default: one real OP Stack channel, then one batcher transaction)
ifeq ($(origin FILE),file)
	$(HOLDFAST) demo testdata/op-channel.bin
	$(HOLDFAST) demo testdata/op-batcher-tx.bin
else
	$(HOLDFAST) demo $(FILE)
endif

# Also what is used at test time only: Nitro's own contracts, and the ZK Stack's crates.
interop-modules: node
	@for client in $(INTEROP); do (cd interop/$$client && go mod download) || exit 1; done
	@cd interop/nitro && if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then \
	  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; fi
	@cd interop/zksync && cargo fetch --locked

interop: build interop-modules ## other projects' own clients against a devnet with its gateway (needs Go 1.26)
	@for client in $(INTEROP); do (cd interop/$$client && HOLDFAST=$(HOLDFAST) go test -count=1 ./...) || exit 1; done
	cd interop/zksync && HOLDFAST=$(HOLDFAST) CARGO_TARGET_DIR=$(TARGET)/interop $(CARGO) test

drill: build interop-modules ## members away, then 360 batches of 10 MB in one go (about 40 GB of disk; DRILL_BATCHES, DRILL_BYTES)
	cd interop/op && HOLDFAST=$(HOLDFAST) DRILL_BATCHES=$(or $(DRILL_BATCHES),360) DRILL_BYTES=$(or $(DRILL_BYTES),10000000) \
	  go test -count=1 -timeout 6h -v -run TestABacklog ./...

# moto's server, of `make s3` or of the machine.
MOTO := $(or $(HOLDFAST_MOTO_SERVER),$(wildcard $(TARGET)/s3/bin/moto_server),$(shell command -v moto_server))

test: test-contracts test-foundry test-rust test-simulation test-reader ## every test; at the end, what was not tested for want of what
	@scripts/untested.sh "$(MOTO)"

test-contracts: node ## the committed contract artifacts are what the sources compile to
	cd contracts && node build/compile.js --check

test-foundry: node ## the Solidity tests of the contracts, by the rules of the hard forks prague and osaka
	@scripts/test-foundry.sh

test-rust: node first-build ## Rust tests and doctests of every crate, the contracts' bytecode and anvil included
	$(if $(MOTO),HOLDFAST_MOTO_SERVER="$(MOTO)") $(CARGO) test --release --workspace

test-simulation: first-build ## a committee in one thread whose machines fail, 500 seeds; HOLDFAST_SEED=n replays one and prints it
	cd simulation && CARGO_TARGET_DIR="$(TARGET)" $(CARGO) test --release $(if $(HOLDFAST_SEED),--test seeds -- --nocapture)

test-reader: build ## the independent Python reader against a real committee with a lying member
	@scripts/test-reader.sh $(HOLDFAST)

s3: first-build ## a member's archive on a server that speaks S3, with Object Lock (moto, from PyPI, in target/s3)
	@[ -x "$(TARGET)/s3/bin/moto_server" ] || { python3 -m venv "$(TARGET)/s3" && "$(TARGET)/s3/bin/pip" install --quiet 'moto[server]==5.2.1'; }
	HOLDFAST_MOTO_SERVER="$(TARGET)/s3/bin/moto_server" $(CARGO) test --release --workspace --lib -- --nocapture archive::s3

# How long members are under load whose memory is looked at.
SOAK_DURATION ?= 1h

soak: build ## what takes hours: 10,000 power cuts, 100,000 seeds of the simulation, 1,000 on each file system, a million blobs, honest calls beside attacks, memory over SOAK_DURATION (1h) of load
	HOLDFAST_POWER_CUTS=10000 $(CARGO) test --release --workspace --test power_cut -- --nocapture
	HOLDFAST_IMAGE_CUTS=1000 $(CARGO) test --release --workspace --test power_cut_images -- --nocapture --test-threads 1
	cd simulation && HOLDFAST_SEEDS=100000 CARGO_TARGET_DIR="$(TARGET)" $(CARGO) test --release --test seeds -- --nocapture
	HOLDFAST_RESTART_BLOBS=1000000 $(CARGO) test --release --workspace --lib -- --ignored --nocapture a_member_with_many_blobs
	HOLDFAST_SIEGE_ROUNDS=36 HOLDFAST_SIEGE_TIMES=2 $(CARGO) test --release --workspace --test siege -- --nocapture --test-threads 1
	$(HOLDFAST) bench --devnet 5 -t 4 -k 2 --op mixed --sizes 100k --rate 10 --concurrency 64 --duration $(SOAK_DURATION) \
	  --html $(TARGET)/soak.html --force

versions: first-build ## this version and another (RELEASE: a tag, a commit or a binary) in one committee, both ways round
	@scripts/versions.sh "$(RELEASE)" "$(TARGET)"

# Seconds for each of the targets, which run one after the other in every test program, and these beside each other.
FUZZ_SECONDS ?= 60

fuzz: first-build ## every fuzz target for long: FUZZ_SECONDS (60) for each; FUZZ=NAME for those with that name
	HOLDFAST_FUZZ_SECONDS=$(FUZZ_SECONDS) $(CARGO) test --release --workspace --lib --bins --tests -- fuzz_$(FUZZ)

lint: node first-build ## formatting, clippy, rustdoc; cargo-deny where it is installed
	cargo fmt --all -- --check
	$(CARGO) clippy --release --workspace --all-targets -- -D warnings
	$(CARGO) clippy --release -p holdfast-client --no-default-features -- -D warnings
	cd simulation && cargo fmt -- --check && CARGO_TARGET_DIR="$(TARGET)" $(CARGO) clippy --release --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --release --workspace --no-deps
	@if ! cargo semver-checks --version >/dev/null 2>&1; then \
	  echo "cargo-semver-checks is not installed: what the SDK exports is not compared with a release (cargo install cargo-semver-checks)"; \
	elif ! git rev-parse -q --verify "$$(git describe --tags --match 'v*' --abbrev=0 2>/dev/null)^{commit}" >/dev/null; then \
	  echo "no release is tagged: what the SDK exports is not compared with one"; \
	else cargo semver-checks -p holdfast-client --baseline-rev "$$(git describe --tags --match 'v*' --abbrev=0)"; fi
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check bans licenses sources; \
	  else echo "cargo-deny is not installed: licences and sources of dependencies not checked (cargo install cargo-deny)"; fi

bench: first-build ## benches: code, storing on 5, 20 and 94 members, the gateway, the store on its disk, repair, a client's memory
	$(CARGO) bench -p holdfast-benches

bench-all: build ## holdfast bench on several committees, with faults, TLS and a long line (root): one page in the target folder
	scripts/bench-all.sh $(HOLDFAST) $(TARGET)/bench

bench-peers: deps ## Holdfast's code beside others', on one core: commonware's Reed-Solomon and ZODA, rsema1d, reed-solomon-simd
	cd benches/peers && RAYON_NUM_THREADS=1 taskset -c 0 cargo bench --locked
	cd benches/zoda && RAYON_NUM_THREADS=1 taskset -c 0 cargo bench --locked

contracts: node ## compile the contracts and write their artifacts
	cd contracts && node build/compile.js

mutants: node ## mutate each condition of the contracts: every mutant must fail a test (hours; not part of test)
	scripts/mutants.js

golden: ## regenerate the golden vectors (needs Python with py_ecc)
	python3 testdata/golden/generate.py
