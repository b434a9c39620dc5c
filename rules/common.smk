"""The checked config, and what the rules ask of it. Only rules read the config; stages get flags."""

import functools
import os
import shlex
import sys

from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake_interface_executor_plugins.settings import DeploymentMethod

sys.path.insert(0, workflow.basedir)  # with --sdm conda, snakemake's own Python need not have st3d
from st3d.workflow.leftovers import claim

claim(workflow.snakemake_tmp_dir)  # at once, for from here on it may be killed

from st3d.workflow.config import (
    MESHES,
    MODELNET10,
    MVTEC_3D_AD,
    REGISTERED,
    SIMULATED,
    SOURCES,
    SURROGATES,
    THREE_D_MATCH,
)
from st3d.workflow import table_membership as membership
from st3d.workflow.config import Study, in_order, listing
from st3d.workflow.fingerprint import fingerprint
from st3d.student_teacher.pretrained import PACKAGED, packaged_teacher
from st3d.workflow.stages import EXTRACTORS, STAGES, modules

if isinstance(config.get("variants"), dict):  # else Study refuses it
    config["variants"] = in_order(config["variants"], Path(workflow.basedir, "config.yaml"))
try:
    study = Study(config, Path(workflow.basedir, "config.schema.yaml"))
except ValueError as error:
    sys.exit(str(error))  # one line; a WorkflowError would add this file's line numbers
config.update(study.config)


pathvars:
    results=config["results"],
    data=config["data"],


wildcard_constraints:
    variant="[a-z0-9][a-z0-9_]*",
    category="|".join(config["categories"]),
    split="train|validation|test",
    part=r"\d+",


# Snakemake 9 forgets a profile's `resources: gpu=1` when --resources names anything else, and takes gpu=0 for "no limit".
def limit_resource(name, default):
    given = workflow.global_resources.get(name)
    given = None if given is None else given.value  # an unset one is Resource(name, None), not None
    if given is None:
        workflow.register_resource(name, default)
    elif given < 1:
        sys.exit(f"--resources {name}={given} lifts the limit; give {name}=1 or more")


limit_resource("gpu", 1)


resource_scopes:
    gpu="local",  # the limit is that of one machine, or of one submission to a cluster, which hands out GPUs itself


# With device cpu no GPU is asked of a cluster; elsewhere the limit above keeps such jobs apart.
CLUSTER = workflow.remote_exec or workflow.resource_settings.nodes is not None
GPU = 0 if CLUSTER and config["runtime"]["device"] == "cpu" else 1

# Resources; rules without have the profile's `default-resources`. cache_gb is one, since a change of it changes no result
# and so reruns nothing; as text, or it would be a limit.
TRAINING = {
    "mem_mb": lambda wildcards, attempt: attempt * int(3000 + 1000 * config["runtime"]["cache_gb"]),
    "cache_gb": str(config["runtime"]["cache_gb"]),
    "runtime": 2880,
    "gpu": GPU,
}
SMALL = {"mem_mb": 1000, "runtime": 10}

# Rules' `python` is the one that runs snakemake, so that .venv/bin/snakemake works without activating .venv.
if DeploymentMethod.CONDA not in workflow.deployment_settings.deployment_method:
    on_path = f'export PATH="{Path(sys.executable).parent}:$PATH"; '
else:
    on_path = ""

# A stage ends soon after the snakemake that started it, so that a killed run leaves no job behind that writes later.
shell.prefix(f"{on_path}export ST3D_PARENT={os.getpid()}; ")


def refuse_absent_sources():
    """End before the first job if it is sure that one will miss data that only the user can fetch."""
    for job in workflow.dag.needrun_jobs():
        if job.rule.name == "scenes" and origin(job.wildcards):
            for name in source_names(job.wildcards):
                if name in REGISTERED and not Path(FOLDERS[name]).is_dir():
                    raise WorkflowError(
                        f"{FOLDERS[name]}: expected the point clouds of {name}, found no such folder; get them from"
                        f" {config['download'][name]['url']} and put them there, or ask for other tables than table4"
                    )


onstart:
    if workflow.is_main_process:
        refuse_absent_sources()
        look_at_data()
        lock_folders()
        if SUBMITS:
            cancel_left()
        if workflow.local_exec:
            start_server()
            # Snakemake 9.27.1 starts a repeating timer for every job that has ended, in the end a sixth of a core.
            # Submissions to a cluster stay limited.
            workflow.scheduler.job_rate_limiter = None


def folder(path, key, *known):
    """A folder of the user's own that config names, where one of the `known` names could stand."""
    if not Path(path).is_dir():
        names = f" or one of {', '.join(known)}" if known else ""
        sys.exit(f"config: {key}: {path}: expected a folder{names}, found none")
    return Path(path)


def folder_of(wildcards, output):
    """A params function: the folder that the rule's first output lies in."""
    return os.path.dirname(output[0])


def folder_of_dataset(wildcards, output):
    """A params function: the folder above the category that the rule makes."""
    return os.path.dirname(os.path.dirname(output[0]))


def settings(*names):
    """A params function: these sections, or single keys, of the rule's variant as flags."""
    return lambda wildcards: study.flags(getattr(wildcards, "variant", "base"), *names)


