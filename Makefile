# Everything a developer and CI run. Each target makes its own .venv when there is none.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Empty: the newest of python3.14 ... python3.11 that can make a virtual environment.
PYTHON ?=
VENV := .venv
RUN := $(VENV)/bin/python -m
# One worker a core; whoever is done takes tests over from the others.
SIDE_BY_SIDE := --numprocesses auto --dist worksteal
# Tests with a target of their own: they need root and more.
APART := e2e or image or hosts

.PHONY: help demo test test-slow test-all again e2e image image-test hosts sim fleet explore kill mutants \
    mutate bench costs soak attacks false-alarms lint docs wheel lock clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.stamp  ## a failover on this machine: no AWS account, no root
	@$(VENV)/bin/eni-failover demo

test: $(VENV)/.stamp  ## the tests, without the slow ones and those for root alone
	$(RUN) pytest -m "not slow and not ($(APART))" $(SIDE_BY_SIDE)

test-slow: $(VENV)/.stamp  ## the long rest: browser, Prometheus, real daemons, the kill matrix
	$(RUN) pytest -m "slow and not ($(APART))" $(SIDE_BY_SIDE)

test-all: test test-slow  ## all tests but those of e2e, the image and the hosts

again: $(VENV)/.stamp  ## the tests that failed last, one after another
	$(RUN) pytest --last-failed --last-failed-no-failures none

e2e: $(VENV)/.stamp  ## real links in network namespaces: as root, with iproute2 and nftables
	@[ "$$(id -u)" = 0 ] || { echo "make e2e: network namespaces need root" >&2; exit 1; }
	@.ci/need ip:iproute2 nft:nftables
	$(RUN) pytest -m e2e --numprocesses auto --dist loadfile

image:  ## the container image by buildah, without an engine; as root
	@.ci/image

image-test: $(VENV)/.stamp  ## builds the image and runs containers of it: as root
	@[ "$$(id -u)" = 0 ] || { echo "make image-test: an image and its containers need root" >&2; exit 1; }
	@.ci/need buildah:buildah crun:crun getcap:libcap2-bin ip:iproute2 nft:nftables
	$(RUN) pytest -m image tests/image

hosts: $(VENV)/.stamp  ## the units under systemd, on two hosts made of Debian: as root
	@[ "$$(id -u)" = 0 ] || { echo "make hosts: hosts need root" >&2; exit 1; }
	@.ci/need systemd-nspawn:systemd-container debootstrap:debootstrap ip:iproute2 nft:nftables
	$(RUN) pytest -m hosts tests/hosts

SEEDS ?= 1000
sim: $(VENV)/.stamp  ## seeded faults on whole daemons in virtual time; SEEDS=10000 DAYS=1 FOR=3600 (seconds) for more
	$(RUN) tests.sim.simulation --seeds $(SEEDS) $(DAYS:%=--days %) $(FOR:%=--seconds %) --jobs 2

PAIRS ?= 1 50 300 1000
fleet: $(VENV)/.stamp  ## many pairs on one account's request buckets, idle and all failing at once; PAIRS="1 50" for less
	$(RUN) tests.fleet.run --pairs $(PAIRS) --jobs 2

explore: $(VENV)/.stamp  ## every interleaving of small groups: a million states and more, ten minutes
	$(RUN) tests.sim.explore --states 1200000 --seconds 600 --jobs 2

kill: $(VENV)/.stamp  ## real daemons ended at every point of a takeover
	$(RUN) tests.kill.matrix

mutants: $(VENV)/.stamp  ## planted mistakes, and which checks notice each
	$(RUN) tests.mutants.run

MODULE ?=
mutate: build/mutmut/.stamp  ## every small change of the core against its tests; MODULE="moves fences" for less
	build/mutmut/bin/python -m tests.mutants.mutate $(MODULE)

