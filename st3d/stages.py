"""The stages: what comes before each, and what each can see of the config.

Like `config`, only the rules use this module, and it imports nothing heavy.
"""

from collections.abc import Mapping
from typing import Any

Settings = dict[str, Any]

BASELINES = ("voxel_gan", "voxel_ae", "voxel_vm", "depth_gan", "depth_ae", "depth_vm")  # MVTec 3D-AD's own methods
MODELS = {"3d_st": "student"} | {name: name for name in BASELINES}  # method: the last stage before its maps
EXTRACTORS = {  # what a student learns from: the stage that makes it
    "teacher": "teacher",
    "fcgf": "pretrain_fcgf",
    "ppf_foldnet": "pretrain_ppf_foldnet",
    "fpfh": "fpfh",
}

# What a stage can see of the config, beside what the stages before it see; a test compares this with the rules.
# Points and neighbours are stored once for the largest that any variant needs, and sliced: hence graph's single keys.
STAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # stage: (stages before it, sections or section.key that it reads itself)
    "scenes": ((), ("furniture", "stand_ins", "scenes")),
    "thin": ((), ("dataset", "simulation", "thin")),
    "graph_scenes": (("scenes",), ("graph.points",)),
    "graph_scans": (("thin",), ("graph.points",)),
    "scale_scenes": (("graph_scenes",), ("graph.neighbours",)),
    "scale_scans": (("graph_scans",), ("graph.neighbours",)),
    "teacher": (("scale_scenes",), ("network", "teacher")),
    "pretrain_fcgf": (("graph_scenes",), ("pretrain_fcgf",)),
    "pretrain_ppf_foldnet": (("scale_scenes",), ("pretrain_ppf_foldnet",)),
    "fpfh": ((), ("fpfh",)),
    "student": ((*EXTRACTORS.values(), "scale_scans"), ("network", "student", "extractor")),
    "frame": ((), ("dataset", "simulation", "thin.invalid", "frame")),
    "voxels": (("frame",), ("augmentation", "voxels")),
    "depth": (("frame",), ("augmentation", "depth")),
    "voxel_gan": (("voxels",), ("detector", "voxel_gan")),
    "voxel_ae": (("voxels",), ("detector", "voxel_ae")),
    "voxel_vm": (("voxels",), ("detector", "voxel_vm")),
    "depth_gan": (("depth",), ("detector", "depth_gan")),
    "depth_ae": (("depth",), ("detector", "depth_ae")),
    "depth_vm": (("depth",), ("detector", "depth_vm")),
    "maps": (tuple(MODELS.values()), ("detector",)),
    "score": (("maps",), ("score",)),
    "cost": (("scale_scans",), ("network", "cost")),
}
MODULE_OF = {  # where a stage's code is, if not in the module of its name
    "graph_scenes": "graph", "graph_scans": "graph", "scale_scenes": "scale", "scale_scans": "scale",
    "voxel_gan": "gan", "depth_gan": "gan", "voxel_ae": "autoencoder", "depth_ae": "autoencoder",
    "voxel_vm": "variation", "depth_vm": "variation",
}  # fmt: skip
CHOICES = {  # of these stages before it, a variant has one alone: named by section.key
    "maps": ("detector.method", MODELS),
    "student": ("extractor.method", EXTRACTORS),
}
VARIABLE = (  # what a variant may set
    "detector", "scenes", "thin", "graph", "network", "teacher", "student", "extractor",
    "pretrain_fcgf", "pretrain_ppf_foldnet", "fpfh",
    "frame", "augmentation", "voxels", "depth", *BASELINES, "score", "cost",
)  # fmt: skip


def before(stage: str, settings: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The stages right before `stage`; with a variant's `settings`, those that it has."""
    stages = STAGES[stage][0]
    if settings is None or stage not in CHOICES:
        return stages
    name, makers = CHOICES[stage]
    left_out = set(makers.values()) - {makers[value(settings, name)]}
    return tuple(each for each in stages if each not in left_out)


def chain(stage: str, settings: Mapping[str, Any] | None = None) -> frozenset[str]:
    """`stage` and all stages before it; with a variant's `settings`, those that it has."""
    return frozenset([stage]).union(*(chain(name, settings) for name in before(stage, settings)))


def sees(stage: str, settings: Mapping[str, Any] | None = None) -> frozenset[str]:
    """The sections and keys that `stage` or any before it reads; with a variant's `settings`, in that variant."""
    return frozenset(name for each in chain(stage, settings) for name in STAGES[each][1])


def value(settings: Mapping[str, Any], name: str) -> Any:
    """`settings` at `section`, `section.key` or deeper."""
    for key in name.split("."):
        settings = settings[key]
    return settings
