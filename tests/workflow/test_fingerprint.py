import shutil

import pytest
import yaml

from st3d.workflow.config import Study
from st3d.workflow.fingerprint import PACKAGE, c_tokens, fingerprint, imports
from st3d.workflow.stages import BASELINES, STAGES, modules

NETWORK = '''
"""A network."""
from st3d.kernels.native import library

def slope():
    """The slope."""
    return 0.2  # of LeakyReLU

def call():
    library.st3d_sum()
'''


@pytest.fixture
def package(tmp_path):
    """A small package: teacher -> network -> native, scenes -> points; each test has its own, for the cache."""
    files = {
        "student_teacher/network.py": NETWORK,
        "kernels/native.py": "library = None\n",
        "kernels/points.py": "count = 1\n",
        "student_teacher/teacher.py": "def teacher():\n    from st3d.student_teacher import network\n",
        "student_teacher/scenes.py": "from st3d.kernels.points import count\n",
        "kernels/src/sum.c": '#include "clones.h"\nvoid st3d_sum(void) { int i = 1; /* one */ }\n',
        "kernels/src/other.c": "void st3d_other(void) {}\n",
        "kernels/src/clones.h": "#define CLONES\n",
    }
    return lambda name, **changes: _write(
        tmp_path / name, files | {k.replace("__", "/"): v for k, v in changes.items()}
    )


def _write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def changes(package, name, text):
    """Whether the fingerprints of teacher and scenes change when a file's text does."""
    before, after = package("before"), package("after")
    (after / name).write_text(text)
    return {
        stage: fingerprint(f"student_teacher.{stage}", package=before)
        != fingerprint(f"student_teacher.{stage}", package=after)
        for stage in ("teacher", "scenes")
    }


def test_a_comment_docstring_or_reformat_changes_nothing(package):
    text = NETWORK.replace("# of LeakyReLU", "# another").replace("The slope.", "Slope").replace("0.2  #", "(0.2)  #")
    assert changes(package, "student_teacher/network.py", text) == {"teacher": False, "scenes": False}


def test_a_number_changes_the_stages_that_import_it_and_no_other(package):
    assert changes(package, "student_teacher/network.py", NETWORK.replace("0.2", "0.1")) == {
        "teacher": True,
        "scenes": False,
    }


def test_a_called_kernel_counts_and_its_comments_do_not(package):
    source = (package("some") / "kernels/src/sum.c").read_text()
    assert changes(package, "kernels/src/sum.c", source.replace("= 1", "= 2"))["teacher"]


def test_a_comment_in_a_called_kernel_changes_nothing(package):
    source = (package("some") / "kernels/src/sum.c").read_text()
    assert not changes(package, "kernels/src/sum.c", source.replace("/* one */", "/* two */"))["teacher"]


def test_a_kernel_that_is_not_called_does_not_count(package):
    assert not changes(package, "kernels/src/other.c", "void st3d_other(void) { int i; }")["teacher"]


def test_an_included_header_counts(package):
    assert changes(package, "kernels/src/clones.h", "#define CLONES 1")["teacher"]


def test_imports_inside_functions_count(package):
    assert imports("student_teacher.teacher", package("some")) == ("student_teacher.network",)


def test_comments_in_c_end_and_strings_stay():
    assert c_tokens('a /* b\n */ c; // d\ne("/* f */");') == 'a c; e("/* f */");'


def test_the_real_stages_have_fingerprints_of_their_own():
    assert len({fingerprint(*modules(stage)) for stage in ("teacher", "student", "scenes")}) == 3


CALLS = {name: f"{name}.c" for name in ("pro", "nearest")} | {"points": "hops.c", "aggregation": "aggregate.c"}


@pytest.mark.parametrize("module", CALLS)
def test_a_change_in_a_kernels_source_changes_its_callers_fingerprint(tmp_path, module):
    # the fingerprints of two folders, since one folder's syntax is read once
    copies = [
        shutil.copytree(PACKAGE, tmp_path / name / "st3d", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        for name in ("as it is", "changed")
    ]
    path = copies[1] / "kernels" / "src" / CALLS[module]
    path.write_text(path.read_text() + "\nint another;\n")
    as_it_is, changed = (fingerprint(f"kernels.{module}", package=copy) for copy in copies)
    assert as_it_is == fingerprint(f"kernels.{module}") != changed


VARIANTS = Study(
    yaml.safe_load((PACKAGE.parent / "config.yaml").read_text()), PACKAGE.parent / "config.schema.yaml"
).variants


def reruns(folder, *files):
    """The stages, each with the variants of the config, whose fingerprint a new line in `files` changes."""
    copy = shutil.copytree(PACKAGE, folder / "st3d", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in files:
        assert (copy / name).exists()
        with (copy / name).open("a") as file:
            file.write("\nADDED = 1\n")
    code = {(stage, variant): modules(stage, settings) for variant, settings in VARIANTS.items() for stage in STAGES}
    return {key for key, names in code.items() if fingerprint(*names) != fingerprint(*names, package=copy)}


BASELINE_MAPS = {("maps", name) for name, each in VARIANTS.items() if each["detector"]["method"] in BASELINES}


@pytest.mark.parametrize("name", ["kernels/sparse.py", "extractors/fcgf/extractor.py"])
def test_a_change_in_sparse_convolution_or_fcgf_reruns_the_students_and_maps_of_fcgf_alone(tmp_path, name):
    found = reruns(tmp_path, name)
    stages = {"student", "calibrated", "calibration", "maps"}
    assert {key for key in found if key[0] in stages} == {(stage, "fcgf") for stage in stages}
    assert not {stage for stage, _ in found} - stages - {"pretrain_fcgf"}


def test_a_change_in_the_voxel_grid_reruns_the_voxels_and_no_map_of_3d_st(tmp_path):
    found = reruns(tmp_path, "kernels/geometry/voxel_grid.py", "baselines/image_maps.py")
    assert {key for key in found if key[0] != "voxels"} == BASELINE_MAPS


def test_a_change_in_the_histograms_reruns_btf_alone(tmp_path):
    found = reruns(tmp_path, "memory_banks/histograms.py")
    assert {stage for stage, _ in found} == {"btf_fpfh", "maps"}
    assert {name for stage, name in found if stage == "maps"} == {
        name for name, each in VARIANTS.items() if each["detector"]["method"] == "btf_fpfh"
    }


def test_a_change_in_what_is_only_shown_or_only_calls_stages_reruns_nothing(tmp_path):
    assert not reruns(tmp_path, "training/progress_bar.py", "detector.py", "workflow/command_line.py")
