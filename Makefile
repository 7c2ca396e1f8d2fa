# The two commands to know are `make run` and `make test`; `make help` lists all.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

GO ?= go
# The release of the collector that builder-config.yaml and go.mod pin.
OCB := $(GO) run go.opentelemetry.io/collector/cmd/builder@v0.165.0
GOVULNCHECK := $(GO) tool -modfile=internal/tools/go.mod govulncheck
GOLANGCI_LINT := $(GO) tool -modfile=internal/tools/lint/go.mod golangci-lint

# The distribution's version is gatectl's too.
VERSION := $(shell sed -n 's/^  version: //p' builder-config.yaml)
DIST := build/otlpgate

# All that may end up in a binary: code, and what it embeds.
SOURCES := $(sort $(shell find cmd extension internal processor -type f \
	! -name '*_test.go' ! -path '*/testdata/*' ! -path '*/otlpgate-data/*' \
	! -path 'internal/tools/*' ! -path 'internal/archtest/*' ! -path 'internal/demo/*' 2>/dev/null))

# Where the end-to-end tests keep the JavaScript exporters that they drive.
JS := testdata/js

# The storage directory that the demo has.
DEMO_DATA ?= build/demo-data

FUZZTIME ?= 10s
BENCH ?= .
TESTFLAGS ?=

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: bin/otlpgate bin/gatectl ## build bin/otlpgate and bin/gatectl

.PHONY: run
run: build ## start bin/otlpgate with testdata/quickstart.yaml
	exec bin/otlpgate --config testdata/quickstart.yaml

# What is there is kept: remove $(DEMO_DATA) to have it made anew, up to date.
.PHONY: demo
demo: build ## start bin/otlpgate with testdata/demo.yaml, on demo data
	[[ -e $(DEMO_DATA)/WATERMARK ]] || $(MAKE) --no-print-directory demo-data
	export DEMO_DATA=$(DEMO_DATA)
	exec bin/otlpgate --config testdata/demo.yaml

.PHONY: demo-data
demo-data: ## make a storage directory that looks like a company's (DEMO_DATA=directory)
	$(GO) run ./internal/demo/cmd/seed --directory $(DEMO_DATA)

# By default each process with the race detector waits a second before it ends,
# for the sake of goroutines that still race; tests that start hundreds of
# processes would wait for minutes.
export GORACE ?= atexit_sleep_ms=20

# Vet and tests share the race detector's build of the dependencies, the larger
# part of the time that a first run takes.
# Where the pictures are taken; not that of a collector that may be running.
SHOTS_URL := http://localhost:14319

.PHONY: screenshots
screenshots: build ## take the pictures of docs/images, of the pages with fresh demo data
	directory=$$(mktemp -d)
	trap 'kill %1 2>/dev/null; wait; rm -rf "$$directory"' EXIT
	$(MAKE) --no-print-directory demo-data DEMO_DATA=$$directory/data
	DEMO_DATA=$$directory/data bin/otlpgate --config testdata/demo.yaml \
		--set extensions::apikeyauth::admin::endpoint=$(SHOTS_URL:http://%=%) \
		--set receivers::otlp::protocols::grpc::endpoint=localhost:0 \
		--set receivers::otlp::protocols::http::endpoint=localhost:0 \
		--set service::telemetry::metrics::level=none >$$directory/log 2>&1 &
	$(GO) run ./internal/demo/cmd/screenshots --url $(SHOTS_URL) --key-file $$directory/data/admin.key --into docs/images || { tail $$directory/log; exit 1; }

.PHONY: test
test: test-deps build bin/telemetrygen ## run all tests, with the race detector where there is a C compiler
	@race=
	if printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | $$($(GO) env CC) -x c -o /dev/null - 2>/dev/null; then
		race=-race
	else
		echo "make test: no C compiler, so data races go unnoticed: install gcc and libc6-dev to run with -race" >&2
	fi
	set -x
	$(GO) vet $$race ./...
	$(GO) test $$race -timeout 25m $(TESTFLAGS) ./...

.PHONY: test-short
test-short: ## run the tests that need no binary, server or generator, in about a minute
	$(GO) test -short $(TESTFLAGS) ./...

.PHONY: test-deps
test-deps: ## install what the tests use (root on Debian), or say what is missing
	@.ci/setup
	if [[ -f $(JS)/package.json ]] && command -v npm >/dev/null; then
		$(MAKE) --no-print-directory $(JS)/node_modules/.package-lock.json ||
			echo "make test: npm could not install $(JS): the tests that need it are skipped" >&2
	fi

.PHONY: lint
lint: ## run the linters
	$(GOLANGCI_LINT) run ./...

.PHONY: vuln
vuln: ## look for known vulnerabilities in what is built
	$(GOVULNCHECK) ./...

.PHONY: generate
generate: ## regenerate the code and pages that are made from metadata.yaml, openapi.yaml and the commands of gatectl
	$(GO) generate ./...

.PHONY: bench
bench: build ## run the benchmarks (BENCH=regexp picks some)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem $(TESTFLAGS) ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	@{ grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . || true; } | sort | while IFS=: read -r file func; do
		( set -x; $(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$$(dirname "$$file")" )
	done

.PHONY: clean
clean: ## remove what was built; key stores stay
	rm -rf bin build $(JS)/node_modules

# The builder writes a module with main.go, and resolves its dependencies. That
# is needed again only where the components or the dependencies change; any other
# change needs a compilation alone.
$(DIST)/.generated: builder-config.yaml go.mod go.sum
	@mkdir -p $(@D)
	$(OCB) --config builder-config.yaml --skip-compilation
	touch $@

# -mod=mod lets packages that are imported since the module was written in.
bin/otlpgate: $(DIST)/.generated build/sources $(SOURCES)
	cd $(DIST)
	CGO_ENABLED=0 $(GO) build -mod=mod -buildvcs=false -trimpath -ldflags '-s -w' -o ../../$@ .

bin/gatectl: go.mod go.sum builder-config.yaml build/sources $(SOURCES)
	CGO_ENABLED=0 $(GO) build -buildvcs=false -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o $@ ./cmd/gatectl

# The load generator that the end-to-end tests drive, in a module of its own.
TELEMETRYGEN := github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen
bin/telemetrygen: internal/tools/telemetrygen/go.mod internal/tools/telemetrygen/go.sum
	CGO_ENABLED=0 $(GO) build -modfile=$< -buildvcs=false -trimpath -ldflags '-s -w' -o $@ $(TELEMETRYGEN)

# Changes where a source appears or goes: what a file's own time cannot tell.
build/sources: FORCE
	@mkdir -p $(@D)
	printf '%s\n' $(SOURCES) >$@.new
	if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(JS)/node_modules/.package-lock.json: $(wildcard $(JS)/package.json $(JS)/package-lock.json)
	cd $(JS)
	if [[ -f package-lock.json ]]; then npm ci --no-audit --no-fund; else npm install --no-audit --no-fund; fi
	touch node_modules/.package-lock.json

.PHONY: FORCE
FORCE:

.ONESHELL:
