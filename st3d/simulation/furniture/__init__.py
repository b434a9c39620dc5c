"""Simulated furniture meshes in ModelNet10's kinds and layout.

What must not enter: scans and their defects.
"""