# mutmut is not in the development lock: on Python 3.13 it wants another YAML package than on 3.11.
build/mutmut/.stamp: pyproject.toml requirements-dev.lock
	python=$$(.ci/python $(PYTHON)) && "$$python" -m venv --clear build/mutmut
	build/mutmut/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	build/mutmut/bin/pip install --quiet --disable-pip-version-check mutmut==3.8.1
	build/mutmut/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# What a contender needs and this machine has not, its row in the table says.
RUNS ?= 20
PROFILE ?=
bench: $(VENV)/.stamp  ## the same host death for this daemon and others, many hours; RUNS=3 PROFILE=3/2 for ten minutes
	-@[ "$$(id -u)" != 0 ] || .ci/need ip:iproute2 nft:nftables keepalived:keepalived
	-@$(MAKE) --no-print-directory build/awscli/.stamp
	$(RUN) benchmarks.takeover --runs $(RUNS) $(PROFILE:%=--profile %)

# Of its own: it pins another botocore.
build/awscli/.stamp:
	@python=$$(.ci/python $(PYTHON)) && "$$python" -m venv --clear build/awscli
	@build/awscli/bin/pip install --quiet --disable-pip-version-check awscli==1.45.11
	@touch $@

costs: $(VENV)/.stamp  ## memory, CPU and start of a daemon, fast probes, many probes, many takeovers
	$(RUN) benchmarks.costs

soak: FOR ?= 20m
soak: $(VENV)/.stamp  ## a pair that is never left alone: takeovers, reloads, pauses, restarts; FOR=1h
	$(RUN) benchmarks.soak --for $(FOR)

ONLY ?=
attacks: $(VENV)/.stamp  ## what strangers who attack the port and the socket cost a takeover; ONLY="chunks" RUNS=1 for less
	$(RUN) benchmarks.attacks $(if $(ONLY),--only $(ONLY)) --runs $(if $(filter file,$(origin RUNS)),3,$(RUNS))

false-alarms: $(VENV)/.stamp  ## needless moves a year on bad networks, by interval and fall
	$(RUN) benchmarks.false_alarms

lint: $(VENV)/.stamp  ## ruff, mypy, import-linter, known advisories of the locks
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(RUN) mypy
	$(VENV)/bin/lint-imports
	$(RUN) tests.advisories

docs: $(VENV)/.stamp  ## write what is generated: docs/configuration.md, the manual page, shell completion
	$(RUN) docs.generate

wheel: $(VENV)/.stamp  ## the wheel, into dist/
	$(RUN) pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

# pip-tools is not in the development lock: it wants its own pip. The oldest Python makes the pins,
# because what it can install all others can; only the public index makes the hashes, whatever this
# machine's pip uses. Pins that still fit are kept: to renew them, delete the file first.
COMPILE := env -u PIP_FIND_LINKS -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL PIP_CONFIG_FILE=/dev/null \
    CUSTOM_COMPILE_COMMAND="make lock" build/lock/bin/pip-compile --quiet --generate-hashes --strip-extras \
    --no-emit-index-url --no-emit-find-links --no-emit-trusted-host
lock:  ## write the lock files anew (python3.11, network)
	python3.11 -m venv --clear build/lock
	build/lock/bin/pip install --quiet pip-tools==7.6.2
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --output-file requirements-dev.lock --constraint requirements.lock --extra dev pyproject.toml
	$(COMPILE) --output-file requirements-build.lock --constraint requirements-dev.lock \
	    --only-build-deps --build-deps-for wheel pyproject.toml

clean:  ## remove what make made
	rm -rf $(VENV) build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# The second command downloads nothing: everything it needs is in the lock.
$(VENV)/.stamp: pyproject.toml requirements-dev.lock
	@$(RUN) pip --version >/dev/null 2>&1 || { python=$$(.ci/python $(PYTHON)) && "$$python" -m venv --clear $(VENV); }
	$(RUN) pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(RUN) pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
