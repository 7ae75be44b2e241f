# Everything a developer of verobridge does, one line each. "make" lists it.
# The programs that tests need are installed through apt or brew where they are
# missing; everything else comes with Go.

SHELL := /bin/bash
GO    ?= go
TOOL  := $(GO) tool -modfile=tools/go.mod
TEST  ?= ./...
FUZZTIME ?= 30s

.DEFAULT_GOAL := help
.PHONY: help dev test test-postgres-versions build lint fmt bench bench-parts fuzz torture screenshots cover tidy up down migrate postgres test-programs

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-23s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

dev: postgres build ## Run everything on this machine, without any settings
	./bin/verobridge dev

test: test-programs ## Run all tests, with the race detector
	$(GO) test -race -timeout 20m $(TEST)

POSTGRES_VERSIONS ?= 13 14 15 16 17 18

test-postgres-versions: test-programs ## Run the tests of the warehouse on each Postgres
	@set -e; for version in $(POSTGRES_VERSIONS); do \
		echo "Postgres $$version"; \
		VEROBRIDGE_TEST_POSTGRES_VERSION=$$version $(GO) test -count=1 -timeout 20m ./warehouse ./migrations; \
	done

build: ## Build bin/verobridge
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/verobridge ./cmd/verobridge

lint: ## Vet, lint and check the format, changing nothing
	$(GO) vet ./...
	@files=$$($(TOOL) gofumpt -l .); if [ -n "$$files" ]; then echo "make fmt would change:"; echo "$$files"; exit 1; fi
	$(TOOL) golangci-lint run

fmt: ## Format the code
	$(TOOL) gofumpt -w .

bench: postgres build ## Measure the program beside the machine's limits, then its parts
	./bin/verobridge bench --short
	@$(MAKE) --no-print-directory bench-parts

bench-parts: postgres ## Run the benchmarks of the parts, BENCHTIME=1x to see only that they run
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(or $(BENCHTIME),1s) ./...

fuzz: ## Fuzz every door, FUZZTIME each
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$package; \
		done; \
	done

torture: postgres build ## Break a bridge on purpose and count what it lost, CYCLES=1000 SCENARIO=kill,power
	./bin/verobridge torture --cycles $(or $(CYCLES),25) $(if $(SCENARIO),--scenario $(SCENARIO))

screenshots: test-programs ## Make the pictures of the console in docs/images anew
	@fc-list 2>/dev/null | grep -q Inter || $(MAKE) --no-print-directory install-font
	$(GO) test -tags screenshots -count=1 -run '^TestScreenshots$$' ./cmd/verobridge

cover: test-programs ## Show how much the tests cover
	$(GO) test -coverprofile cover.out -coverpkg ./... ./... && $(GO) tool cover -func cover.out | tail -n 1

tidy: ## Tidy go.mod and tools/go.mod
	$(GO) mod tidy && cd tools && $(GO) mod tidy

up: ## Start Postgres and verobridge in containers
	docker compose up --build --detach

down: ## Stop the containers; their data stays
	docker compose down

migrate: build ## Make or update verobridge's own tables at DATABASE_URL
	./bin/verobridge migrate

# What tests and dev need beside Go, installed where it is missing: $(1) through
# apt-get, $(2) through brew.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
define install
	@set -e; if command -v apt-get >/dev/null; then \
		$(SUDO) apt-get update -qq; \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $(1) >/dev/null; \
	elif command -v brew >/dev/null; then brew install $(2); \
	else echo "please install $(1) (this machine has neither apt-get nor brew)" >&2; exit 1; fi
endef

postgres: ## Install Postgres if it is missing
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb /opt/homebrew/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb >/dev/null 2>&1 || $(MAKE) --no-print-directory install-postgres

.PHONY: install-postgres install-compiler install-node install-chromium install-pgbouncer install-font
install-postgres:
	$(call install,postgresql,postgresql)

# The race detector needs a C compiler, the tests of Segment's SDKs need Node.js
# and a browser, and npm also has the other versions of Postgres.
test-programs: postgres
	@command -v $${CC:-gcc} >/dev/null || $(MAKE) --no-print-directory install-compiler
	@command -v pgbouncer /usr/sbin/pgbouncer >/dev/null || $(MAKE) --no-print-directory install-pgbouncer
	@command -v npm >/dev/null || $(MAKE) --no-print-directory install-node
	@command -v chromium chromium-browser google-chrome >/dev/null || $(MAKE) --no-print-directory install-chromium

install-compiler:
	$(call install,gcc libc6-dev,gcc)

install-node:
	$(call install,nodejs npm,node)

install-chromium:
	$(call install,chromium,--cask chromium)

install-font:
	$(call install,fontconfig fonts-inter,--cask font-inter)

install-pgbouncer:
	$(call install,pgbouncer,pgbouncer)
