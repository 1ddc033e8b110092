"""Speed and memory of the stages, as ratios measured in one run: `python -m benchmarks`."""
