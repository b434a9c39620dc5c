"""Campaigns of hostile circumstances, outside the package: kills, full disks, large data. `make chaos`."""
