"""The methods: 3D-ST, MVTec 3D-AD's own, memory banks. It imports nothing heavy, since the workflow reads it too."""

from typing import Literal

Method = Literal[
    "3d_st",
    "3d_st_calibrated",
    "voxel_gan",
    "voxel_ae",
    "voxel_vm",
    "depth_gan",
    "depth_ae",
    "depth_vm",
    "btf_fpfh",
    "shape_guided",
]
BASELINES = ("voxel_gan", "voxel_ae", "voxel_vm", "depth_gan", "depth_ae", "depth_vm")  # MVTec 3D-AD's own
MEMORY_BANKS = ("btf_fpfh", "shape_guided")
STUDENTS = ("3d_st", "3d_st_calibrated")  # those with a teacher and a student
COLOURED = (*BASELINES, "shape_guided")  # those that read colours too, in modality 3d_rgb
# of each method, the module of its `maps_of`; by name, so that a change in one reruns nothing of another
MODULES = (
    {"3d_st": "student_teacher.point_maps", "3d_st_calibrated": "student_teacher.calibrated_maps"}
    | dict.fromkeys(BASELINES, "baselines.image_maps")
    | {name: f"memory_banks.{name}_maps" for name in MEMORY_BANKS}
)
