"""The stages: their commands and modules, what comes before each, and what each can see of the config.

Like `config`, only rules and the command line use this module, and it imports nothing heavy.
"""

from collections.abc import Mapping
from typing import Any

from st3d.evaluation.methods import BASELINES, MEMORY_BANKS, STUDENTS
from st3d.evaluation.methods import MODULES as MAP_MODULES
from st3d.extractors.methods import MODULES as EXTRACTOR_MODULES

Settings = dict[str, Any]

# method: the last stage before its maps
MODELS = {"3d_st": "student", "3d_st_calibrated": "calibrated"} | {name: name for name in (*BASELINES, *MEMORY_BANKS)}
EXTRACTORS = {  # what a student learns from: the stage that makes it
    "teacher": "teacher",
    "fcgf": "pretrain_fcgf",
    "ppf_foldnet": "pretrain_ppf_foldnet",
    "fpfh": "fpfh",
}

# What a stage can see of the config, beside what the stages before it see; a test compares this with the rules.
STAGES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # stage: (stages before it, sections or section.key that it reads itself)
    "scenes": ((), ("furniture", "surrogates", "scenes")),
    "downsampling": ((), ("dataset", "simulation", "downsampling")),
    "graph_scenes": (("scenes",), ("graph",)),
    "graph_scans": (("downsampling",), ("graph",)),
    "scale_scenes": (("graph_scenes",), ()),
    "scale_scans": (("graph_scans",), ()),
    "teacher": (("scale_scenes",), ("network", "teacher")),
    "pretrain_fcgf": (("graph_scenes",), ("pretrain_fcgf",)),
    "pretrain_ppf_foldnet": (("scale_scenes",), ("pretrain_ppf_foldnet",)),
    "fpfh": ((), ("fpfh",)),
    "student": ((*EXTRACTORS.values(), "scale_scans"), ("network", "student", "extractor")),
    "calibration": (("student",), ("calibration",)),
    "frame": ((), ("dataset", "simulation", "downsampling.invalid", "frame")),
    "voxels": (("frame",), ("augmentation", "voxels")),
    "depth": (("frame",), ("augmentation", "depth")),
    "voxel_gan": (("voxels",), ("detector", "voxel_gan")),
    "voxel_ae": (("voxels",), ("detector", "voxel_ae")),
    "voxel_vm": (("voxels",), ("detector", "voxel_vm")),
    "depth_gan": (("depth",), ("detector", "depth_gan")),
    "depth_ae": (("depth",), ("detector", "depth_ae")),
    "depth_vm": (("depth",), ("detector", "depth_vm")),
    "objects": ((), ("dataset", "simulation", "downsampling.invalid", "objects")),
    "btf_fpfh": (("objects",), ("detector", "btf_fpfh")),
    "sdf_expert": (("objects",), ("sdf_expert",)),
    "shape_guided": (("objects", "sdf_expert"), ("detector", "shape_guided", "colour")),
    "calibrated": (("student", "objects"), ("calibrated",)),
    "maps": (tuple(MODELS.values()), ("detector",)),
    "score": (("maps", "objects"), ("score",)),
    "interval": (("maps",), ("interval",)),
    "cost": (("scale_scans",), ("network", "cost")),
}
COMMAND_OF = {  # the command that a stage's rule calls, if not the one of its name
    "graph_scenes": "graph", "graph_scans": "graph", "scale_scenes": "scale", "scale_scans": "scale",
    "voxel_gan": "gan", "depth_gan": "gan", "voxel_ae": "autoencoder", "depth_ae": "autoencoder",
    "voxel_vm": "variation", "depth_vm": "variation",
}  # fmt: skip
COMMANDS = {  # package: {command: (module with the function of that name, a line for --help, without an import)}
    "inspection": {
        "simulate": ("inspection.simulate", "Simulate scans of a part, good and defective, to try the others with."),
        "fit": ("inspection.fit", "Learn from scans of good parts what they look like; write a model file."),
        "predict": ("inspection.predict", "Judge scans: score, pass or fail, map, picture and coloured cloud of each."),
        "evaluate": (
            "inspection.evaluate",
            "Measure how well a model judges scans of which it is known what they are.",
        ),
    },
    "simulation": {
        "furniture": ("simulation.furniture.furniture", "Simulate furniture meshes in ModelNet10's kinds and layout."),
        "surrogates": (
            "simulation.range_sensors.surrogates",
            "Simulate surrogates of the point clouds of Semantic KITTI, 3DMatch or MVTec ITODD.",
        ),
        "simulation": ("simulation.scans.simulation", "Simulate one category's scans in MVTec 3D-AD's layout."),
    },
    "formats": {
        "download_modelnet10": ("formats.download", "Download ModelNet10's meshes."),
        "download_mvtec_3d_ad": ("formats.download", "Download MVTec 3D-AD's scans."),
        "download_3dmatch": ("formats.download", "Download the fragments of one of 3DMatch's scenes."),
    },
    "student_teacher": {
        "scenes": ("student_teacher.scenes", "Make synthetic scenes of meshes or point clouds, downsampled."),
        "downsampling": (
            "student_teacher.downsampling",
            "Drop a scan's invalid pixels and downsample it by farthest point sampling.",
        ),
        "graph": ("student_teacher.graph", "Find each point's nearest neighbours."),
        "scale": ("student_teacher.scale", "Measure the mean distance of a point to its neighbours."),
        "teacher": ("student_teacher.teacher", "Pretrain the teacher on scenes."),
        "pretrained_teacher": ("student_teacher.pretrained", "Make the files of a pretrained teacher for the package."),
        "student": ("student_teacher.student", "Train one category's student to match a frozen feature extractor."),
        "calibrated": (
            "student_teacher.calibrated",
            "Keep what teacher and student make of anomaly-free scans, for calibrated scores.",
        ),
        "calibration": (
            "student_teacher.calibration",
            "Put teacher, student and their thresholds into one model file.",
        ),
    },
    "extractors": {
        "pretrain_fcgf": ("extractors.fcgf.pretrain", "Pretrain FCGF on scenes, or convert a checkpoint."),
        "pretrain_ppf_foldnet": (
            "extractors.ppf_foldnet.pretrain",
            "Pretrain PPF-FoldNet on scenes, or convert a checkpoint.",
        ),
        "fpfh": ("extractors.fpfh", "Write the settings of fast point feature histograms."),
    },
    "baselines": {
        "frame": ("baselines.frame", "Find a category's bounding box, background plane and camera."),
        "voxels": ("baselines.voxels", "Convert one split's scans to voxel grids."),
        "depth": ("baselines.depth", "Convert one split's scans to depth images."),
        "gan": ("baselines.gan", "Train one category's f-AnoGAN on voxel grids or depth images."),
        "autoencoder": ("baselines.autoencoder", "Train one category's autoencoder on voxel grids or depth images."),
        "variation": ("baselines.variation", "Measure the mean and deviation of one category's voxels or pixels."),
    },
    "memory_banks": {
        "objects": ("memory_banks.objects", "Convert one split's scans to object images, without their background."),
        "btf_fpfh": ("memory_banks.btf_fpfh", "Fill one category's memory bank with the histograms of BTF."),
        "sdf_expert": ("memory_banks.sdf_expert", "Train Shape-Guided's network of signed distances, or convert one."),
        "shape_guided": (
            "memory_banks.shape_guided",
            "Fill one category's memory banks with the patches of Shape-Guided, and their colours.",
        ),
    },
    "evaluation": {
        "maps": ("evaluation.maps", "Make the anomaly maps of a category's test scans."),
        "score": ("evaluation.score", "Compute a category's AU-PRO and image AUROC."),
        "interval": (
            "evaluation.interval",
            "Measure the spread of a category's scores over resamples of its test scans.",
        ),
        "cost": ("evaluation.cost", "Measure seconds and memory of training and of inference."),
        "variant": ("evaluation.variant", "Collect one variant's scores of all categories."),
        "methods": ("evaluation.methods_table", "Write the table of all methods, published rows above measured ones."),
        "tables": ("evaluation.tables", "Write one of the tables, measured rows beside published ones."),
        "report": ("evaluation.report.report", "Write the report: one page of tables, figures, scans and losses."),
        "evidence_row": ("evaluation.evidence.row", "Put all that was measured of one variant into one small file."),
        "evidence": (
            "evaluation.evidence.evidence",
            "Put what a study measured into a folder that can be kept with the code.",
        ),
        "differences": ("evaluation.differences", "Print measured minus published of all cells of tables."),
    },
    "workflow": {
        "check": ("workflow.check", "Look at a user's own data: layout, headers, masks; say all that is wrong."),
    },
}
MODULE = {command: module for package in COMMANDS.values() for command, (module, _) in package.items()}
CHOICES = {  # of these stages before it, a variant has one alone: named by section.key
    "maps": ("detector.method", MODELS),
    "student": ("extractor.method", EXTRACTORS),
}
VARIABLE = (  # what a variant may set
    "detector", "scenes", "downsampling", "graph", "network", "teacher", "student", "extractor",
    "pretrain_fcgf", "pretrain_ppf_foldnet", "fpfh", "calibration", "calibrated",
    "frame", "augmentation", "voxels", "depth", *BASELINES,
    "objects", "sdf_expert", "colour", *MEMORY_BANKS, "score", "interval", "cost",
)  # fmt: skip


def modules(stage: str, settings: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The module of a stage, and those that it loads by name with a variant's `settings`."""
    found = [MODULE[COMMAND_OF.get(stage, stage)]]
    if settings is None:
        return tuple(found)
    method, extractor = settings["detector"]["method"], settings["extractor"]["method"]
    if stage == "maps":
        found.append(MAP_MODULES[method])
    with_student = ("student", "calibration", "calibrated", "maps")
    if method in STUDENTS and stage in with_student and extractor in EXTRACTOR_MODULES:
        found.append(EXTRACTOR_MODULES[extractor])
    return tuple(found)


def before(stage: str, settings: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """The stages right before `stage`; with a variant's `settings`, those that it has."""
    stages = STAGES[stage][0]
    if stage == "score" and settings is not None and settings["score"]["pixels"] == "scan":
        return tuple(each for each in stages if each != "objects")  # at the scans' own size it reads none
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
