# An alias of dev.py:  make demo, make test ARGS="-k mapping"
PYTHON ?= python3

.PHONY: demo test lab bench faults docs
demo test lab bench faults docs:
	@$(PYTHON) dev.py $@ $(ARGS)
