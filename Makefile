# "make" alone lists the targets.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

BIN              := .cache/bin
GOLANGCI_VERSION := v2.15.0
GOLANGCI_LINT    := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

# Packages whose tests run side by side. Many wait for brokers most of the time; more of them would only make each other late.
TEST_PARALLEL ?= 3
# Tests of one package that say they may run side by side, since they wait most of the time.
TESTS_PARALLEL ?= 4
TEST_TIMEOUT  ?= 9m
FUZZTIME      ?= 10s
DEMO_FOR      ?= 20s

.PHONY: help setup build test test-short lint demo bench bench-flat fuzz planted-bugs generate clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what tests need and the machine lacks (Debian, Ubuntu)
	@tools/setup.sh

build: ## build the binary bin/feed
	CGO_ENABLED=0 go build -trimpath -o bin/feed ./cmd/feed

test: setup ## run all tests, with the race detector, on real servers: 10 minutes
	go vet ./...
	@go build -o $(BIN)/testservers ./internal/testenv/testservers
	@echo 'go test -race ./...'
	@$(BIN)/testservers with "$(CURDIR)" -- go test -race -p $(TEST_PARALLEL) -parallel $(TESTS_PARALLEL) -timeout $(TEST_TIMEOUT) ./...
	@echo "Watermill's own suite, which has a race of its own, and what takes long: without the race detector"
	go test -timeout $(TEST_TIMEOUT) -run 'Watermill|ReplayToRabbitMQ' ./stages/amqp ./stages/mqtt ./cmd/feed

test-short: ## run the tests that need no servers
	go test -short ./...

planted-bugs: ## plant known bugs, one at a time, and see a test fail because of each
	tools/planted-bugs.sh

lint: $(GOLANGCI_LINT) ## check format, dependency direction, common mistakes, generated code
	go mod verify
	@if [[ -f cmd/feed/wire.go ]]; then echo 'go tool wire diff ./cmd/feed'; go tool wire diff ./cmd/feed; fi
	$(GOLANGCI_LINT) run ./...

$(GOLANGCI_LINT):
	@echo "installing golangci-lint $(GOLANGCI_VERSION) into $(BIN): this takes a minute or two"
	GOBIN="$(CURDIR)/$(BIN)" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@

demo: ## run all of it on this machine, from devices to files, and compare what arrives (DEMO_FOR=20s)
	@tools/setup.sh rabbitmq
	@go run ./cmd/feed demo --for $(DEMO_FOR)

bench: setup ## measure the feed against a plain loop, and its goals: about 15 minutes
	go run ./internal/bench

bench-flat: setup ## show how the cost per message changes with the load: about 15 minutes
	go run ./internal/bench -flat

fuzz: ## run each fuzz target for FUZZTIME (10s)
	tools/fuzz.sh $(FUZZTIME)

generate: ## generate code again: Wire, schema
	go generate ./...

clean: ## remove what was built; tools and servers installed into .cache stay
	rm -rf bin $(BIN)/testservers
