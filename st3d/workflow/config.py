"""The config as the rules see it: checked, each variant resolved, and who owns which result.

Only the rules use this module. It imports nothing heavy, so that a dry run needs no torch.
"""

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from st3d.evaluation.methods import COLOURED
from st3d.formats.folders import files_below
from st3d.workflow.stages import STAGES, VARIABLE, Settings, chain, modules, sees, value

SIMULATED, MVTEC_3D_AD, MODELNET10 = "simulated", "mvtec_3d_ad", "modelnet10"
THREE_D_MATCH, REGISTERED = "3dmatch", ("semantic_kitti", "itodd")  # the second: downloads that ask for a registration
SURROGATES = ("simulated_kitti", "simulated_3dmatch", "simulated_itodd")
MESHES = "meshes"  # as a source: what config's `meshes` names
SOURCES = (SIMULATED, MODELNET10, *SURROGATES, THREE_D_MATCH, *REGISTERED)  # of scenes, beside folders
MVTEC_CATEGORIES = ("bagel", "cable_gland", "carrot", "cookie", "dowel", "foam", "peach", "potato", "rope", "tire")

DEPTH, VALUES = 20, 100_000  # of a config: levels, and values at all levels together
WIDE_RESNET = "wide_resnet50_2"  # of which no package has weights
FOLDERS = ("results", "data", "dataset")  # keys that hold a path; of dataset also a name
NOT_IN_PATHS = "{}<>*?\n"  # Snakemake reads these as wildcards or path variables
LONGEST = 300  # characters of what a key's value is shown with
LEAST_SIZE = 64  # pixels; the networks for depth images halve the sides five times; one pixel has no deviation


