# Every command that the README names. Recipes stay thin: what needs logic is in the binary.

# One selection of packages for every cargo call, so that dependencies are built once per profile.
CARGO ?= cargo
WORKSPACE := --workspace --locked
RIALTO := target/release/rialto

# Debian packages: the demo prints commands that use the first; the tests start the second as well.
DEMO_PACKAGES := curl bind9-dnsutils iproute2
TEST_PACKAGES := $(DEMO_PACKAGES) nginx-light postgresql python3

.DEFAULT_GOAL := help
.PHONY: help demo test bench check build image-root setup-demo setup-test

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-demo build ## set up, then a whole federation on this machine
	$(RIALTO) demo $(ARGS)

test: setup-test ## set up, then every test
	$(CARGO) test $(WORKSPACE) --no-fail-fast

check: ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WORKSPACE) --all-targets -- -D warnings

bench: build ## beside other proxies, where BENCH names the benchmark kit's folder
	RIALTO_BIN=$(CURDIR)/$(RIALTO) deploy/bench/run.sh $(ARGS)

build: ## the release binary, target/release/rialto
	$(CARGO) build $(WORKSPACE) --release

image-root: build ## the image's content as a folder, target/image-root
	deploy/image-root.sh $(RIALTO) target/image-root

setup-demo:
	@$(call install,$(DEMO_PACKAGES))

setup-test:
	@$(call install,$(TEST_PACKAGES))

# Installs what is missing when root; names it and stops when not; leaves other systems alone.
define install
command -v $(CARGO) >/dev/null || { echo "cargo is missing: install Rust 1.95 with rustup" >&2; exit 1; }; \
command -v cc >/dev/null || { echo "a C compiler is missing: install gcc" >&2; exit 1; }; \
command -v dpkg-query >/dev/null || { echo "not Debian: have $(1) yourself" >&2; exit 0; }; \
missing=""; for package in $(1); do \
  dpkg-query -W -f '$${db:Status-Status}' $$package 2>/dev/null | grep -qx installed || missing="$$missing $$package"; \
done; \
[ -z "$$missing" ] && exit 0; \
[ "$$(id -u)" = 0 ] || { echo "missing packages, run: sudo apt-get install$$missing" >&2; exit 1; }; \
apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends $$missing
endef
