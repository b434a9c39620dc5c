"""What the documents name exists: files, modules and their names, settings, commands; and the site builds."""

import importlib
import inspect
import re
import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import yaml

from st3d import __version__
from st3d.workflow.stages import COMMAND_OF, MODULE, STAGES

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


def test_every_preset_stands_among_the_settings_with_its_sizes():
    rows = re.findall(
        r"^\| `((?:configs/)?\w+\.yaml)` \|(.*)\|$", (ROOT / "docs/settings.md").read_text(), re.MULTILINE
    )
    sizes = {name: row.split("|")[1:5] for name, row in rows if row.count("|") == 5}
    base = yaml.safe_load((ROOT / "config.yaml").read_text())
    assert set(sizes) == {"config.yaml"} | {f"configs/{path.name}" for path in ROOT.glob("configs/*.yaml")}
    for name, cells in sizes.items():
        preset = yaml.safe_load((ROOT / name).read_text()) or {}
        graph, network = (base[section] | preset.get(section, {}) for section in ("graph", "network"))
        found = [graph["points"], graph["neighbours"], network["blocks"], network["width"]]
        assert [cell.strip() for cell in cells] == [f"{size:,}" for size in found], name


def test_the_readme_fits_on_a_few_screens_and_its_links_and_pictures_exist():
    text = (ROOT / "README.md").read_text()
    assert text.count("\n") <= 120
    links = re.findall(r"\]\(([^)#]+)", text)
    assert "docs/first_run.md" in links and "docs/report.png" in links
    for link in links:
        assert (ROOT / link).is_file(), f"README.md links to {link}"


def test_the_version_to_cite_is_the_code_s_and_stands_in_the_changelog():
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == __version__
    assert f"\n## {__version__} (" in (ROOT / "CHANGELOG.md").read_text()


def test_the_drawing_of_the_stages_shows_them_all():
    drawing = (ROOT / "docs/stages.svg").read_text()
    for stage in STAGES:
        assert f">{COMMAND_OF.get(stage, stage)}</text>" in drawing, "run python docs/draw_stages.py"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; every warning is an error."""
    pytest.importorskip("sphinx", reason="sphinx is not installed: pip install 'st3d[docs]'")
    folder = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", ROOT / "docs", folder]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_builds_without_a_warning_and_has_every_page(site):
    for page in ROOT.glob("docs/*.md"):
        assert (site / f"{page.stem}.html").stat().st_size > 0
    assert "Two commands" in (site / "index.html").read_text()  # README.md


def test_a_page_of_the_site_asks_for_nothing_from_the_network(site):
    for page in site.glob("*.html"):
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text()):
            assert "//" not in tag, f"{page.name} has {tag}"


def test_the_reference_has_every_command_with_every_flag(site):
    page = (site / "commands.html").read_text()
    for command, module in MODULE.items():
        target = f'<section id="{command.replace("_", "-")}">'
        assert page.count(target) == 1
        section = page.split(target)[1].split("<section ")[0]
        function = getattr(importlib.import_module(f"st3d.{module}"), command)
        for name in flags_of(function):
            assert f">{name}<" in section, f"{command} {name}"


def flags_of(function):
    """The flags of a stage's parameters; a group of settings has one for each field."""
    for parameter in inspect.signature(function).parameters.values():
        if is_dataclass(parameter.annotation):
            yield from (f"--{field.name.replace('_', '-')}" for field in fields(parameter.annotation))
        elif parameter.kind is parameter.POSITIONAL_ONLY:
            yield parameter.name.upper()
        else:
            yield f"--{parameter.name.replace('_', '-')}"
