"""What the report shows of a study."""

from pathlib import Path

import pytest
import yaml

from st3d.workflow.config import Study
from st3d.workflow.report_content import compared, logs, losses, reported, settings, settings_hash, shown

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config.yaml").read_text())
TABLES = ("table1", "table2", "table3", "table4", "auroc", "sampled_au_pro")


def study(*running):
    return Study(CONFIG | {"run_variants": list(running)}, ROOT / "config.schema.yaml")


def test_the_base_is_shown_or_else_the_first_variant_that_runs():
    assert shown(study()) == shown(study("kitti", "base")) == "base"
    assert shown(study("kitti", "depth_ae")) == "kitti"


def test_the_shown_variant_and_those_of_table_1_are_compared():
    assert compared(study("base", "width128", "kitti", "voxel_vm")) == ["base", "width128", "voxel_vm"]
    assert compared(study("kitti", "voxel_vm")) == ["kitti", "voxel_vm"]


def test_the_times_are_those_of_the_variants_that_run_alone():
    found = logs(study("base", "near_half", "voxel_ae"))
    assert {"graph/base", "graph/near_half", "student/near_half", "cost/base.log", "variant/voxel_ae.log"} <= set(found)
    assert {path.split("/")[1].removesuffix(".log") for path in found if "/" in path} == {
        "base",
        "near_half",
        "voxel_ae",
    }
    assert len(found) == len(set(found))


def test_variants_of_the_dataset_papers_tables_alone_are_not_asked_for():
    assert reported(study(), TABLES)[0] == "base"
    assert not {name for name in reported(study(), TABLES) if name.endswith(("_rgb", "_2048"))}
    assert reported(study("voxel_vm_rgb"), TABLES) == ["voxel_vm_rgb"]  # but the shown one always is


@pytest.mark.parametrize(
    "variant, expected",
    [
        ("base", ["teacher/base/loss.csv", "student/base/bagel/loss.csv"]),
        ("near_half", ["teacher/near_half/loss.csv", "student/near_half/bagel/loss.csv"]),
        ("rotation_invariance", ["teacher/base/loss.csv", "student/rotation_invariance/bagel/loss.csv"]),
        ("fcgf", ["pretrain_fcgf/base/loss.csv", "student/fcgf/bagel/loss.csv"]),
        ("fpfh", ["student/fpfh/bagel/loss.csv"]),
        ("voxel_gan", ["voxel_gan/voxel_gan/bagel/loss.csv"]),
        ("voxel_vm", []),
    ],
)
def test_losses_are_those_of_what_was_trained(variant, expected):
    assert list(losses(study(variant), variant, ["bagel"]).values()) == expected


def test_the_settings_are_those_that_the_shown_variant_reads():
    found = settings(study(), "base")
    assert "graph.neighbours=8" in found and "data.dataset=simulated" in found
    assert not any(text.startswith(("voxel_gan.", "pretrain_fcgf.", "cost.", "runtime.")) for text in found)
    assert "voxel_gan.latent=512" in settings(study("voxel_gan"), "voxel_gan")


def test_the_hash_of_a_variant_changes_with_all_that_leads_to_its_row_alone():
    before = study()

    def changed(**sections):
        after = Study(
            CONFIG | {name: CONFIG[name] | each for name, each in sections.items()}, ROOT / "config.schema.yaml"
        )
        return {
            name for name in ("base", "fpfh", "voxel_gan") if settings_hash(after, name) != settings_hash(before, name)
        }

    assert changed(teacher={"epochs": 3}) == {"base"}
    assert changed(student={"epochs": 3}) == {"base", "fpfh"}
    assert changed(voxel_gan={"epochs": 3}) == {"voxel_gan"}
    assert changed(interval={"seed": 99}) == {"base", "fpfh", "voxel_gan"}
    assert changed(runtime={"cache_gb": 2.0}) == set()
    fewer = Study(CONFIG | {"categories": ["bagel", "foam"]}, ROOT / "config.schema.yaml")
    assert settings_hash(fewer, "base") != settings_hash(before, "base")