class Study:
    """A checked config with its variants.

    Parameters
    ----------
    config
        Mapping, as in config.yaml.
    schema
        Path of config.schema.yaml.

    Raises
    ------
    ValueError
        If a key is unknown or missing, or a value is out of range; one line that names the key.
    """

    def __init__(self, config: Mapping[str, Any], schema: Path):
        self._validator = jsonschema.Draft202012Validator(yaml.safe_load(schema.read_text()))
        _refuse_bombs(config)
        config = {key: with_numbers(part) if key != "download" else part for key, part in config.items()}
        self._check(config, "config")
        self.config = config = {key: _folder(key, value) if key in FOLDERS else value for key, value in config.items()}
        self.variants = {name: self._resolve(name) for name in config["variants"]}
        self._check_choices()
        self.running: list[str] = list(config["run_variants"]) or list(self.variants)
        self._check_points()
        self._owners = {stage: self._owners_of(stage) for stage in STAGES}

    def owner(self, stage: str, variant: str) -> str:
        """The first declared variant that agrees with `variant` on all that `stage` can see."""
        return self._owners[stage][variant]

    def flags(self, variant: str, *names: str) -> str:
        """Sections, or single `section.key`s, of a variant as command line flags."""
        settings: Settings = {}
        for name in names:
            chosen = value(self.variants[variant], name)
            settings |= chosen if isinstance(chosen, dict) else {name.split(".")[-1]: chosen}
        return " ".join(flag(key, setting) for key, setting in settings.items())

    def method(self, variant: str) -> str:
        """How a variant finds defects: 3d_st, or one of the baselines."""
        return self.variants[variant]["detector"]["method"]

    def pretrained(self, variant: str) -> bool:
        """Whether a variant's students learn from the teacher that the package brings."""
        chosen = self.variants[variant]
        return chosen["extractor"]["method"] == "teacher" and chosen["teacher"]["weights"] == "pretrained"

    def modules(self, variant: str) -> list[str]:
        """The modules of all stages that lead to a variant's scores."""
        settings = self.variants[variant]
        return sorted({name for stage in chain("score", settings) for name in modules(stage, settings)})

    def _owners_of(self, stage: str) -> dict[str, str]:
        first: dict[str, str] = {}
        owners = {}
        for variant, settings in self.variants.items():
            names = sorted(sees(stage, settings))
            seen = json.dumps({name: value(settings, name) for name in names}, sort_keys=True)
            owners[variant] = first.setdefault(seen, variant)
        return owners

    def _resolve(self, variant: str) -> Settings:
        """The base config with the variant's changes."""
        settings = {name: dict(part) if isinstance(part, Mapping) else part for name, part in self.config.items()}
        for section, changes in self.config["variants"][variant].items():
            prefix = f"config: variants.{variant}.{section}"
            if section not in VARIABLE:
                raise ValueError(f"{prefix}: not a section that a variant can set; these are: {', '.join(VARIABLE)}")
            for key, change in changes.items():
                if key not in settings[section]:
                    known = ", ".join(settings[section])
                    raise ValueError(f"{prefix}.{key}: not a key of {section}; known keys: {known}")
                settings[section][key] = _changed(settings[section][key], change)
        self._check(settings, f"config: variants.{variant}")
        meshes = _listed(self.config["meshes"])
        sources = [meshes if source == MESHES else [source] for source in _listed(settings["scenes"]["source"])]
        settings["scenes"]["source"] = [name for each in sources for name in each]
        self._check_detector(settings, f"config: variants.{variant}")
        seed = settings["student"]["seed"]
        if settings["teacher"]["weights"] == "random" and settings["teacher"]["seed"] == seed:
            raise ValueError(f"config: variants.{variant}: student.seed: expected unlike teacher.seed, found {seed}")
        points, neighbours = settings["graph"]["points"], settings["graph"]["neighbours"]
        if neighbours >= points:
            raise ValueError(
                f"config: variants.{variant}: graph.neighbours: expected fewer than graph.points = {points},"
                f" found {neighbours}"
            )
        return settings

    def _check(self, config: Mapping[str, Any], prefix: str) -> None:
        errors = sorted(self._validator.iter_errors(config), key=lambda error: (len(error.path), str(error.path)))
        if errors:
            raise ValueError(_sentence(errors[0], prefix))

    def _check_detector(self, settings: Settings, prefix: str) -> None:
        method, modality = settings["detector"]["method"], settings["detector"]["modality"]
        if method not in COLOURED and modality != "3d":
            raise ValueError(f"{prefix}: detector.modality: expected 3d, which alone {method} reads, found {modality}")
        colour = settings["colour"]
        if (method, modality) == ("shape_guided", "3d_rgb") and colour == {"weights": "", "network": WIDE_RESNET}:
            raise ValueError(
                f"{prefix}: colour.weights: expected a file of {WIDE_RESNET}'s ImageNet weights for modality 3d_rgb,"
                " found none; or take colour.network: efficientnet_lite0"
            )
        size = settings["depth"]["size"]
        if method in ("depth_gan", "depth_ae") and size < LEAST_SIZE:
            raise ValueError(f"{prefix}: depth.size: expected {LEAST_SIZE} or more for {method}, found {size}")

    def _check_choices(self) -> None:
        config = self.config
        if config["extractor"]["method"] != "teacher":
            raise ValueError(
                f"config: extractor.method: expected teacher, found {config['extractor']['method']}; students of"
                " another extractor are a variant, such as fcgf: {extractor: {method: fcgf}}"
            )
        if next(iter(config["variants"])) != "base":
            raise ValueError("config: variants: expected base first, for it owns what variants share")
        for name in config["run_variants"]:
            if name not in config["variants"]:
                raise ValueError(
                    f"config: run_variants: {name} is not declared in variants: {', '.join(self.variants)}"
                )
        if "scenes" in config["categories"]:
            raise ValueError(
                "config: categories: scenes: expected another name, for results/graph/<variant>/scenes are those of the"
                " teacher's scenes"
            )
        if config["dataset"] in (SIMULATED, MVTEC_3D_AD):
            for name in config["categories"]:
                if name not in MVTEC_CATEGORIES:
                    raise ValueError(f"config: categories: {name} is unknown; known: {', '.join(MVTEC_CATEGORIES)}")

    def _check_points(self) -> None:
        """A variant takes the first points of a farthest point sample whose size is fixed, not that of the largest."""
        for section in ("scenes", "downsampling"):
            running = {name: self.variants[name] for name in self.running}
            sizes = {name: (each["graph"]["points"], each[section]["points"]) for name, each in running.items()}
            name = max(sizes, key=lambda each: sizes[each][0] - sizes[each][1])
            points, sampled = sizes[name]
            if points > sampled:
                raise ValueError(
                    f"config: {section}.points: expected {points} or more, for variants.{name} has graph.points ="
                    f" {points}, found {sampled}"
                )


