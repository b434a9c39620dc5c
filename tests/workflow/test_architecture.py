"""The shape of the project: who imports whom, and that rules, config and stages speak of the same settings."""

import ast
import importlib
import re
from pathlib import Path

import yaml

from st3d.evaluation import columns, methods
from st3d.extractors import interface
from st3d.formats.images import Modality
from st3d.simulation.scans import samples
from st3d.workflow.config import MVTEC_CATEGORIES, Study
from st3d.workflow.fingerprint import PACKAGE
from st3d.workflow.stages import (
    BASELINES,
    COMMAND_OF,
    COMMANDS,
    EXTRACTOR_MODULES,
    EXTRACTORS,
    MODELS,
    MODULE,
    STAGES,
    chain,
    sees,
)

ROOT = PACKAGE.parent
# packages from the lowest up: a module imports from its own package, or from one below it
PACKAGES = ("kernels", "formats", "training", "extractors", "student_teacher", "baselines", "memory_banks",
         "simulation", "evaluation", "detector", "inspection", "workflow", "__main__")  # fmt: skip
APART = {("student_teacher", "baselines"), ("simulation", "training"), ("simulation", "student_teacher"),
         ("simulation", "extractors"), ("simulation", "baselines"), ("baselines", "student_teacher"),
         ("baselines", "extractors"), ("memory_banks", "student_teacher"), ("memory_banks", "baselines"),
         ("memory_banks", "extractors"), ("simulation", "memory_banks")}  # fmt: skip
HEAVY = {"torch", "open3d", "scipy", "numpy", "h5py", "matplotlib", "trimesh", "pandas"}
FILES = {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))}


def imported(tree):
    """The modules that a syntax tree imports, wherever in it, as dotted names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package(name):
    """The package of a file or dotted name below st3d; None of the package itself (its version)."""
    first = name.removesuffix(".py").replace("/", ".").split(".")[0]
    return first if first in PACKAGES else None


def test_every_folder_is_a_package_that_says_what_it_is_for_and_what_must_not_enter():
    folders = {Path(name).parent.as_posix() for name in FILES} - {"."}
    assert {folder.partition("/")[0] for folder in folders} | {"detector", "__main__"} == set(PACKAGES)
    for folder in folders:
        tree = FILES[f"{folder}/__init__.py"]
        docstring = ast.get_docstring(tree)
        assert len(tree.body) == 1, folder
        assert len(docstring.splitlines()) <= 10 and "must not enter" in docstring, folder


def test_a_module_imports_from_its_own_package_or_below():
    for name, tree in FILES.items():
        for target in imported(tree):
            if not target.startswith("st3d.") or package(target.removeprefix("st3d.")) is None:
                continue
            here, there = package(name), package(target.removeprefix("st3d."))
            if here is not None:
                assert PACKAGES.index(there) <= PACKAGES.index(here), f"{name} imports {target}"
                assert (here, there) not in APART, f"{name} imports {target}"


def test_an_extractor_knows_no_other_extractor():
    for name, tree in FILES.items():
        for method in ("fcgf", "ppf_foldnet"):
            if name.startswith(f"extractors/{method}/"):
                others = {f"st3d.extractors.{each}" for each in ("fcgf", "ppf_foldnet", "fpfh") if each != method}
                assert not any(target.startswith(tuple(others)) for target in imported(tree)), name


def test_a_stage_imports_no_stage():
    stages = {f"st3d.{module}" for module in MODULE.values()}
    for module in set(MODULE.values()) - {"formats.download"}:
        for target in imported(FILES[module.replace(".", "/") + ".py"]):
            named = {target, target.rpartition(".")[0]} & stages
            assert not named - {f"st3d.{module}"}, f"{module} imports {named}"


def test_a_kernel_knows_no_path():
    for name, tree in FILES.items():
        if name.startswith("kernels/"):
            names = {part for target in imported(tree) for part in target.split(".")}
            assert names & {"Path", "pathlib", "h5py", "tifffile", "yaml"} == set(), name


def test_what_a_dry_run_imports_is_light():
    names = [name for name in FILES if name.startswith("workflow/")]
    for name in (
        *names,
        "__init__.py",
        "__main__.py",
        "formats/folders.py",
        "evaluation/methods.py",
        "extractors/methods.py",
    ):
        assert {target.split(".")[0] for target in imported(FILES[name])} & HEAVY == set(), name


def parameters(stage):
    """The stage function's syntax tree of arguments."""
    tree = FILES[MODULE[stage].replace(".", "/") + ".py"]
    return next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == stage)


