"""Chaos: a tiny study under kills, full disks, clock jumps and file systems that lack something."""
