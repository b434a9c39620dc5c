"""The shape of the project: who imports whom, and that rules, config and stages speak of the same settings."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from st3d.__main__ import STAGES, WHERE
from st3d.config import Study
from st3d.fingerprint import PACKAGE, imports
from st3d.stages import BASELINES, EXTRACTORS, MODELS, MODULE_OF, chain, sees
from st3d.stages import STAGES as SHARED
from st3d.variant import Method, Modality

ROOT = PACKAGE.parent
STAGE_MODULES = {WHERE.get(stage, stage) for stage in STAGES} - {"detector"}
EDGES = {"config", "stages", "fingerprint", "__main__", "detector"}
FILES = {
    "meshes",
    "scans",
    "shards",
    "runtime",
    "clouds",
    "checkpoints",
    "models",
    "pictures",
    "columns",
    "inputs",
    "folders",
    "hdf5",
    "images",
    "image_inputs",
    "baselines",
    "frames",
    "fragments",
    "ply_pcd",
    "sources",
}
MODULES = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")
HEAVY = {"torch", "open3d", "scipy", "numpy", "h5py", "matplotlib", "trimesh"}


def layer(module):
    """0: kernels, 1: files, 2: stages, 3: edges; what is not named above is a kernel."""
    return 3 if module in EDGES else 2 if module in STAGE_MODULES else 1 if module in FILES else 0


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_layer_or_below(module):
    assert [name for name in imports(module) if layer(name) > layer(module)] == []


@pytest.mark.parametrize("module", sorted(STAGE_MODULES))
def test_a_stage_imports_no_stage(module):
    assert STAGE_MODULES & set(imports(module)) == set()


@pytest.mark.parametrize("module", [name for name in MODULES if layer(name) == 0])
def test_a_kernel_knows_no_path(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    names = {
        alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom | ast.Import) for alias in node.names
    }
    assert names & {"Path", "pathlib", "h5py", "tifffile", "yaml"} == set()


@pytest.mark.parametrize("module", ["config", "stages", "fingerprint", "__main__", "__init__"])
def test_what_a_dry_run_imports_is_light(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} & HEAVY == set()


def parameters(stage):
    """The stage function's syntax tree of arguments."""
    tree = ast.parse((PACKAGE / f"{WHERE.get(stage, stage)}.py").read_text())
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == stage)


@pytest.mark.parametrize("stage", sorted(set(STAGES) - {"inspect"}))
def test_a_stage_takes_annotated_keywords_without_defaults(stage):
    arguments = parameters(stage).args
    assert not arguments.args and not arguments.posonlyargs
    assert not any(arguments.kw_defaults)
    assert all(argument.annotation is not None for argument in arguments.kwonlyargs)
    assert "bool" not in [ast.unparse(argument.annotation) for argument in arguments.kwonlyargs]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_the_help_tells_every_parameter(stage):
    function = parameters(stage)
    described = ast.get_docstring(function).partition("----------\n")[2]
    told = re.findall(r"^(\w+(?:, \w+)*)(?: : \S.*|\n    \S.*)$", described, re.MULTILINE)
    names = {name for group in told for name in group.split(", ")}
    arguments = function.args
    assert {argument.arg for argument in arguments.posonlyargs + arguments.kwonlyargs} - names == set()


