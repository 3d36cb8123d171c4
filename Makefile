# make lab     read and run the course in JupyterLab
# make test    prove that everything in the repository runs, once (12 to 15 minutes)
# make test-all  also with two threads, every lesson in a browser, a class of submissions (an hour)
# make run     execute all notebooks, refresh their outputs and their seconds and memory
# make record  run GPU cells here and record their results: make record ARGS=09_cifar
# make bench   measure our solvers against others' (installs them; about 4 minutes)
# make site    the website: every notebook as a page, in build/site
# make slides  the notebooks as reveal.js slides, in build/slides
# make editions  the course for students (without solutions) and for teachers, in build/editions
# make pack    one archive that installs the course on a machine without a network, in build/pack
# make colab   prove the set-up cell in a fresh environment (downloads packages)
# make clean   remove the installed environment (.venv) and caches
#
# record, bench, site, slides, editions and pack need the whole course, not the student edition.
#
#   make lab ARGS="--no-browser --port 8890"   ARGS goes on to the program
#   make lab PYTHON=python3.12                 another Python, 3.10 or newer
#   make lab TORCH=cpu                         Linux without a GPU: 200 MB of PyTorch, not 5 GB
#   make test LOCK=requirements.lock           the versions that were tested, not the newest
#                                              (both are read at installation; later: make clean)

PYTHON ?= python3
PY     := .venv/bin/python
STAMP  := .venv/course-installed
PEERS  := .venv/peers-installed
TESTPY := .venv/tests/bin/python
EXTRA  := .venv/tests/extra-installed
ALL    := .venv/tests/all-installed
SITE   := .venv/site-extra-installed
ROOT   := $(if $(filter 0,$(shell id -u)),--allow-root)
INSTALL = $(PY) -m pip install -q --disable-pip-version-check
# Empty when there is no .venv, or one that does not work any more: then it is made again.
WORKS  := $(shell $(PY) -c 'import sys, pip; print("yes" * (sys.version_info >= (3, 10)))' 2>/dev/null)

.PHONY: lab test test-all run record bench site slides editions pack colab clean install again \
	whole-course

lab: install
	@$(PY) -m jupyterlab --ServerApp.root_dir=. $(ROOT) \
		--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb $(ARGS)

test: install $(EXTRA)
	@`test -e $(EXTRA) && echo $(TESTPY) || echo $(PY)` tests/run_all.py $(ARGS)

test-all: install $(ALL)
	@`test -e $(ALL) && echo $(TESTPY) || echo $(PY)` tests/run_all.py --all $(ARGS)

run: install
	@$(PY) -m course_tools.run_notebooks $(ARGS)

record: whole-course install
	@$(PY) -m course_tools.record_gpu_cells $(ARGS)

bench: whole-course install $(PEERS)
	@$(PY) -m pytest -q -rs --benchmark-quiet -p no:cacheprovider benchmarks/bench_*.py $(ARGS)

site slides: whole-course install $(SITE)
	@$(PY) -m course_tools.publishing.$@ $(ARGS)

editions pack: whole-course install
	@$(PY) -m course_tools.publishing.$@ $(ARGS)

colab: install
	@$(PY) -m pytest -m colab tests/test_colab.py $(ARGS)

whole-course:
	@test -d course_tools/publishing || \
		{ echo "make $(MAKECMDGOALS) needs the whole course; this is the student edition."; exit 1; }

install: $(STAMP)

$(STAMP): pyproject.toml $(if $(WORKS),,again)
ifeq ($(WORKS),)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
		echo "The course needs Python 3.10 or newer; $(PYTHON) is: `$(PYTHON) --version 2>&1`."; \
		echo "Install one, then name it: make lab PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear .venv
endif
	@echo "Installing the course into .venv (once, some minutes)."
ifeq ($(TORCH),cpu)
	@$(INSTALL) torch torchvision --index-url https://download.pytorch.org/whl/cpu
endif
	@$(INSTALL) $(if $(LOCK),-c $(LOCK)) -e .
	@$(PY) -m jupyter labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements >/dev/null 2>&1
	@touch $@

# The extra `bench` of pyproject.toml. Not every machine has a wheel of SPAMS: then it is left out.
$(PEERS): $(STAMP)
	@$(INSTALL) pytest-benchmark
	@for peer in spams-bin dictlearn; do $(INSTALL) --only-binary $$peer $$peer || \
		echo "$$peer cannot be installed here: the benchmark goes without it."; done
	@touch $@

# The extra `test`: what tests compare with, in an environment of its own that stands on .venv, so that the
# reader's JupyterLab stays as it is. Where the extra cannot be had, the tests that need it are skipped.
$(EXTRA): extras := test
$(ALL): extras := test,site
$(EXTRA) $(ALL): $(STAMP)
	@$(PY) tests/environment.py $(extras) $(if $(LOCK),-c $(LOCK)) && touch $(EXTRA) $@ || \
		echo "The extra \`test\` of pyproject.toml cannot be installed now: the tests that need it are skipped."

# The extra `site`: the generator of the website, and what pages and slides need to work without a network.
$(SITE): $(STAMP)
	@$(INSTALL) -e ".[site]" && touch $@

clean:
	rm -rf .venv .pytest_cache .hypothesis .benchmarks build *.egg-info
	find . -name __pycache__ -prune -exec rm -rf {} +
