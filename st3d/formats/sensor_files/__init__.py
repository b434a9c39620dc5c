"""Sensor files: scans as 3D sensors and their programs write them, in metres, with units and invalid pixels found.

What must not enter: MVTec 3D-AD's folders, the workflow, the detector.
"""
