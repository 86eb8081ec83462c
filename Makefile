# Everything that people do with this repository. `make help` tells what there is.

CARGO ?= cargo
DATA ?= ./data
LISTEN ?= 127.0.0.1:8080
TARGET ?= import
SECONDS ?= 60
PACK ?= ./target/gpu

# Users' own n8n files, run as a conformance test where they lie beside this folder. They are never part of it.
ifneq ($(wildcard ../shared/n8n),)
export TIMELOOM_CONFORMANCE ?= $(abspath ../shared/n8n)
endif

# The audits and clients of GraphQL, run where they lie beside this folder. They are never part of it.
ifneq ($(wildcard ../shared/conformance/graphql),)
export TIMELOOM_GRAPHQL_CONFORMANCE ?= $(abspath ../shared/conformance/graphql)
endif

# What has to do with the client of EventStoreDB, which is compiled only where it is asked for.
ESDB = --package timeloom-esdb-front --package timeloom-store-esdb --package timeloom-server --package timeloom-tests --features esdb

.PHONY: help setup parts build run web test web-test web-budget screenshots bench bench-large bench-peers bench-eventstore fuzz gpu-pack gpu-check fmt lint clean

help:
	@echo "make help    this list"
	@echo "make setup   check the tools, build the JavaScript sandbox, the GraphiQL page and the web app, fetch what tests need"
	@echo "make build   build the timeloom program (release): target/release/timeloom"
	@echo "make run     build and serve on http://$(LISTEN) with the data in $(DATA) (DATA=…, LISTEN=…)"
	@echo "make web     serve the web app from web/ as you change it, with the API of the server at $(LISTEN)"
	@echo "make web-test   the web app in a browser, with a server of its own"
	@echo "make web-budget  how much script the web app loads, and what it takes of the browser, beside what it may"
	@echo "make screenshots the pictures of docs/tour.md, taken again with sample data"
	@echo "make test    everything that has to hold: format, lints, documentation examples, tests"
	@echo "make bench   measure: appends, latency, replay, the archive, hot streams, redaction, the past, lists, traces, the API, the gateway, expressions, executions and webhooks over HTTP, models, start-up, memory"
	@echo "make bench-large   the API with a million executions stored: takes half an hour to make them the first time"
	@echo "make bench-peers  the same work on other workflow engines, side by side (PEERS=…, WORK=…, see docs/performance.md)"
	@echo "make bench-eventstore  appends of Python clients over gRPC: UmaDB, and ours by the protocol of EventStoreDB"
	@echo "make fuzz    look for files and expressions that break the program down: TARGET=import or expression, SECONDS=60"
	@echo "make gpu-pack    lay what the next needs into PACK=folder: fetches ONNX Runtime for CUDA, builds its tests and bench"
	@echo "make gpu-check   on a machine with a GPU: run the tests of CUDA and its bench out of PACK=folder, see docs/models.md"
	@echo "make fmt     format the Rust code"
	@echo "make lint    check format and lints"
	@echo "make clean   remove what was built; data folders stay"

setup:
	@scripts/setup.sh

parts:
	@scripts/setup.sh parts

build: parts
	$(CARGO) build --release --package timeloom-server

run: build
	@echo
	@echo "App:      http://$(LISTEN)/"
	@echo "GraphQL:  http://$(LISTEN)/graphql   (a page to try it: http://$(LISTEN)/graphiql)"
	@echo "Health:   http://$(LISTEN)/health/live"
	@echo "Data:     $(DATA)   (stop with Ctrl-C; nothing is lost)"
	@echo
	@$$(scripts/program.sh) serve --data $(DATA) --listen $(LISTEN)

web:
	LISTEN=$(LISTEN) npm --prefix web run dev

web-test: setup
	$(CARGO) build --package timeloom-server
	scripts/web-e2e.sh

screenshots: setup
	$(CARGO) build --package timeloom-server
	TIMELOOM_BIN=$$(realpath $$(scripts/program.sh debug)) npm --prefix web run screenshots

web-budget: build
	TIMELOOM_BIN=$$(realpath $$(scripts/program.sh)) npm --prefix web run budget

test: setup lint
	npm --prefix web run check
	$(CARGO) test --doc --package timeloom-domain --package timeloom-store --package timeloom-expressions
	$(CARGO) build --workspace --bin timeloom
	$(CARGO) nextest run --workspace
	scripts/web-e2e.sh
	$(CARGO) nextest run --package timeloom-inference --features cuda
	$(CARGO) nextest run $(ESDB) --filterset 'package(timeloom-esdb-front) or package(timeloom-store-esdb) or test(followed)'

bench: parts
	$(CARGO) bench --package timeloom-verify --bench verify
	$(CARGO) bench --package timeloom-store-sqlite --bench append --bench latency --bench replay --bench size
	$(CARGO) bench --package timeloom-archive --bench seal
	$(CARGO) bench --package timeloom-store-postgres --bench append --bench latency --bench replay
	$(CARGO) bench --package timeloom-commands --bench hot --bench redaction
	$(CARGO) bench --package timeloom-gateway --bench call
	$(CARGO) bench --package timeloom-history --bench travel
	$(CARGO) bench --package timeloom-inference --bench pool --bench session
	$(CARGO) bench --package timeloom-inference-front --bench words
	$(CARGO) bench --package timeloom-projections --bench list --bench replay
	$(CARGO) bench --package timeloom-monitor --bench traces
	$(CARGO) bench --package timeloom-expressions --features testing --bench native
	$(CARGO) bench --package timeloom-tests --bench api --bench executions --bench gateway --bench memory --bench webhooks --bench worker

bench-large: parts
	EXECUTIONS=1000000 $(CARGO) bench --package timeloom-tests --bench api

bench-peers: build
	tests/benches/peers/run.sh

bench-eventstore: build
	tests/benches/eventstore/run.sh

fuzz:
	scripts/fuzz.sh $(TARGET) $(SECONDS)

gpu-pack:
	scripts/gpu-check.sh pack $(PACK)

gpu-check:
	scripts/gpu-check.sh run $(PACK)

fmt:
	$(CARGO) fmt --all

lint: parts
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) clippy $(ESDB) --all-targets -- --deny warnings

clean:
	$(CARGO) clean
	rm -rf expressions/sandbox/guest/dist expressions/sandbox/guest/node_modules
	rm -rf read-api/graphiql/dist read-api/graphiql/node_modules
	rm -rf web/dist web/node_modules web/src/gql web/test-results
