# Two commands to begin with: `make demo` and `make test`. Each installs what is missing first.

SHELL   = /bin/sh
# Seconds that `make fuzz` gives to each target.
SECS    = 10
NIGHTLY = nightly
TOOLS   = $${WEIR_TOOLS:-$${XDG_CACHE_HOME:-$$HOME/.cache}/weir-tools}
WITH    = PATH="$$PATH:$${CARGO_HOME:-$$HOME/.cargo}/bin:$(TOOLS)/bin"

.PHONY: demo test build bench fuzz check fmt clippy doc deny deps

demo: deps           ## builds and runs Weir in front of three small built-in backends
	@$(WITH) cargo run --quiet --locked -- demo

test: deps           ## builds, and passes all tests
	@$(WITH) cargo test --locked

build: deps          ## the release binary: target/release/weir
	@$(WITH) cargo build --locked --release

bench: deps          ## micro-benchmarks, in release
	@if ls benches/*.rs >/dev/null 2>&1; then $(WITH) cargo bench --locked --bench '*'; \
	else echo "weir: there are no micro-benchmarks yet"; fi

fuzz: deps           ## each fuzz target for SECS seconds, on a nightly toolchain
	@.ci/tool cargo-fuzz
	@$(WITH) NIGHTLY=$(NIGHTLY) .ci/fuzz $(SECS)

check: fmt clippy doc deny   ## what is checked beside the tests

fmt: deps
	@$(WITH) cargo fmt --check

clippy: deps
	@$(WITH) cargo clippy --locked --all-targets -- -D warnings

doc: deps
	@$(WITH) RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items

deny: deps           ## licences, bans, sources; advisories where their database can be had
	@.ci/tool cargo-deny
	@$(WITH) .ci/deny

deps:                ## cargo and a C compiler
	@.ci/deps
