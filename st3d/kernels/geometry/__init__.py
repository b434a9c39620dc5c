"""Geometry: the camera, planes, voxel grids, rotations, sampling of surfaces.

What must not enter: files and paths; anything that knows a category or a data set.
"""
