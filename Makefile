# Every command that the README names. Recipes stay thin: what needs logic is in the binary.

# One selection of packages for every cargo call, so that dependencies are built once per profile.
CARGO ?= cargo
WORKSPACE := --workspace --locked
RIALTO := target/release/rialto
DEBUG_RIALTO := $(abspath $(or $(CARGO_TARGET_DIR),target))/debug/rialto

# For `make test-kubernetes`.
export KUBEBOX EAST WEST BRIDGE IMAGE KEEP

# Debian packages: the demo prints commands that use the first; the tests start the second as well.
DEMO_PACKAGES := curl bind9-dnsutils iproute2
TEST_PACKAGES := $(DEMO_PACKAGES) nginx-light postgresql python3 \
  $(if $(shell command -v chromium google-chrome),,$(if $(shell command -v npm),chromium))

# The web page is built before the binary, which carries it, where Node.js is.
NPM := npm --prefix ui
UI_SOURCES := api/openapi.json ui/index.html ui/vite.config.ts \
  $(shell find ui/src ui/build -type f ! -name api.gen.ts)

.DEFAULT_GOAL := help
.PHONY: help demo test test-kubernetes test-rust test-page bench bench-page bench-kubernetes screenshots \
  check build ui page image-root setup-demo setup-test

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: setup-demo build ## set up, then a whole federation on this machine
	$(RIALTO) demo $(ARGS)

test: setup-test page ## set up, then every test; those of the web page if npm is there
	@page=; if $(has_node); then page=test-page; \
	else echo "without the tests of the web page: $(node_missing)" >&2; fi; \
	$(MAKE) --no-print-directory --keep-going test-rust $$page

test-rust:
	$(CARGO) test $(WORKSPACE) --no-fail-fast

# EAST and WEST are kubeconfigs, BRIDGE is HOST:PORT; or KUBEBOX makes two clusters. Nothing is built
# for a RIALTO that is given.
test-kubernetes: $(if $(findstring command,$(origin RIALTO)),,build) ## on real clusters: KUBEBOX=PATH, or EAST=, WEST= and BRIDGE=
	RIALTO=$(RIALTO) deploy/test-kubernetes.sh $(CHECKS)

test-page:
	$(NPM) test
	$(NPM) run e2e:alone
	RIALTO_BIN=$(DEBUG_RIALTO) $(NPM) run e2e:federation

bench-page: ui ## the page with 50 clusters and 2,000 services, made up
	$(CARGO) bench $(WORKSPACE) --bench page -- --measure 20
	CARGO=$(CARGO) $(NPM) run bench

bench-kubernetes: ## an agent in front of a large cluster: KUBEBOX=PATH
	CARGO=$(CARGO) deploy/bench/kubernetes.sh $(ARGS)

screenshots: build ## the pictures in docs/, from a demo
	RIALTO_BIN=$(CURDIR)/$(RIALTO) $(NPM) run screenshots

check: ## formatting and lints
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(WORKSPACE) --all-targets -- -D warnings
	@if [ -d ui/node_modules ]; then $(NPM) run check; fi

bench: build ## beside other proxies, where BENCH names the benchmark kit's folder
	RIALTO_BIN=$(CURDIR)/$(RIALTO) deploy/bench/run.sh $(ARGS)

build: page ## the release binary, target/release/rialto, with the web page if npm is there
	$(CARGO) build $(WORKSPACE) --release

image-root: build ## the image's content as a folder, target/image-root
	deploy/image-root.sh $(RIALTO) target/image-root

ui: ui/dist/index.html ## the web page, ui/dist

page:
	@if $(has_node); then $(MAKE) --no-print-directory ui; \
	else echo "without the web page: $(node_missing)" >&2; fi

ui/node_modules/.package-lock.json: ui/package.json ui/package-lock.json
	$(NPM) ci

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	$(NPM) run build

setup-demo:
	@$(call install,$(DEMO_PACKAGES))

setup-test:
	@$(call install,$(TEST_PACKAGES))

node_missing := Node.js 20.19 or newer with npm is missing (nodejs.org; Debian 13 has it)
has_node := command -v npm >/dev/null && node -e \
  'const [major, minor] = process.versions.node.split("."); process.exit(major * 100 + +minor < 2019 ? 1 : 0)'

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
