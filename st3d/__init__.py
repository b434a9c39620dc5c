"""st3d: 3D-ST (Bergmann and Sattlegger), anomaly detection in 3D point clouds, reproduced."""

__version__ = "0.1.0"
