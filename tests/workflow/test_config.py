from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from st3d.baselines.image_networks import core
from st3d.workflow.config import LEAST_SIZE, Study, flag, listing
from st3d.workflow.stages import BASELINES, STAGES, sees
from st3d.workflow.table_membership import hyperparameter, pretraining

ROOT = Path(__file__).parents[2]
DEMO = yaml.safe_load((ROOT / "config.yaml").read_text())


def study(**sections):
    """The demo's study with some keys changed: network={"width": 32}."""
    config = deepcopy(DEMO)
    for name, part in sections.items():
        if isinstance(part, dict) and name in config:
            config[name] |= part
        else:
            config[name] = part
    return Study(config, ROOT / "config.schema.yaml")


def test_a_variant_reuses_the_first_variant_that_a_stage_cannot_tell_apart():
    demo = study()
    assert demo.owner("scenes", "points_double") == "base"
    assert demo.owner("graph_scans", "points_double") == "points_double"
    assert demo.owner("graph_scans", "near_double") == "near_double"
    assert demo.owner("downsampling", "points_double") == demo.owner("scenes", "near_double") == "base"
    assert demo.owner("scale_scans", "near_double") == "near_double"
    assert demo.owner("scale_scenes", "width128") == "base"
    assert demo.owner("teacher", "width128") == "width128"
    assert demo.owner("teacher", "rotation_invariance") == "base"
    assert demo.owner("student", "rotation_invariance") == "rotation_invariance"
    assert demo.owner("graph_scenes", "random_weights") == "base"
    assert demo.owner("cost", "random_weights") == "base"


def test_the_baselines_share_what_they_read_and_nothing_that_they_learned():
    demo = study()
    for variant in ("voxel_gan", "voxel_ae_rgb", "voxel_vm", "voxel_gan_2048"):
        assert demo.owner("frame", variant) == demo.owner("voxels", variant) == "base"
        assert demo.owner(demo.method(variant), variant) == demo.owner("score", variant) == variant
    assert demo.owner("depth", "depth_gan") == "base"
    assert demo.owner("frame", "depth_vm_rgb") == "base"
    assert demo.owner("depth", "depth_vm_rgb") == "depth_vm"
    assert demo.owner("depth_vm", "depth_vm_rgb") == "depth_vm_rgb"


def test_equal_variants_share_even_their_maps():
    added = {"voxel_gan_512": {"detector": {"method": "voxel_gan"}, "voxel_gan": {"latent": 512}}}
    added["narrow_gan"] = {"detector": {"method": "voxel_gan"}, "network": {"width": 16}}  # which no baseline reads
    added["slow_gan"] = {"voxel_gan": {"epochs": 99}}  # which 3D-ST does not read
    more = study(variants=added)
    for stage in ("voxel_gan", "maps", "score"):
        assert more.owner(stage, "voxel_gan_512") == more.owner(stage, "narrow_gan") == "voxel_gan"
    assert more.owner("score", "slow_gan") == "base"
    assert [hyperparameter(more, name) for name in added] == ["none"] * 3


def test_3d_st_sees_no_setting_of_a_baseline_and_a_baseline_none_of_3d_st_or_another():
    common = {"detector", "dataset", "simulation", "score"}
    variants = study().variants
    for name in ("base", "fcgf"):
        assert not (sees("score", variants[name]) | sees("cost")) & {*BASELINES, "frame", "voxels", "depth"}
    for method in BASELINES:
        source = STAGES[method][0][0]
        assert sees("score", variants[method]) == common | {
            "downsampling.invalid",
            "frame",
            "augmentation",
            source,
            method,
        }


def test_a_memory_bank_sees_what_it_reads_and_3d_st_the_object_images_only_where_their_protocol_asks_for_them():
    variants = study(variants={"base_small": {"score": {"pixels": "objects"}}}).variants
    common = {"detector", "dataset", "simulation", "score", "downsampling.invalid", "objects"}
    assert sees("score", variants["btf"]) == common | {"btf_fpfh"}
    assert sees("score", variants["base_small"]) == sees("score", variants["base"]) | {
        "objects",
        "downsampling.invalid",
    }
    assert sees("maps", variants["base_small"]) == sees("maps", variants["base"])


def test_protocols_share_all_but_the_score():
    demo = study(variants={"base_small": {"score": {"pixels": "objects"}}})
    for one, other in (("btf", "btf_small"), ("btf_masked", "btf_masked_small"), ("base", "base_small")):
        assert demo.owner("maps", other) == one and demo.owner("score", other) == other
    assert demo.owner("objects", "btf") == "btf" and demo.owner("objects", "btf_masked") == "base"
    assert demo.owner("btf_fpfh", "btf_masked") == "btf_masked"


