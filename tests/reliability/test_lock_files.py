"""The lock files pin every package with checksums, and have all that pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = ("requirements.lock", "requirements-cuda.lock")
LEFT_OUT = ("colour", "triton")  # extras that are installed by hand


def pinned(name):
    """The checksums of each package in a lock file, by its normalised name."""
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", (ROOT / name).read_text()).strip())
    found = {}
    for entry in entries:
        head, *checksums = entry.replace("\\\n", "").split("--hash=")
        match = re.fullmatch(r"([\w.-]+)==([\w.!+-]+)( ; .+)?\s*", head)
        assert match, head
        assert normal(match[1]) not in found, head
        found[normal(match[1])] = [each.strip() for each in checksums]
    return found


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("name", FILES)
def test_every_package_is_pinned_with_its_files_checksums(name):
    packages = pinned(name)
    assert len(packages) > 15
    for package, checksums in packages.items():
        assert checksums, package
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", each) for each in checksums), package


def test_no_package_is_pinned_twice():
    assert not set(pinned(FILES[0])) & set(pinned(FILES[1]))


def test_what_pyproject_asks_for_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [
        each for name, wanted in project["optional-dependencies"].items() if name not in LEFT_OUT for each in wanted
    ]
    wanted = {normal(re.match(r"[\w.-]+", each)[0]) for each in (*project["dependencies"], *extras)}
    assert wanted <= set(pinned("requirements.lock"))
    assert normal("setuptools") in pinned("requirements.lock")  # it builds what comes as source


def test_both_set_ups_install_by_checksums():
    assert "--require-hashes" in (ROOT / "envs/packages.sh").read_text()
    for name in ("venv.sh", "st3d.post-deploy.sh"):
        script = (ROOT / "envs" / name).read_text()
        assert "envs/packages.sh" in script and "--requirement" not in script