GROUPS = {  # dataclasses of settings, whose fields are flags
    node.name: node
    for tree in FILES.values()
    for node in tree.body
    if isinstance(node, ast.ClassDef) and (node.name.endswith("Settings") or node.name == "Machine")
}


def flags(arguments):
    """Name, annotation, default and documenting docstring of each flag of annotated `arguments`, groups expanded."""
    for name, annotation, default, docstring in arguments:
        group = GROUPS.get(ast.unparse(annotation)) if annotation is not None else None
        if group is None:
            yield name, annotation, default, docstring
            continue
        own = ast.get_docstring(group)
        fields = [node for node in group.body if isinstance(node, ast.AnnAssign)]
        yield from flags((base.id, base, None, "") for base in group.bases)
        yield from flags((node.target.id, node.annotation, node.value, own) for node in fields)


def flags_of(stage):
    """The same of a stage."""
    function = parameters(stage)
    arguments, docstring = function.args, ast.get_docstring(function)
    defaults = [None] * len(arguments.posonlyargs) + arguments.kw_defaults
    both = zip(arguments.posonlyargs + arguments.kwonlyargs, defaults, strict=True)
    return list(flags((argument.arg, argument.annotation, default, docstring) for argument, default in both))


def test_a_stage_takes_annotated_keywords_without_defaults():
    for stage in set(MODULE) - set(COMMANDS["inspection"]):  # a user's commands have defaults
        arguments = parameters(stage).args
        assert not arguments.args and not arguments.posonlyargs, stage
        for name, annotation, default, _ in flags_of(stage):
            assert default is None and annotation is not None, f"{stage} {name}"
            assert ast.unparse(annotation) != "bool", f"{stage} {name}"


def test_the_help_tells_every_parameter():
    for stage in MODULE:
        for name, _, _, docstring in flags_of(stage):
            section = docstring.partition("----------\n")[2]
            told = re.findall(r"^(\w+(?:, \w+)*)\n    \S.*$", section, re.MULTILINE)
            assert name in {each for group in told for each in group.split(", ")}, f"{stage} {name}"


def rules():
    """Each rule's text by its name; one made by `use rule` has its parent's text, but for what it says itself."""
    text = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
    found = {}
    for part in pieces(text, r'\w|"""'):
        if match := re.match(r"rule (\w+):\n", part):
            found[match[1]] = part
        elif match := re.match(r"use rule (\w+) as (\w+) with:\n", part):
            head, *inherited = pieces(found[match[1]], r"    \w+:")
            own = pieces(part, r"    \w+:")[1:]
            found[match[2]] = head.replace(match[1], match[2]) + "".join(replaced(inherited, own))
    commands = {name: re.search(r'        command="(\w+)"', part) for name, part in found.items()}
    return {
        name: part.replace("{params.command}", match[1] if (match := commands[name]) else "")
        for name, part in found.items()
    }


def pieces(text, start):
    return re.split(rf"^(?={start})", text, flags=re.MULTILINE)


def replaced(inherited, own):
    """The parts of a rule with its own in the place of the inherited ones; of params, key by key, as Snakemake does."""
    parts = {part.partition(":")[0]: part for part in inherited}
    for part in own:
        name = part.partition(":")[0]
        if name.strip() == "params":
            (head, *before), (_, *after) = (pieces(each, r" {8}\w+=") for each in (parts[name], part))
            part = head + "".join({key.partition("=")[0]: key for key in (*before, *after)}.values())
        parts[name] = part
    return parts.values()


RULES = rules()
DEMO = Study(yaml.safe_load((ROOT / "config.yaml").read_text()), ROOT / "config.schema.yaml")


def read_by(rule):
    """The settings that a rule passes as flags: sections, or section.key."""
    calls = re.findall(r"settings\(([^)]*)\)", RULES[rule])
    return [name for call in calls for name in re.findall(r'"([\w.]+)"', call)]


def test_a_rules_flags_are_its_stages_parameters():
    for rule in RULES:
        stage = re.search(r"python -m st3d (\w+)", RULES[rule])[1]
        given = re.findall(r"--([a-z0-9-]+)", RULES[rule].partition("shell:")[2])
        given += re.findall(r"--([a-z0-9-]+)", DEMO.flags("base", *read_by(rule)))
        assert sorted(flag.replace("-", "_") for flag in given) == sorted(name for name, *_ in flags_of(stage))


