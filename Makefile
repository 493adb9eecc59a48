# Requires Python 3.11 or newer and make; everything else is installed into .venv.
PYTHON ?= python3
OUT ?= ..
BIN := .venv/bin
# The part of the rendered package that is plain Python, and the style that it follows.
INTERNAL := --config tests/rendered/style.toml *cookiecutter.project_slug*/*cookiecutter.project_slug*/_internal
NEW_ENOUGH = @$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| { echo "Python 3.11 or newer is required; set its name with PYTHON=python3.13" >&2; exit 1; }

.DELETE_ON_ERROR:
.PHONY: help new sample update example test lint format e2e e2e-full canary bench soak pictures portable release clean

# Show these targets.
help:
	@awk '/^# /{text=substr($$0, 3)} /^[a-z0-9-]+:/{sub(/:.*/, ""); printf "make %-8s %s\n", $$0, text}' Makefile

# Scaffold a service beside this folder or in OUT=folder; pass answers as ARGS="--no-input project_name=…".
new: .venv/new
	@$(BIN)/python make_new.py --output-dir "$(OUT)" $(value ARGS)

# Scaffold a service with all options, to browse, as sample_service in OUT=folder.
sample: .venv/new
	@$(BIN)/python make_new.py --output-dir "$(OUT)" --no-input project_name="Sample Service" \
		use_sentry=true use_prometheus=true use_docker=true

# Merge a newer version into PROJECT=folder: TO=ref, ARGS="use_sentry=true"; CHECK=1 only looks.
update: .venv/update
	@$(BIN)/python -m update "$(or $(PROJECT),$(error PROJECT is empty: make update PROJECT=../my_service))" \
		--to "$(value TO)" $(if $(filter-out 0,$(CHECK)),--check) $(value ARGS)

# Make the to-do application of examples/todo, a service with a database and pages, in OUT=folder.
example: .venv/new
	@$(BIN)/python make_example.py "$(OUT)"

# Run the template's tests; ARGS="-k slug" is passed to pytest.
test: .venv/dev
	@$(BIN)/pytest --ignore=tests/e2e --ignore=tests/e2e_full $(value ARGS)

# Check format, lint and types without changes.
lint: .venv/dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/ruff format --check $(INTERNAL)
	$(BIN)/ruff check $(INTERNAL)
	$(BIN)/mypy

# Fix lint and format.
format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix $(INTERNAL)
	$(BIN)/ruff format $(INTERNAL)

# Install, build and serve rendered projects.
e2e: .venv/dev
	@$(BIN)/pytest tests/e2e $(value ARGS)

# Run the e2e tests with every server and 5,000 connections of random bytes: after a change of a server, before a release.
e2e-full: .venv/browser
	@SERVERS="hypercorn uvicorn" FUZZ_CONNECTIONS=5000 $(BIN)/pytest tests/e2e tests/e2e_full $(value ARGS)

# Run a project's tests with its oldest and newest dependencies and Pythons; ARGS="--server uvicorn" runs some; takes an hour.
canary: .venv/dev
	@$(BIN)/python -m tests.canary $(value ARGS)

# Measure the cost of logging against bare FastAPI and common logging; takes 13 minutes.
bench: .venv/dev
	@$(BIN)/python -m bench

# Send a million requests to one process of each server; SOAK_REQUESTS=50000 sends fewer; takes half an hour.
soak: .venv/dev
	@SOAK_REQUESTS="$(value SOAK_REQUESTS)" $(BIN)/python -m bench.soak

# Draw docs/console.svg and docs/pretty.svg from a served project.
pictures: .venv/dev
	@$(BIN)/python -m bench.pictures

# Write the template of the last commit into OUT=folder, with names that Windows allows.
portable:
	$(NEW_ENOUGH)
	@$(PYTHON) make_portable.py "$(OUT)"

# Close the changelog, commit and tag VERSION=0.2.0; nothing is pushed.
release:
	$(NEW_ENOUGH)
	@$(PYTHON) make_release.py "$(value VERSION)"

# Remove the files that these targets made.
clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis

.venv/new: pyproject.toml | .venv/bin/uv
	@$(BIN)/uv pip install --quiet --python .venv --group new
	@touch $@

.venv/update: pyproject.toml | .venv/bin/uv
	@$(BIN)/uv pip install --quiet --python .venv --group update
	@touch $@ .venv/new

.venv/dev: pyproject.toml | .venv/bin/uv
	@$(BIN)/uv pip install --quiet --python .venv --group dev
	@touch $@ .venv/new .venv/update

.venv/browser: .venv/dev
	@$(BIN)/uv pip install --quiet --python .venv --group browser
	@touch $@

.venv/bin/uv:
	$(NEW_ENOUGH)
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { echo "Python has no venv; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.8"