def in_order(variants: Mapping[str, Any], defaults: Path) -> dict[str, Any]:
    """`variants` in the order of the file `defaults`, then those that it lacks.

    Snakemake puts what --configfile adds first, and the first declared variant owns what several share.
    """
    known = [name for name in yaml.safe_load(defaults.read_text())["variants"] if name in variants]
    return {name: variants[name] for name in [*known, *(name for name in variants if name not in known)]}


def _listed(setting: Any) -> list[Any]:
    return [setting] if isinstance(setting, str) else list(setting)


def _refuse_bombs(config: Mapping[str, Any]) -> None:
    """Refuse content that YAML's references make of a few lines, but no memory holds, and lists without a bottom."""
    level: list[Any] = [config]
    values = 0
    for _ in range(DEPTH):
        level = [each for part in level for each in (part.values() if isinstance(part, Mapping) else part)]
        values += len(level)
        if values > VALUES:
            raise ValueError(f"config: expected at most {VALUES} values, found more: references to references")
        level = [part for part in level if isinstance(part, Mapping | list)]
    if level:
        raise ValueError(f"config: expected at most {DEPTH} levels, found more")


def flag(key: str, setting: Any) -> str:
    """One setting as a command line flag: `--weight-decay 1e-06`, `--limits 0.1 0.3`."""
    values = setting if isinstance(setting, list) else [setting]
    return " ".join([f"--{key.replace('_', '-')}", *(shlex.quote(str(each)) for each in values)])


def listing(folder: Path) -> str:
    """A hash of the names, sizes and times of all files below a folder of the user's own."""
    digest = hashlib.sha256()
    for name in files_below(folder):
        stat = (folder / name).stat()
        digest.update(f"{name} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def with_numbers(part: Any) -> Any:
    """A section with the numbers that came as text, as in `--config 'graph={points: 500}'` or YAML's 1e-3."""
    if not isinstance(part, Mapping):
        return part
    number = re.compile(r"[+-]?(\d+|\d*\.\d+|\d+\.)([eE][+-]?\d+)?")
    plain = re.compile(r"[+-]?\d+")

    def converted(setting: Any) -> Any:
        if isinstance(setting, str) and number.fullmatch(setting):
            return int(setting) if plain.fullmatch(setting) else float(setting)
        return [converted(each) for each in setting] if isinstance(setting, list) else with_numbers(setting)

    return {key: converted(setting) for key, setting in part.items()}


def _changed(base: Any, change: Any) -> Any:
    """`change`, or, where it is text like x0.5, that multiple of the base's number."""
    multiple = re.fullmatch(r"x(\d+(?:\.\d+)?)", change) if isinstance(change, str) else None
    if multiple is None or not isinstance(base, int | float):
        return change
    product = base * float(multiple[1])
    return max(1, round(product)) if isinstance(base, int) else product


def _folder(key: str, path: str) -> str:
    """A path of the config, its ~ expanded; one that Snakemake could not use is refused."""
    found = [letter for letter in NOT_IN_PATHS if letter in path] or [letter for letter in "-" if path[0] == letter]
    if found:
        raise ValueError(
            f"config: {key}: {path!r}: expected a folder's name without {found[0]!r}, which has a meaning of its own"
        )
    return str(Path(path).expanduser()) if path.startswith("~") else path


def _sentence(error: jsonschema.ValidationError, prefix: str) -> str:
    """A schema error in one line that names the key."""
    key = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = error.schema.get("properties", {})
        unknown = next(name for name in error.instance if name not in known)
        return f"{prefix}: {'.'.join(filter(None, [key, unknown]))}: unknown key; known keys: {', '.join(known)}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return f"{prefix}: {'.'.join(filter(None, [key, missing]))}: missing"
    if error.validator == "contains":
        return f"{prefix}: {key}: expected {error.validator_value['const']} among them, found {error.instance}"
    message = error.message if len(error.message) <= LONGEST else f"{error.message[:LONGEST]} ..."
    return f"{prefix}: {key or 'top level'}: {message}"
