# "make" alone lists the targets.

SHELL         := bash
.SHELLFLAGS   := -euo pipefail -c
.DEFAULT_GOAL := help

BIN              := .cache/bin
GOLANGCI_VERSION := v2.15.0
GOLANGCI_LINT    := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

TEST_TIMEOUT  ?= 9m
FUZZTIME      ?= 10s
DEMO_FOR      ?= 20s

.PHONY: help setup build image test test-long test-deploy test-short lint demo bench bench-flat fuzz planted-bugs generate clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what tests need and the machine lacks (Debian, Ubuntu)
	@tools/setup.sh

build: ## build the binary bin/feed
	CGO_ENABLED=0 go build -trimpath -o bin/feed ./cmd/feed

image: ## build the image bin/feed-image.tar for amd64 and arm64, without a daemon
	go run ./deploy/image

test: setup ## run all tests, most with the race detector, on real servers: 9 minutes
	@go build -o $(BIN)/testservers ./internal/testenv/testservers
	@TEST_TIMEOUT=$(TEST_TIMEOUT) $(BIN)/testservers with "$(CURDIR)" -- tools/test.sh

test-long: TEST_TIMEOUT = 60m
test-long: export TEST_LONG = 1
test-long: test ## run all tests with the full amounts of messages, kills and rounds: half an hour

test-deploy: setup ## boot what deploy/ ships on real servers; alerts with promtool; Helm, Flux, a real API server of Kubernetes: 8 minutes, and 12 of one core at first
	@go build -o $(BIN)/testservers ./internal/testenv/testservers
	@$(BIN)/testservers with "$(CURDIR)" -- go test -timeout $(TEST_TIMEOUT) ./deploy/observability ./internal/kube/boottest
	cd deploy/fleettest && go test -timeout 10m ./...
	cd deploy/apitest && go test -timeout 90m

test-short: ## run the tests that need no servers
	go test -short ./...

planted-bugs: ## plant known bugs, one at a time, and see a test fail because of each
	tools/planted-bugs.sh

lint: $(GOLANGCI_LINT) ## check format, dependency direction, common mistakes, generated code
	go mod verify
	go tool wire diff ./cmd/feed ./examples/embed
	$(GOLANGCI_LINT) run ./...

$(GOLANGCI_LINT):
	@echo "installing golangci-lint $(GOLANGCI_VERSION) into $(BIN): this takes a minute or two"
	GOBIN="$(CURDIR)/$(BIN)" go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@

demo: ## run all of it on this machine, from devices to files, and compare what arrives (DEMO_FOR=20s)
	@tools/setup.sh rabbitmq
	@echo "compiling the feed, which takes minutes the first time"
	@go run ./cmd/feed demo --for $(DEMO_FOR)

bench: setup ## measure the feed against a plain loop, and its goals: about 20 minutes
	go run ./internal/bench

bench-flat: setup ## show how the cost per message changes with the load: about 15 minutes
	go run ./internal/bench -flat

fuzz: ## run each fuzz target for FUZZTIME (10s)
	tools/fuzz.sh $(FUZZTIME)

generate: ## generate code again: Wire, the schema, the protocol of plugins (needs protoc)
	go generate ./...

clean: ## remove what was built; tools and servers installed into .cache stay
	rm -rf bin $(BIN)/testservers
