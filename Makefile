# What a newcomer types: `make demo` and `make test`. Both install what is missing (as root, on Debian 12), build and run.
# Everyday work uses the CMake presets directly; CONTRIBUTING.md has the details.
.DEFAULT_GOAL := help
.PHONY: help demo test build release test-unit test-integration test-node test-parity test-cluster cluster bench bench-quick bench-guard bench-programs format lint fuzz asan tsan clean packages
.NOTPARALLEL:

MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
FUZZ_SECONDS ?= 30
BUILD := build/test
export PATH := $(CURDIR)/build/tools/usr/bin:$(PATH)
export CCACHE_BASEDIR ?= $(CURDIR)
export CCACHE_NOHASHDIR ?= 1

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## run the demo: greeters, a client and four policies through the proxy (needs root for eBPF)
	@$(BUILD)/bin/fairlead demo

test: build ## run the tests: unit, integration, eBPF on this machine, parity with Envoy
	@tests/run $(BUILD) --jobs $(JOBS)

build: packages $(BUILD)/CMakeCache.txt ## build all programs and tests into build/test/bin
	@cmake --build $(BUILD) --parallel $(JOBS)

release: packages ## build what users run into build/release/bin: link-time optimisation, the proxy by its profile
	@cmake --preset release >/dev/null && cmake --build --preset release --parallel $(JOBS)

test-unit: build ## run the unit tests
	@tests/run $(BUILD) --jobs $(JOBS) unit

test-integration: build ## run the tests over loopback with programmable upstreams
	@tests/run $(BUILD) --jobs $(JOBS) integration

test-node: build ## run the tests with real eBPF, cgroups and network namespaces (root)
	@tests/run $(BUILD) --jobs $(JOBS) node

test-parity: build ## compare with the recorded outcomes of Istio and Envoy
	@tests/run $(BUILD) --jobs $(JOBS) parity

test-cluster: build ## run the tests on a real Kubernetes (root and Go; builds Kubernetes once, in ten minutes)
	@tests/cluster/build
	@tests/run $(BUILD) --jobs $(JOBS) cluster

cluster: build ## start a real one-node Kubernetes on this machine, with Fairlead's image in it (root and Go)
	@tests/cluster/build
	@tests/cluster/up
	@tests/cluster/crds
	@tests/cluster/images $(BUILD)/bin
	@echo; echo "Now, for kubectl and kubectl fairlead:"; tests/cluster/environment $(BUILD)/bin

bench: bench-programs ## measure against HAProxy, nginx, nghttpx, Envoy and the goals; writes docs/performance.md (root, half an hour)
	@tests/bench/run build/release --page

bench-quick: bench-programs ## the same in five minutes, without the page
	@tests/bench/run build/release --quick

bench-guard: build ## has the request path become slower: instructions of its parts, CPU against a bare forwarder; is the release's proxy built
	@cmake --build $(BUILD) --parallel $(JOBS) --target bench_programs
	@cmake --preset release >/dev/null && cmake --build --preset release --parallel $(JOBS) --target fairlead-proxy
	@tests/bench/instructions $(BUILD)
	@tests/bench/run $(BUILD) --only 1k --peers l4fwd --no-bpf --accept-noise --rounds 5 --seconds 1 --at-most 2.2

bench-programs: packages
	@cmake --preset release >/dev/null && cmake --build --preset release --parallel $(JOBS) --target bench_programs

format: packages ## lay out the sources with clang-format
	@git ls-files '*.cc' '*.h' '*.c' ':!:bpf/*' | xargs clang-format-19 -i

lint: build ## clang-format, clang-tidy and the project's own rules on what changed since BASE (default: main; there, two days)
	@.ci/lint --jobs $(JOBS) $(BASE)

fuzz: packages ## run each fuzz target for FUZZ_SECONDS (default 30) from the kept corpus
	@cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target fuzzers --parallel $(JOBS)
	@.ci/fuzz build/fuzz/fuzzers $(FUZZ_SECONDS)

asan tsan: packages ## unit and integration tests under AddressSanitizer and UBSan, or under ThreadSanitizer
	@cmake --preset $@ >/dev/null && cmake --build --preset $@ --target unit_tests integration_tests --parallel $(JOBS)
	@tests/run build/$@ --jobs $(JOBS) unit integration

clean: ## remove what was built
	@rm -rf $(filter-out build/tools,$(wildcard build/*))

packages:
	@.ci/install-packages

$(BUILD)/CMakeCache.txt: CMakePresets.json
	@cmake --preset test >/dev/null
	@touch $@
