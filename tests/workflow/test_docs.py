"""What the documents name exists: files, modules and their names, settings, commands."""

import importlib
import re
from pathlib import Path

import yaml

from st3d.workflow.stages import MODULE

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("docs/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def named(pattern):
    """Every match of `pattern` in the documents, with the document's name."""
    return [(path.name, match) for path in DOCUMENTS for match in re.findall(pattern, path.read_text())]


def test_every_file_that_a_document_names_exists():
    paths = named(r"`((?:st3d|rules|configs|tests|benchmarks|docs|envs|profiles)/[\w./*]*)`")
    assert len(paths) > 50
    for document, path in paths:
        assert list(ROOT.glob(path.rstrip("/"))), f"{document} names {path}"


def test_every_python_name_that_a_document_names_exists():
    names = named(r"`(st3d\.[\w.]+)`")
    assert len(names) > 20
    for document, name in names:
        parts = name.split(".")
        for count in range(len(parts), 0, -1):  # the longest module, then attributes
            try:
                found = importlib.import_module(".".join(parts[:count]))
                break
            except ModuleNotFoundError:
                assert count > 1, f"{document} names {name}"
        for attribute in parts[count:]:
            assert hasattr(found, attribute), f"{document} names {name}"
            found = getattr(found, attribute)


def test_every_command_that_a_document_names_exists():
    commands = named(r"python -m st3d (\w+)")
    assert commands
    assert {command for _, command in commands} <= {*MODULE, "STAGE"}


def test_every_setting_that_a_document_names_is_in_the_config():
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    sections = "|".join(key for key in config if isinstance(config[key], dict))
    for document, name in named(rf"`((?:{sections})\.\w+)`"):
        section, key = name.split(".")
        if key not in ("smk", "csv", "json", "pt", "h5", "yaml", "lock", "py"):
            assert key in config[section], f"{document} names {name}"
