"""Memory banks: methods that compare a scan's features with those of anomaly-free scans: BTF and Shape-Guided.

What must not enter: 3D-ST's teacher and student, the baselines' networks.
"""
