"""Student and teacher: 3D-ST itself, from scenes and scans to a score per pixel.

What must not enter: other feature extractors (loaded by name), the baselines, tables.
"""