def rules():
    """Each rule's text by its name."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    parts = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
    return {match[1]: part for part in parts if (match := re.match(r"rule (\w+):", part))}


RULES = rules()
DEMO = Study(yaml.safe_load((ROOT / "config.yaml").read_text()), ROOT / "config.schema.yaml")


def read_by(rule):
    """The settings that a rule turns into flags: sections, or section.key."""
    calls = re.findall(r"settings\(([^)]*)\)", RULES[rule])
    return [name for call in calls for name in re.findall(r'"([\w.]+)"', call)]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rules_flags_are_its_stages_parameters(rule):
    stage = re.search(r"python -m st3d (\w+)", RULES[rule])[1]
    flags = re.findall(r"--([a-z0-9-]+)", RULES[rule].partition("shell:")[2])
    flags += re.findall(r"--([a-z0-9-]+)", DEMO.flags("base", *read_by(rule)))
    taken = [argument.arg for argument in parameters(stage).args.kwonlyargs]
    assert sorted(flag.replace("-", "_") for flag in flags) == sorted(taken)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_has_docstring_log_conda_and_resources(rule):
    text = RULES[rule]
    assert re.match(r'rule \w+:\n    """.+"""\n', text)
    assert all(f"\n    {part}:" in text for part in ("log", "conda", "resources", "shell"))
    assert "mem_mb=" in text and "runtime=" in text
    trained = {
        "teacher",
        "pretrain_fcgf",
        "pretrain_ppf_foldnet",
        "student",
        "voxel_gan",
        "voxel_ae",
        "depth_gan",
        "depth_ae",
    }
    assert ("gpu=1" in text) == (rule in trained | {"maps", "cost"})


@pytest.mark.parametrize("rule", sorted(SHARED))
def test_a_shared_stage_sees_what_its_rule_reads(rule):
    seen = sees(rule)
    keys = {f"{name.split('.')[0]}.{key}" for name in read_by(rule) for key in _keys(name)}
    unseen = {key for key in keys if key not in seen and key.split(".")[0] not in seen}
    assert unseen - {"runtime.device", "runtime.threads"} == set()  # of the machine, not of a variant


@pytest.mark.parametrize("rule", sorted(SHARED))
def test_a_stage_sees_nothing_that_its_rule_does_not_read(rule):
    elsewhere = {"dataset": "DATASET", "simulation": "scans_complete", "extractor": "extractor_of"}
    elsewhere |= dict.fromkeys(("furniture", "stand_ins"), "sources_complete")
    if rule == "maps":
        elsewhere["detector"] = "models_of"
    for name in SHARED[rule][1]:
        section = name.partition(".")[0]
        assert elsewhere.get(name, "") in RULES[rule]
        if name not in elsewhere:
            assert any(read.split(".")[0] == section for read in read_by(rule)), name


def _keys(name):
    section, _, key = name.partition(".")
    return [key] if key else list(DEMO.config[section])


@pytest.mark.parametrize("rule", sorted(SHARED))
def test_a_stages_code_is_in_the_module_that_its_rule_calls(rule):
    assert MODULE_OF.get(rule, rule) == re.search(r"python -m st3d (\w+)", RULES[rule])[1]


@pytest.mark.parametrize("rule", sorted(SHARED))
def test_a_stage_comes_after_those_whose_results_its_rule_reads(rule):
    inputs = RULES[rule].partition("input:")[2].partition("output:")[0]
    read = set(re.findall(r'made_by\(\s*"(\w+)"', inputs))
    read |= {f"graph_{what}" for what in re.findall(r"\b(scenes|scans)_of\(", inputs)}
    if "extractor_of" in inputs:
        read |= set(EXTRACTORS.values())
    if rule == "maps":
        read = set(MODELS.values())
    # what a stage reads may be known to it through another stage
    assert read <= chain(rule) - {rule}
    assert set(SHARED[rule][0]) <= read


def test_the_baselines_are_named_alike_in_the_config_the_schema_and_the_stage():
    schema = yaml.safe_load((ROOT / "config.schema.yaml").read_text())["properties"]["detector"]["properties"]
    assert schema["method"]["enum"] == list(MODELS) == list(Method.__args__)
    assert schema["modality"]["enum"] == list(Modality.__args__)
    assert set(BASELINES) <= set(DEMO.config)


@pytest.mark.parametrize("path", sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.c")]), ids=lambda path: path.name)
def test_a_file_is_not_too_long(path):
    assert len(path.read_text().splitlines()) <= 300


def test_no_path_of_a_machine_is_in_the_sources():
    sources = [path for folder in ("st3d", "rules", "configs", "envs") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text() for path in sources if path.suffix in {".py", ".smk", ".yaml", ".sh"}]
    assert not any(re.search(r"/(home|root|work)/", text) for text in texts)
    assert isinstance(ROOT, Path)
