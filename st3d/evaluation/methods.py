"""The methods: 3D-ST and MVTec 3D-AD's own. It imports nothing heavy, since the workflow reads it too."""

from typing import Literal, get_args

Method = Literal["3d_st", "voxel_gan", "voxel_ae", "voxel_vm", "depth_gan", "depth_ae", "depth_vm"]
BASELINES: tuple[str, ...] = get_args(Method)[1:]
# of each method, the module of its `maps_of`; by name, so that a change in one reruns nothing of another
MODULES = {"3d_st": "student_teacher.point_maps"} | dict.fromkeys(BASELINES, "baselines.image_maps")
