"""The installed wheel, away from the repository: what is in it, and that its commands run."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
TINY = ("--points", "400", "--neighbours", "8", "--steps", "20", "--device", "cpu", "--threads", "1")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built of a copy of the repository's files, so that nothing is left in it."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("no git repository, which knows the files of the project")
    folder = tmp_path_factory.mktemp("wheel")
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / "source" / name)
    build = ("wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, folder / "source")
    subprocess.run([*PIP, *build], check=True)
    return next(folder.glob("st3d-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel):
    folder = wheel.parent / "installed"
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", "--target", folder, wheel], check=True)
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """Runs a command with the installed package alone, in a folder of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ST3D_", "PYTEST_"))}
    environment = kept | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}

    def call(*command):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_the_wheel_holds_data_kernel_and_types_and_nothing_beside_the_package(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    needed = [path for folder in ("st3d/pretrained", "st3d/evaluation/published") for path in (ROOT / folder).iterdir()]
    needed += [ROOT / "st3d/py.typed", *(ROOT / "st3d/evaluation/report").glob("page.*")]
    needed += (ROOT / "st3d").rglob("*.py")
    assert len(needed) > 100
    assert {path.relative_to(ROOT).as_posix() for path in needed} <= names
    assert any(name.startswith("st3d/kernels/_native.") and name.endswith(".so") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"st3d"}


def test_an_installed_package_simulates_scans_and_learns_from_them(installed, run, tmp_path):
    program = installed / "bin" / "st3d"
    place = run(sys.executable, "-c", "import st3d.detector; print(st3d.__file__)")
    assert Path(place.strip()).is_relative_to(installed)
    assert run(program, "--help") == run(sys.executable, "-m", "st3d", "--help")
    assert run(program, "--help").startswith("Usage: st3d COMMAND")
    few = ("--good", "8", "--test-good", "1", "--test-per-defect", "1", "--resolution", "0.25")
    run(program, "simulate", "gland", *few)
    run(program, "fit", "gland/good", "--model", "gland.st3d", *TINY)
    assert (tmp_path / "gland.st3d").stat().st_size > 100_000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gland", "gland.st3d"]


@pytest.mark.parametrize(
    "modules",
    [
        ["st3d.detector"],
        sorted(
            f"st3d.inspection.{path.stem}"
            for path in (ROOT / "st3d/inspection").glob("*.py")
            if path.stem != "__init__"
        ),
    ],
)
def test_the_detector_and_the_commands_load_no_heavy_library_before_they_need_it(modules):
    heavy = ("torch", "open3d", "trimesh", "matplotlib", "scipy", "pandas", "plotly", "jsonschema", "snakemake")
    lines = [*(f"import {name}" for name in modules), "import sys", f"print(sorted(set(sys.modules) & set({heavy})))"]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
