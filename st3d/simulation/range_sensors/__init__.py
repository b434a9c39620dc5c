"""Synthetic surrogates of Semantic KITTI, 3DMatch and MVTec ITODD: worlds, and the sensors that see them.

What must not enter: scans and their defects.
"""
