# Every recipe is a plain command that you could type; CI runs the same ones.
# Needs cargo, a C compiler and python3. What else a recipe can use, it says when it is missing.

CONFIG ?= newsloom.toml
OUT    ?= synth-out
FEED   ?=
DEMO   ?=
SOAK   ?=
LOCAL   = newsloom-local newsloom-ingester newsloom-enrich newsloom-publish newsloom-consume

.DEFAULT_GOAL := help
.PHONY: help demo verify soak package synth test feed check review schema bench permissions lint fuzz

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  CONFIG=examples/production.toml make synth    another environment than newsloom.toml"

demo: local ## The whole pipeline on this machine: invented news in, enriched headlines out of RabbitMQ; Ctrl-C ends it
	target/debug/newsloom-local demo --config $(CONFIG) $(DEMO)

verify: local ## Known items through the whole pipeline on this machine, exact expectations out
	target/debug/newsloom-local verify --config $(CONFIG)

soak: local ## Two minutes of faults at random, and whether the books balance
	target/debug/newsloom-local soak --config $(CONFIG) $(SOAK)

.PHONY: local
local: # The programs of the pipeline, and the one that runs them
	cargo build $(LOCAL:%=--package %)

package: ## Build functions and ingester into target/package/: minutes at first, then only what changed
	cargo run --quiet --package newsloom-pipeline -- package --config $(CONFIG)

synth: package ## Write synth-out/ from newsloom.toml: Terraform JSON and CloudFormation
	cargo run --quiet --package newsloom-pipeline -- synth --config $(CONFIG) --out $(OUT)

test: ## Run everything that tests; a changed snapshot fails
	tools/rabbitmq
	CI=true cargo test --workspace --quiet

feed: ## Invented news from a simulator of LSEG's feed, through the ingester, as headlines; Ctrl-C ends it
	cargo build --quiet --package newsfeed-sim --package newsloom-ingester
	RUST_LOG=warn target/debug/newsfeed-sim $(FEED) -- \
	  target/debug/ingester --lseg-server {server} --lseg-server {server2} --lseg-user desk --standby --to headlines

check: ## Check format, lints and docs
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --quiet
	tools/deny

review: ## Read and accept changed snapshots
	tools/review

schema: ## Write newsloom.schema.json, which editors use for newsloom.toml
	cargo run --quiet --package newsloom-pipeline -- schema --out newsloom.schema.json

permissions: ## Print who may do what on which resource
	cargo run --quiet --package newsloom-pipeline -- permissions --config $(CONFIG)

lint: ## Ask terraform, cfn-lint, checkov and parliament about every example
	tools/lint

fuzz: ## Fuzz what reads LSEG's frames, 20 seconds each; needs cargo-fuzz and a nightly compiler
	tools/fuzz 20

bench: package ## Measure synth: one pipeline, and up to 1000 in one app; functions and ingester, beside Python's; the whole pipeline
	cargo build --quiet --release --package newsloom-pipeline --package newsloom-bench
	target/release/newsloom-bench
	cargo build --quiet --release --package newsloom-functions-bench
	target/release/newsloom-functions-bench
	cargo build --quiet --release --package newsloom-ingester-bench
	target/release/newsloom-ingester-bench
	cargo build --quiet --release --package newsloom-local
	target/release/newsloom-local bench --programs target/function
