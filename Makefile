# Each line below is a command that you could type yourself, with .venv/bin in your PATH.
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
PAGE := _build/html/book/05-sft.html

.DEFAULT_GOAL := help
.PHONY: help course test lint book instructor notebooks pdf results lab clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

course: ## the whole course: models, a measured run, exercises, a graded demo class, the book
	@tools/setup.sh course
	@echo "[1/6] models and reviews"
	@ftlab fetch
	@echo "[2/6] supervised fine-tuning on real reviews (about two minutes the first time)"
	@ftlab run sft
	@echo "[3/6] exercises from their masters"
	@autograder release
	@echo "[4/6] the grader: the reference must get everything, the stub nothing, wrong answers less (as recorded)"
	@autograder audit
	@echo "[5/6] the book"
	@jupyter-book build . -W --keep-going
	@echo "[6/6] a demo class of three hands in 05-sft (all assignments: autograder demo)"
	@autograder demo 05-sft
	@echo "Open $(CURDIR)/$(PAGE)"

test: ## set up, lint, types, the audit of the exercises, and all tests
	@tools/setup.sh test
	@$(MAKE) --no-print-directory lint
	ftlab fetch
	autograder audit --check
	OMP_NUM_THREADS=1 pytest -n 2 --dist loadgroup

lint: ## style, types, and exercises that are out of date
	ruff check .
	ruff format --check .
	mypy
	autograder release --check

book: ## build the book only
	@tools/setup.sh course
	@ftlab fetch
	jupyter-book build . -W --keep-going

instructor: ## build the instructor edition, with solutions, into _build/instructor
	@tools/setup.sh course
	@ftlab fetch
	FTBOOK_EDITION=instructor jupyter-book build . -W --keep-going --path-output _build/instructor

notebooks: ## write each chapter as a Jupyter notebook into _build/notebooks
	@tools/setup.sh course
	PYTHONPATH=book/_ext python -m ftbook notebooks _build/notebooks

pdf: book ## print the book into _build/book.pdf (needs Chromium)
	@tools/setup.sh test
	PYTHONPATH=book/_ext python -m ftbook pdf _build/html _build/book.pdf

results: ## record the runs that the book shows: five seeds each; goes on where it stopped
	@tools/setup.sh course
	ftlab results --record

lab: ## copy the exercises to work/ (yours to write in) and open JupyterLab there
	@tools/setup.sh course
	@ftlab fetch
	@mkdir -p work && cp -rn exercises/. work/
	jupyter lab work

clean: ## remove what was built; the environment, the models and your runs stay
	rm -rf _build
