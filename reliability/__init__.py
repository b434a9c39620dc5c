"""Campaigns of hostile circumstances, outside the package: damaged files. `make fuzz`."""
