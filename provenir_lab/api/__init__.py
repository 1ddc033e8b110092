"""`Lab`, and what goes with it."""

from provenir_lab.api.lab import EXECUTORS, Lab, check_contract

__all__ = ["EXECUTORS", "Lab", "check_contract"]
