# make help lists the targets.

.DEFAULT_GOAL := help

export GOWORK := $(CURDIR)/go.work

# The version of RabbitMQ that everything runs on, such as 4.3. Default: what is installed, or else the newest that can be had.
RABBITMQ ?=
export RABBITMQ
# The versions of make test-versions.
VERSIONS ?= 3.10 4.0 4.3
# inmem runs the demo in one process; rabbitmq runs each service as its own, over a private RabbitMQ node.
BROKER ?= inmem
# Where the demo's HTTP API listens.
ADDR ?= 127.0.0.1:8080
# Where the demo's console listens; empty: there is none.
CONSOLE ?= 127.0.0.1:8090
# Of the services in the demo. Default: info for the gateway, warn for the others.
LOG_LEVEL ?=
# true: make up runs Grafana, Prometheus and Tempo too.
OBSERVABILITY ?=
# Added to go test, e.g. TESTFLAGS='-run TestOrders -count=1'.
TESTFLAGS ?=
# How long each fuzz target runs.
FUZZTIME ?= 30s
# Added to the benchmark's command, e.g. BENCHFLAGS='--rows raw,gateway --callers 64'.
BENCHFLAGS ?=
# The commit that make instructions compares with.
BASE ?=
export BASE

MODULES = $(patsubst $(CURDIR)/%,./%,$(shell go list -m -f '{{.Dir}}'))
# What make test and make lint check. Default: all modules of the workspace.
PACKAGES = $(addsuffix /...,$(MODULES))
# The packages whose tests take longest. make test starts them first.
LONGEST = $(wildcard ./pkg/messaging/rabbitmq ./test/e2e)
BENCHMARKS = $(shell grep -rl '^func Benchmark' --include='*_test.go' . | xargs -n 1 dirname | sort -u)
MAINS = $(wildcard ./cmd/* ./services/*/cmd/*)
WORKFLOWS = $(wildcard $(CURDIR)/.github/workflows/*.y*ml)
# Tests of the whole system. Those that need one service are in test/<service>/.
E2E = $(wildcard ./test/e2e ./test/*/e2e)
CHAOS = $(wildcard ./test/*/chaos)
# The packages of make test-broker.
BROKER_TESTS = ./pkg/messaging/... ./pkg/rpc/... $(E2E)
# The race detector leaves out the cipher of passwords: it is one goroutine's, and would take 15 times as long.
RACE := -race -gcflags=golang.org/x/crypto/blowfish=-race=false
# How many packages, and how many tests of a package, run at once. Tests wait more than they compute.
ATONCE ?= $(shell expr 3 '*' $$(getconf _NPROCESSORS_ONLN))
PARALLEL := -p $(ATONCE) -parallel $(ATONCE)
# A program with the race detector waits a second before it ends, for races of goroutines that still run. Tests leave none.
export GORACE ?= atexit_sleep_ms=0
# What --version prints. The go command takes no version from a tag, because the repository's root is not a module.
CHASSIS = $(shell go list ./pkg/service)
STAMP = -X $(CHASSIS).version=$(shell git describe --tags --always --dirty 2>/dev/null) -X $(CHASSIS).commit=$(shell git rev-parse HEAD 2>/dev/null)
GOLANGCI_LINT := bin/golangci-lint
# The module tools is not in the workspace.
TOOLS := cd tools && GOWORK=off

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "At the root, ./... matches nothing, because the root is not a module:"
	@echo "  go build work, go vet work, go test work               everything; go test needs RabbitMQ: make rabbitmq"
	@echo "  go test ./services/gateway/...                         one service"
	@echo "  make test PACKAGES=./services/gateway/...              the same as in make test; also make lint"
	@echo "  make test PACKAGES=./pkg/rpc/... TESTFLAGS='-run Call' some tests of a package"

.PHONY: build
build: ## Build the services and the warren tool into bin/
	@CGO_ENABLED=0 go build -v -trimpath -ldflags '$(STAMP)' -o bin/ $(MAINS)

.PHONY: demo
demo: AMQP_URL = # the demo's node is its own
demo: $(if $(filter rabbitmq,$(BROKER)),build rabbitmq,bin/warren) ## Run the system until Ctrl-C; BROKER=rabbitmq: one process per service, over RabbitMQ
	@exec bin/warren demo --broker=$(BROKER) --addr=$(ADDR) --console=$(CONSOLE) $(if $(LOG_LEVEL),--log-level=$(LOG_LEVEL))

.PHONY: bin/warren
bin/warren:
	@CGO_ENABLED=0 go build -v -trimpath -ldflags '$(STAMP)' -o bin/ ./cmd/warren

.PHONY: test
test: rabbitmq $(if $(findstring cmd/warren,$(PACKAGES)),chromium) ## Run all tests but the long ones with the race detector, on private RabbitMQ nodes or on AMQP_URL's
	@$(if $(filter file,$(origin PACKAGES)),$(TOOLS) go test $(TESTFLAGS) ./...)
	go test $(RACE) $(PARALLEL) -ldflags=-w -skip '^TestLong' -timeout 20m $(TESTFLAGS) $(if $(filter file,$(origin PACKAGES)),$(LONGEST)) $(PACKAGES)

.PHONY: test-broker
test-broker: rabbitmq ## Run the tests that depend on the version of RabbitMQ: contract suite, RPC, end to end
	@# -count=1: go test does not see that TestMain starts another version.
	go test $(RACE) $(PARALLEL) -count=1 -ldflags=-w -skip '^TestLong' -timeout 20m $(TESTFLAGS) $(BROKER_TESTS)

.PHONY: test-faults
test-faults: rabbitmq ## Run the long tests that depend on the version of RabbitMQ, the fault scenarios in their short form
	go test $(RACE) -count=1 -run '^TestLong' -timeout 20m $(TESTFLAGS) ./pkg/messaging/rabbitmq/... $(E2E) $(CHAOS)

.PHONY: test-versions
test-versions: ## Run test-broker and test-faults on each version of RabbitMQ in VERSIONS
	@for version in $(VERSIONS); do \
		$(MAKE) --no-print-directory test-broker test-faults RABBITMQ=$$version BROKER_TESTS='$(BROKER_TESTS) $(CHAOS)' || exit; \
	done

.PHONY: test-long
test-long: test-faults chromium ## Run the long tests, the fault scenarios in their short form; takes many minutes
	go test $(RACE) -count=1 -run '^TestLong' -timeout 20m $(TESTFLAGS) ./cmd/warren/internal/... ./test/bench/...
	@# Alone, one after the other: most of these build and test a whole system.
	go test -count=1 -run '^TestLong' -parallel 1 -timeout 60m $(TESTFLAGS) ./cmd/warren

.PHONY: chaos
chaos: rabbitmq ## Run the long fault scenarios, as hard as promised, and print the outcome of every call; takes many minutes
	go test $(RACE) -count=1 -run '^TestLong' -timeout 20m $(TESTFLAGS) ./pkg/messaging/rabbitmq/...
	@# Each package in its own folder: only there go test prints the report of a package that passed.
	for folder in $(CHAOS); do (cd $$folder && go test -count=1 -timeout 30m $(TESTFLAGS) -full) || exit; done

.PHONY: fuzz
fuzz: rabbitmq ## Run each fuzz target for FUZZTIME, and publish 5,000 random messages to a running system
	@FUZZTIME=$(FUZZTIME) scripts/fuzz.sh $(MODULES)
	go test -count=1 -timeout 20m -run '^TestRawMessages$$' ./test/e2e -raw-messages 5000

.PHONY: bench
bench: rabbitmq ## Measure calls, from amqp091-go alone to the whole gateway; takes minutes
	@scripts/install-package.sh wrk
	go run ./test/bench/cmd/bench $(BENCHFLAGS)

.PHONY: microbench
microbench: rabbitmq ## Run the Go benchmarks of the hot path, for benchstat
	go test -run '^$$' -bench . -benchmem $(TESTFLAGS) $(BENCHMARKS)

.PHONY: bench-peers
bench-peers: rabbitmq ## Measure NestJS and Moleculer too; takes minutes
	@scripts/install-package.sh wrk
	@scripts/install-package.sh npm
	for peer in test/bench/peers/*/; do (cd $$peer && npm ci && npm run build --if-present) || exit; done
	go run ./test/bench/cmd/bench --peers --no-growth $(BENCHFLAGS)

.PHONY: instructions
instructions: rabbitmq ## Count instructions, system calls and allocations per request; BASE=ref compares with that commit
	@scripts/install-package.sh wrk
	@scripts/install-package.sh valgrind
	@scripts/install-package.sh perf linux-perf
	go run ./test/bench/cmd/bench instructions $(BENCHFLAGS)

.PHONY: profile
profile: rabbitmq ## Write profiles of a gateway and a service under load to test/bench/profiles/
	@scripts/install-package.sh wrk
	go run ./test/bench/cmd/bench profile $(BENCHFLAGS)

.PHONY: generate
generate: ## Write what is derived from services/*/; run it after you changed a service or a setting
	@$(TOOLS) go run ./generate

.PHONY: lint
lint: $(GOLANGCI_LINT) ## Check style, walls between packages, budgets, generated files and workflows
	@$(TOOLS) go run ./generate --check
	$(GOLANGCI_LINT) run $(PACKAGES)
	cd tools && GOWORK=off ../$(GOLANGCI_LINT) run ./...
	@# -count=1: go test does not see that files outside the test's module have changed.
	go test -count=1 ./test/architecture ./test/deployments
	@scripts/check-modules.sh $(MODULES) ./tools
	@$(TOOLS) go run ./budgets --enforce=false
	@cd tools/actionlint && export GOWORK=off && go mod tidy -diff && go tool actionlint $(WORKFLOWS)

$(GOLANGCI_LINT): tools/go.mod tools/go.sum
	$(TOOLS) go build -o ../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

.PHONY: tidy
tidy: ## Tidy each module and format the code
	@for module in $(MODULES) ./tools ./tools/actionlint; do (cd $$module && GOWORK=off go mod tidy) || exit; done
	@$(MAKE) --no-print-directory $(GOLANGCI_LINT)
	$(GOLANGCI_LINT) fmt $(MODULES)

.PHONY: rabbitmq
rabbitmq: ## Make RabbitMQ available, unless it is installed or AMQP_URL is set; RABBITMQ=4.3: that version
	@scripts/install-rabbitmq.sh

.PHONY: chromium
chromium: ## Make a browser available for the tests of the console, unless there is one
	@command -v google-chrome >/dev/null || scripts/install-package.sh chromium

.PHONY: up
up: ## Run the whole system in containers, as a demo; OBSERVABILITY=true: with Grafana on port 3000
	@$(if $(filter true,$(OBSERVABILITY)),COMPOSE_PROFILES=observability OTEL_EXPORTER_OTLP_ENDPOINT=http://observability:4318) scripts/compose.sh demo up --build --detach --wait

.PHONY: down
down: ## Stop the containers of the demo and remove their data
	@COMPOSE_PROFILES=observability scripts/compose.sh demo down --volumes

.PHONY: secrets
secrets: ## Write a broker password for each service to deployments/secrets/, for containers that are no demo
	@$(TOOLS) go run ./generate --secrets deployments/secrets
	@echo "Put this into deployments/.env: BROKER_DEFINITIONS=./secrets/definitions and BROKER_URLS=./secrets/urls"

.PHONY: clean
clean: ## Remove the built programs
	rm -rf bin