def test_a_student_sees_the_settings_of_its_own_extractor_alone():
    variants = study().variants
    makers = {"teacher", "pretrain_fcgf", "pretrain_ppf_foldnet", "fpfh"}
    found = {
        name: sees("student", variants[name]) & makers for name in ("base", "kitti", "fcgf", "ppf_foldnet", "fpfh")
    }
    assert found["base"] == found["kitti"] == {"teacher"}
    assert found["fcgf"] == {"pretrain_fcgf"} and found["ppf_foldnet"] == {"pretrain_ppf_foldnet"}
    assert found["fpfh"] == {"fpfh"} and "scenes" not in sees("student", variants["fpfh"])


def test_other_extractors_and_scenes_share_the_scans():
    demo = study(variants={"far": {"pretrain_fcgf": {"voxel": 0.01}}, "far_fcgf": {"extractor": {"method": "fcgf"}}})
    for name in ("kitti", "fcgf", "ppf_foldnet", "fpfh"):
        assert demo.owner("scale_scans", name) == demo.owner("downsampling", name) == "base"
        assert demo.owner("student", name) == name
    assert demo.owner("scenes", "kitti") == "kitti" and demo.owner("graph_scenes", "fcgf") == "base"
    assert demo.owner("student", "far") == "base"  # the teacher's students see nothing of FCGF
    assert demo.owner("student", "far_fcgf") == "fcgf"


def test_the_scenes_source_is_the_meshes_or_others_by_name_or_folder():
    demo = study(meshes=["modelnet10", "own/meshes"], variants={"own": {"scenes": {"source": "some/clouds"}}})
    sources = {name: demo.variants[name]["scenes"]["source"] for name in ("base", "kitti", "own")}
    assert sources == {"base": ["modelnet10", "own/meshes"], "kitti": ["simulated_kitti"], "own": ["some/clouds"]}
    assert pretraining(demo, "base") == "modelnet10+meshes" and pretraining(demo, "own") == "clouds"
    both = study(variants={"both": {"scenes": {"source": ["meshes", "some/clouds"]}}}).variants["both"]
    assert both["scenes"]["source"] == ["simulated", "some/clouds"]
    same = study(variants={"named": {"scenes": {"source": "simulated"}}})
    assert same.owner("score", "named") == "base"


def test_an_owner_does_not_depend_on_which_variants_run():
    few = study(run_variants=["near_half"])
    assert few.running == ["near_half"]
    study(run_variants=["near_half"], scenes={"points": 4000})  # points_double, which needs more, does not run
    assert few.owner("scenes", "near_half") == "base"


