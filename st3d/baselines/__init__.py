"""Baselines: the methods of MVTec 3D-AD's own paper, on voxel grids and depth images.

What must not enter: 3D-ST's teacher and student.
"""