def test_a_rule_has_docstring_log_conda_and_resources():
    for rule in RULES:
        text = RULES[rule]
        assert re.match(r'rule \w+:\n    """.+"""\n', text), rule
        assert all(f"\n    {part}:" in text for part in ("log", "conda", "shell")), rule
        trained = {
            "teacher",
            "pretrain_fcgf",
            "pretrain_ppf_foldnet",
            "student",
            "btf_fpfh",
            "sdf_expert",
            "shape_guided",
        }
        trained |= {f"{images}_{network}" for images in ("voxel", "depth") for network in ("gan", "ae")}
        assert ("gpu=GPU" in text or "**TRAINING" in text) == (
            rule in trained | {"calibrated", "calibration", "maps", "validation_maps", "cost"}
        ), rule
    for profile in ("default", "slurm"):  # of the rules that name no resources
        defaults = yaml.safe_load((ROOT / "profiles" / profile / "config.yaml").read_text())["default-resources"]
        assert {"mem_mb", "runtime"} <= set(defaults)


def test_a_shared_stage_sees_what_its_rule_reads():
    for rule in STAGES:
        seen = sees(rule)
        keys = {f"{name.split('.')[0]}.{key}" for name in read_by(rule) for key in _keys(name)}
        unseen = {key for key in keys if key not in seen and key.split(".")[0] not in seen}
        assert unseen - {"runtime.device", "runtime.threads"} == set()  # of the machine, not of a variant


def test_a_stage_sees_nothing_that_its_rule_does_not_read():
    for rule in STAGES:
        elsewhere = {"dataset": "DATASET", "simulation": "scans_complete", "extractor": "extractor_of"}
        elsewhere |= dict.fromkeys(("furniture", "surrogates"), "sources_complete")
        if rule == "maps":
            elsewhere["detector"] = "models_of"
        for name in STAGES[rule][1]:
            section = name.partition(".")[0]
            assert elsewhere.get(name, "") in RULES[rule]
            if name not in elsewhere:
                assert any(read.split(".")[0] == section for read in read_by(rule)), name


def _keys(name):
    section, _, key = name.partition(".")
    return [key] if key else list(DEMO.config[section])


def test_a_stages_rule_calls_its_command():
    for rule in STAGES:
        assert COMMAND_OF.get(rule, rule) == re.search(r"python -m st3d (\w+)", RULES[rule])[1]


def test_a_stage_comes_after_those_whose_results_its_rule_reads():
    for rule in STAGES:
        inputs = RULES[rule].partition("input:")[2].partition("output:")[0]
        read = set(re.findall(r'(?:made_by|images_of)\(\s*"(\w+)"', inputs))
        read |= {f"graph_{what}" for what in re.findall(r"\b(scenes|scans)_of\(", inputs)}
        read |= {"objects"} if re.search(r"\bobjects_of\(", inputs) else set()
        if "extractor_of" in inputs:
            read |= set(EXTRACTORS.values())
        if rule == "maps":
            read = set(MODELS.values())
        # what a stage reads may be known to it through another stage
        assert read <= chain(rule) - {rule}
        assert set(STAGES[rule][0]) <= read


def test_the_categories_are_those_of_the_simulation_and_of_the_published_tables():
    assert MVTEC_CATEGORIES == tuple(samples.CATEGORIES) == tuple(columns.CATEGORIES)


def test_the_baselines_are_named_alike_in_the_config_the_schema_and_the_stage():
    schema = yaml.safe_load((ROOT / "config.schema.yaml").read_text())["properties"]["detector"]["properties"]
    assert schema["method"]["enum"] == list(MODELS) == list(methods.Method.__args__) == list(methods.MODULES)
    assert schema["modality"]["enum"] == list(Modality.__args__)
    assert set(BASELINES) <= set(DEMO.config)


def test_a_file_is_not_too_long():
    for path in [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.c")]:
        assert len(path.read_text().splitlines()) <= 300, path


def test_no_path_of_a_machine_is_in_the_sources():
    sources = [path for folder in ("st3d", "rules", "configs", "envs") for path in (ROOT / folder).rglob("*.*")]
    texts = [path.read_text() for path in sources if path.suffix in {".py", ".smk", ".yaml", ".sh"}]
    assert not any(re.search(r"/(home|root|work)/", text) for text in texts)
    assert isinstance(ROOT, Path)


def test_what_is_loaded_by_name_is_what_the_fingerprints_count():
    assert set(EXTRACTOR_MODULES) | {"teacher"} == set(EXTRACTORS)
    assert interface.MODULES is EXTRACTOR_MODULES
    for function, modules in (("load", EXTRACTOR_MODULES), ("maps_of", methods.MODULES)):
        for module in modules.values():
            assert callable(getattr(importlib.import_module(f"st3d.{module}"), function)), module


def test_the_help_groups_the_commands_by_package():
    for name, commands in COMMANDS.items():
        assert name in PACKAGES
        assert all(module.split(".")[0] == name for module, _ in commands.values())
