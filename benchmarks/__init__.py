"""Every kernel beside its plain twin, side by side in one run; `make bench`, or `python -m benchmarks [NAME ...]`."""
