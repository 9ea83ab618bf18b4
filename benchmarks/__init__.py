"""What vidpost costs, measured: `python -m benchmarks` (or `make bench`)."""