def test_a_multiple_is_of_the_base_and_stays_a_whole_number():
    sizes = study(graph={"points": 1001, "neighbours": 6}).variants
    assert sizes["points_quarter"]["graph"]["points"] == 250
    assert sizes["near_quarter"]["graph"]["neighbours"] == 2
    assert sizes["near_double"]["graph"]["neighbours"] == 12


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"grapf": {}}, "grapf: unknown key"),
        ({"graph": {"neighbors": 3}}, "graph.neighbors: unknown key; known keys: points, neighbours"),
        ({"graph": {"points": 0}}, "graph.points: 0 is less than the minimum of 1"),
        ({"graph": {"points": "many"}}, "graph.points: 'many' is not of type 'integer'"),
        ({"graph": {"neighbours": 1000}}, "points_quarter: graph.neighbours: expected fewer than graph.points = 500"),
        (
            {"scenes": {"points": 3999}},
            "scenes.points: expected 4000 or more, for variants.points_double has graph.points",
        ),
        ({"variants": {"x4": {"graph": {"points": "x4"}}}}, "for variants.x4 has graph.points = 8000, found 4000"),
        ({"variants": {"few": {"downsampling": {"points": 99}}}}, "downsampling.points: expected 2000 or more, for"),
        ({"categories": ["scenes"], "dataset": "own"}, "categories: scenes: expected another name"),
        ({"network": {"width": 40}}, "network.width: 40 is not a multiple of 16"),
        ({"student": {"rotation": False}}, "student.rotation: False is not one of"),
        ({"score": {"limits": [0.1]}}, "score.limits: expected 0.3 among them"),
        ({"run_variants": ["near8"]}, "run_variants: near8 is not declared"),
        ({"categories": ["bagels"]}, "categories: bagels is unknown"),
        ({"variants": {"wide": {"network": {"widht": 32}}}}, "variants.wide.network.widht: not a key of network"),
        ({"variants": {"wide": {"networks": {}}}}, "variants.wide.networks: not a section"),
        ({"variants": {"wide": {"network": {"width": 33}}}}, "variants.wide: network.width: 33 is not a multiple"),
        ({"variants": {"base": {"graph": {"points": 5}}}}, "variants.base:"),
        ({"variants": {"Base": {}}}, "variants"),
        ({"detector": {"method": "voxel"}}, "detector.method: 'voxel' is not one of"),
        ({"detector": {"modality": "3d_rgb"}}, "detector.modality: expected 3d, which alone 3d_st reads"),
        (
            {"detector": {"method": "shape_guided", "modality": "3d_rgb"}},
            "colour.weights: expected a file of wide_resnet50_2's ImageNet weights for modality 3d_rgb, found",
        ),
        ({"voxels": {"cells": 24}}, "voxels.cells: 24 is not one of"),
        ({"depth": {"size": 48}}, "depth.size: 48 is not a multiple of 32"),
        ({"depth": {"size": 0}}, "variants.depth_gan: depth.size: expected 64 or more for depth_gan, found 0"),
        ({"objects": {"size": 100}}, "objects.size: 100 is not a multiple of 28"),
        ({"score": {"pixels": "all"}}, "score.pixels: 'all' is not one of"),
        (
            {"variants": {"coloured": {"detector": {"method": "btf_fpfh", "modality": "3d_rgb"}}}},
            "variants.coloured: detector.modality: expected 3d, which alone btf_fpfh reads, found 3d_rgb",
        ),
        ({"voxel_vm": {"epochs": 3}}, "voxel_vm.epochs: unknown key; known keys: least_std"),
        ({"extractor": {"method": "spinnet"}}, "extractor.method: 'spinnet' is not one of"),
        ({"extractor": {"method": "fcgf"}}, "extractor.method: expected teacher, found fcgf; students of another"),
        ({"scenes": {"source": []}}, "scenes.source: [] is not valid"),
        ({"pretrain_fcgf": {"conv1_kernel": 4}}, "pretrain_fcgf.conv1_kernel: 4 is not one of"),
        (
            {"variants": {"alike": {"teacher": {"weights": "random", "seed": 6}}}},
            "variants.alike: student.seed: expected",
        ),
        ({"variants": {"deep": {"voxel_gan": {"latent": 0}}}}, "variants.deep: voxel_gan.latent: 0 is less than"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line_by_the_name_of_the_key(changes, message):
    with pytest.raises(ValueError, match=r"^config: ") as error:
        study(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_least_size_of_a_depth_image_is_that_of_its_networks():
    assert core((LEAST_SIZE, LEAST_SIZE))
    with pytest.raises(ValueError, match="64 or more"):
        core((LEAST_SIZE - 32, LEAST_SIZE - 32))


def test_a_missing_key_is_refused_by_its_name():
    config = deepcopy(DEMO)
    del config["teacher"]["epochs"]
    with pytest.raises(ValueError, match=r"teacher\.epochs: missing"):
        Study(config, ROOT / "config.schema.yaml")


def test_base_must_be_the_first_variant():
    config = deepcopy(DEMO)
    config["variants"] = {"other": {}, "base": {}}
    with pytest.raises(ValueError, match="base first"):
        Study(config, ROOT / "config.schema.yaml")


def test_numbers_that_came_as_text_are_numbers():
    changed = study(teacher={"learning_rate": "1e-3", "epochs": "3"}, score={"limits": ["0.1", "0.3"]}).config
    assert changed["teacher"]["learning_rate"] == 0.001
    assert changed["teacher"]["epochs"] == 3
    assert changed["score"]["limits"] == [0.1, 0.3]


@pytest.mark.parametrize("overlay", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_overlay_holds_the_variants_at_its_sizes(overlay):
    changed = study(**yaml.safe_load(overlay.read_text()))
    assert changed.config["preset"] == overlay.stem
    base = changed.variants["base"]["graph"]
    assert changed.variants["points_double"]["graph"]["points"] == 2 * base["points"]


def test_a_setting_becomes_a_flag_with_its_shortest_form():
    assert flag("weight_decay", 1e-6) == "--weight-decay 1e-06"
    assert flag("limits", [0.1, 0.3]) == "--limits 0.1 0.3"
    assert flag("url", "a b") == "--url 'a b'"


def test_a_stage_sees_what_the_stages_before_it_see():
    assert sees("downsampling") < sees("graph_scans") == sees("scale_scans") < sees("student") < sees("score")


def test_a_listing_changes_with_a_file_added_or_overwritten_by_one_of_its_size(tmp_path):
    (tmp_path / "a.off").write_text("OFF 1")
    before = listing(tmp_path)
    assert listing(tmp_path) == before
    (tmp_path / "a.off").write_text("OFF 2")
    overwritten = listing(tmp_path)
    (tmp_path / "b.off").write_text("OFF 1")
    assert len({before, overwritten, listing(tmp_path)}) == 3


def test_a_listing_follows_links_to_folders_and_ends(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "own").mkdir()
    (tmp_path / "own/link").symlink_to(tmp_path / "data")
    empty = listing(tmp_path / "own")
    (tmp_path / "data/a.off").write_text("OFF")
    assert listing(tmp_path / "own") != empty
    (tmp_path / "data/back").symlink_to(tmp_path / "own")  # a circle
    assert listing(tmp_path / "own") != empty