def code_of(stage):
    """A params function: the fingerprint of the code that the rule's stage runs for its variant."""
    return lambda wildcards: fingerprint(*modules(stage, study.variants.get(getattr(wildcards, "variant", None))))


def made_by(stage, pattern, **lists):
    """An input function: `pattern` with {variant} the one that owns the stage's result; `lists` are expanded."""

    def paths(wildcards):
        owner = study.owner(stage, wildcards.variant)
        chosen = {name: each(wildcards) if callable(each) else each for name, each in lists.items()}
        return expand(pattern, **{**wildcards, **chosen, "variant": owner})

    return paths


SPLITS = {"train": "training", "validation": "validation"}  # and the keys of section scenes


def parts_of_scenes(split):
    """A function of the wildcards: the numbers of the parts of a split of the scenes."""
    return lambda wildcards: range(study.variants[wildcards.variant]["scenes"][f"{SPLITS[split]}_parts"])


def scenes_of(split):
    """An input function: the graphs of a split of the scenes."""
    pattern = "<results>/graph/{variant}/scenes/{split}_{part}.h5"
    return made_by("graph_scenes", pattern, split=split, part=parts_of_scenes(split))


def scans_of(split):
    """An input function: the graphs of a split of the rule's category."""
    pattern = "<results>/graph/{variant}/{category}/{split}_{part}.h5"
    return made_by("graph_scans", pattern, split=split, part=range(config["downsampling"]["parts"]))


def images_of(source):
    """Inputs: a category's training and validation scans as voxel grids or depth images."""
    pattern = f"<results>/{source}/{{variant}}/{{category}}"
    return {split: made_by(source, f"{pattern}/{split}.h5") for split in SPLITS}


def own_checkpoint(stage):
    """An input function: the user's own checkpoint of an extractor; none if it is trained here."""
    return lambda wildcards: study.variants[wildcards.variant][stage]["checkpoint"] or []


def own_colour_weights(wildcards):
    """An input function: the user's own weights of the colour network; none without colours, or those of a package."""
    chosen = study.variants[wildcards.variant]
    return chosen["colour"]["weights"] or [] if chosen["detector"]["modality"] == "3d_rgb" else []


def unless_checkpoint(stage, paths):
    """An input function: `paths`, which the training of an extractor needs; none if it has a checkpoint."""
    return lambda wildcards: [] if own_checkpoint(stage)(wildcards) else paths(wildcards)


def extractor_of(wildcards):
    """An input function: what the variant's students learn from."""
    if study.pretrained(wildcards.variant):
        return [str(PACKAGED)]  # check_own has looked at it
    method = study.variants[wildcards.variant]["extractor"]["method"]
    pattern = "<results>/{maker}/{variant}/{method}.pt"
    return made_by(EXTRACTORS[method], pattern, maker=EXTRACTORS[method], method=method)(wildcards)


def pair_of(wildcards):
    """An input function: the variant's teacher, or other extractor, and its student of the rule's category."""
    student = made_by("student", "<results>/student/{variant}/{category}/student.pt")
    return extractor_of(wildcards) + student(wildcards)


def objects_of(split):
    """An input function: a split's object images of the rule's category."""
    return made_by("objects", f"<results>/objects/{{variant}}/{{category}}/{split}.h5")


def models_of(wildcards):
    """An input function: what the variant's method learned of the rule's category."""
    method = study.method(wildcards.variant)
    if method == "3d_st":
        return pair_of(wildcards)
    if method == "3d_st_calibrated":
        made = made_by("calibrated", "<results>/calibrated/{variant}/{category}/model.pt")
        return pair_of(wildcards) + made(wildcards)
    return made_by(method, "<results>/{method}/{variant}/{category}/model.pt", method=method)(wildcards)


def evaluated(split):
    """An input function: a split's scans of the rule's category, as the variant's method reads them."""

    def paths(wildcards):
        method = study.method(wildcards.variant)
        if method == "3d_st":
            return scans_of(split)(wildcards)
        if method == "3d_st_calibrated":
            return scans_of(split)(wildcards) + objects_of(split)(wildcards)
        source = STAGES[method][0][0]  # voxels, depth or objects
        return made_by(source, f"<results>/{{source}}/{{variant}}/{{category}}/{split}.h5", source=source)(wildcards)

    return paths


def at_their_size(paths):
    """An input function: `paths`, if the variant's maps are compared at the size of object images; else none."""
    theirs = {name for name, settings in study.variants.items() if settings["score"]["pixels"] == "objects"}
    return lambda wildcards: paths(wildcards) if wildcards.variant in theirs else []


DATASET = {
    SIMULATED: f"{config['data']}/simulated",
    MVTEC_3D_AD: f"{config['data']}/mvtec_3d_ad",
}.get(config["dataset"], config["dataset"])


def scans_complete(wildcards):
    """The file that says that a category's scans are all there; none for a folder of the user's own."""
    made = {SIMULATED: f"{DATASET}/{wildcards.category}/complete.json", MVTEC_3D_AD: f"{DATASET}/complete.json"}
    return made.get(config["dataset"], [])


