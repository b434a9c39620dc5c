"""Simulated scans in MVTec 3D-AD's layout: shapes, defects, the scanner.

What must not enter: furniture, range sensors, file formats of other data sets.
"""
