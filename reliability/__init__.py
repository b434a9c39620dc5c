"""Campaigns of hostile circumstances, outside the package: damaged files, kills, full disks, large data."""