FOLDERS = (
    {name: f"{config['data']}/{name}" for name in (MODELNET10, THREE_D_MATCH, *SURROGATES)}
    | {SIMULATED: f"{config['data']}/furniture"}
    | {name: config["download"][name]["folder"] for name in REGISTERED}
)


def source_names(wildcards):
    """What the variant's scenes are made of, by the names and folders that config gives."""
    return study.variants[wildcards.variant]["scenes"]["source"]


def sources(wildcards):
    """A params function: the folders that the variant's scenes are made of."""
    folders = []
    for name in source_names(wildcards):
        if name == THREE_D_MATCH:  # only the scenes that config names: others may lie beside them
            folders += [f"{FOLDERS[name]}/{scene}" for scene in config["download"][name]["scenes"]]
        else:
            folders.append(FOLDERS.get(name, name))
    return folders


def sources_complete(wildcards):
    """An input function: the files that say that what is made or downloaded for the scenes is all there."""
    made = []
    for name in source_names(wildcards):
        if name == THREE_D_MATCH:
            made += expand("<data>/3dmatch/{scene}/complete.json", scene=config["download"][THREE_D_MATCH]["scenes"])
        elif name in SOURCES and name not in REGISTERED:
            made.append(f"{FOLDERS[name]}/complete.json")
    return made


def origin(wildcards):
    """A params function: where to get the variant's sources that only their users can fetch."""
    return " ".join(config["download"][name]["url"] for name in source_names(wildcards) if name in REGISTERED)


def own_sources(wildcards):
    """The user's own folders among the variant's sources."""
    return [FOLDERS.get(name, name) for name in source_names(wildcards) if name not in SOURCES or name in REGISTERED]


def sources_listing(wildcards):
    """A params function: what is in the user's own folders; another file there makes the scenes again."""
    return digest_of_own([Path(path) for path in own_sources(wildcards)])


listed = functools.cache(listing)


def digest_of_own(paths):
    """Hashes of the listings of folders of the user's own: a file added, removed or written there reruns its readers."""
    try:
        return " ".join(listed(path) for path in paths)
    except OSError as error:
        link = " a link to nowhere" if Path(error.filename or "").is_symlink() else f": {error.strerror}"
        sys.exit(f"{error.filename}: expected a file, found{link}")


def digest_of_scans(paths):
    """The same of folders of scans; empty where the scans are simulated or downloaded."""
    return "" if config["dataset"] in (SIMULATED, MVTEC_3D_AD) else digest_of_own(paths)


def own_scans(*folders):
    """A params function: what lies in these folders of a category of the user's own, by default its split's alone."""
    return lambda wildcards: digest_of_scans(
        [Path(DATASET, wildcards.category, each) for each in folders or (wildcards.split,)]
    )


def own_tests(categories):
    """A params function: what lies in the test folders of categories of the user's own."""
    return lambda wildcards: digest_of_scans([Path(DATASET, category, "test") for category in categories])


def data_of(wildcards):
    """A params function: the folders of scans, meshes and clouds that lead to a variant's scores."""
    name = wildcards.variant
    scans = [str(Path(DATASET, category)) for category in membership.categories(study, name)]
    return [*scans, *(sources(wildcards) if report_content.has_scenes(study, name) else [])]


def full_size(name):
    """A variant's categories where its maps are scored at the scans' own size, of which intervals are known."""
    return membership.categories(study, name) if membership.protocol(study, name) == "full" else []


def tables_with(further):
    """An input function: the tables of `all`, and of `further` ones those that are asked for or were made before."""

    def paths(wildcards):
        made = {table: f"{config['results']}/tables/{table}.csv" for table in further}
        asked = workflow.dag_settings.targets
        more = [table for table, path in made.items() if {table, path} & set(asked) or Path(path).exists()]
        return expand("<results>/tables/{table}.csv", table=[*TABLES, *more])

    return paths


def check_own(name):
    """End at once if a folder or file of the user's own, which a variant of 3D-ST needs, is not there."""
    if study.pretrained(name):
        try:
            packaged_teacher()
        except ValueError as error:
            sys.exit(str(error))
        return  # it needs no scenes
    chosen = study.variants[name]
    stage = EXTRACTORS[chosen["extractor"]["method"]]
    own_path = "" if stage == "teacher" else chosen[stage].get("checkpoint")
    if own_path and not Path(own_path).is_file():
        sys.exit(f"config: {stage}.checkpoint: {own_path}: expected a file, found none")
    if own_path or stage == "fpfh":
        return  # neither needs scenes
    named = (config["variants"][name].get("scenes") or {}).get("source", config["scenes"]["source"])
    for source in chosen["scenes"]["source"]:
        if source not in SOURCES and named == MESHES:
            folder(source, "meshes")
        elif source not in SOURCES:
            folder(source, "scenes.source", MESHES, *SOURCES)


for name in study.running:
    if study.method(name) == "3d_st":
        check_own(name)

if config["dataset"] not in (SIMULATED, MVTEC_3D_AD):
    for name in config["categories"]:
        folder(f"{folder(DATASET, 'dataset')}/{name}", "categories")
