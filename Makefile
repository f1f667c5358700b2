# signer: the commands people type. Each sets up what it needs first (tools/setup.sh).
PY := .venv/bin/python
WORKERS ?= 4

.DEFAULT_GOAL := help
.PHONY: help demo demo-serve test lint format proto docs bench bench-compare load season scale night soak faults fuzz dashboards lock dist sbom audit deb deb-check image-check clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

demo: ## sign a real class on a SoftHSM token, verify it, show it; leaves nothing running
	@tools/setup.sh demo
	@.venv/bin/signer demo

demo-serve: ## the same, and keep the daemon up to play with
	@tools/setup.sh demo
	@.venv/bin/signer demo --serve

test: ## the fast test suite
	@tools/setup.sh test
	$(PY) -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests

lint: ## format, ruff, mypy, layers, contract, generated files
	@tools/setup.sh test
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports --no-cache
	proto/lint.sh
	proto/generate.sh --check

format: ## ruff format and safe fixes
	@tools/setup.sh test
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .

proto: ## generate signer/v1 from proto/
	@tools/setup.sh test
	proto/generate.sh

docs: ## generate the reference pages in docs/
	@tools/setup.sh test
	$(PY) -m signer.config > docs/config.md
	$(PY) -m signer.telemetry > docs/metrics.md
	$(PY) -m signer.cli.help > docs/cli.md
	$(PY) -m signer.error_reference > docs/errors.md
	$(PY) -m tools.supply.licences > docs/licences.md

bench: ## benchmarks; one JSON object a line in var/bench/latest.jsonl (BENCH='--quick pades')
	@tools/setup.sh test
	$(PY) -m tests.bench $(BENCH)

bench-compare: ## other signers from PyPI on the same token and documents (installed into var/bench/venv)
	@tools/setup.sh test
	$(PY) -m tests.bench compare

load: ## the last week of May in four minutes: docs/load.md and docs/load.png (LOAD='--short --out var')
	@tools/setup.sh test
	$(PY) -m tests.load $(LOAD)

season: ## the last week of May in virtual time: docs/season.md (SEASON='--schools 300')
	@tools/setup.sh test
	$(PY) -m tests.season $(SEASON)

scale: ## from measured costs to machines: docs/scale.md
	@tools/setup.sh test
	$(PY) -m tests.scale > docs/scale.md

night: ## 100,000 queued records handed over, worked off and picked up, and what grew (NIGHT='--documents 10000')
	@tools/setup.sh test
	$(PY) -m tests.soak.night $(NIGHT)

soak: ## 12,000 documents of every kind against one daemon, and what grew: docs/soak.md (SOAK='--rounds 60')
	@tools/setup.sh test
	$(PY) -m tests.soak $(SOAK)

faults: ## the whole fault matrix (long); a table and var/faults/latest.jsonl
	@tools/setup.sh test
	$(PY) -m tests.faults.report

fuzz: ## the fuzz tests with many examples (long)
	@tools/setup.sh test
	SIGNER_FUZZ_EXAMPLES=5000 $(PY) -m pytest -n $(WORKERS) tests/fuzz

dashboards: ## draw docs/dashboards.png from a real Prometheus beside a daemon under load
	@tools/setup.sh test
	$(PY) -m tests.support.draw docs/dashboards.png

lock: ## resolve dependencies anew
	@tools/setup.sh test
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra demo --extra tracing --extra queue pyproject.toml -o requirements.lock
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --extra demo --extra tracing --extra queue --group dev pyproject.toml -o requirements-dev.lock
	.venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group build -o requirements-build.lock

dist: ## source archive and wheel of the commit in dist/, made twice and compared byte by byte
	@tools/setup.sh test
	tools/supply/dist.sh dist

sbom: ## the bill of materials (CycloneDX) of what is shipped: dist/signer.cdx.json
	@tools/setup.sh test
	$(PY) -m tools.supply.sbom dist/signer.cdx.json

audit: ## known holes in what is shipped; asks a public advisory service (exit code 2: it could not tell)
	@tools/setup.sh test
	$(PY) -m tools.supply.audit

deb: dist ## the Debian package for Debian 12 in dist/
	deploy/debian/build.sh dist dist/signer-*.whl

deb-check: deb ## install it on a clean Debian 12, run it, take it away again (minutes; root)
	@tools/setup.sh deploy
	lintian --fail-on error,warning "$$(ls -t dist/signer_*.deb | head -1)"
	deploy/debian/check.sh "$$(ls -t dist/signer_*.deb | head -1)"
	deploy/debian/check_service.sh "$$(ls -t dist/signer_*.deb | head -1)"

image-check: ## build the OCI image on a clean Debian 12 and run it (minutes; root)
	@tools/setup.sh deploy
	deploy/container/check.sh

clean: ## remove what the demo, tests and benchmarks made
	rm -rf var .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
