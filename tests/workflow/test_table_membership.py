from test_config import study

from st3d.workflow.stages import BASELINES, MEMORY_BANKS
from st3d.workflow.table_membership import (
    categories,
    compared,
    group,
    hyperparameter,
    latent,
    protocol,
    repeated,
    shown_in,
    weights,
)


def test_table4_knows_the_parts_of_its_variants_and_their_weights():
    given = {"official": {"extractor": {"method": "fcgf"}, "pretrain_fcgf": {"checkpoint": "some/where/best.pth"}}}
    demo = study(variants=given | {"wide_kitti": {"scenes": {"source": "simulated_kitti"}, "network": {"width": 32}}})
    groups = {name: group(demo, name) for name in shown_in(demo, "table4")}
    sources = [name for name, group in groups.items() if group == "pretraining_dataset"]
    assert sources == ["itodd", "3dmatch", "kitti", "wide_kitti"]  # whatever else a variant changes
    extractors = [name for name, group in groups.items() if group == "feature_extractor"]
    assert extractors == ["fcgf", "ppf_foldnet", "fpfh", "official"]
    assert groups["random_weights"] == groups["rotation_invariance"] == ""
    found = {name: weights(demo, name) for name in ("base", "kitti", "random_weights", *extractors, "voxel_ae")}
    assert found == {
        "base": "teacher, trained on simulated", "kitti": "teacher, trained on simulated_kitti",
        "random_weights": "teacher, random", "fcgf": "fcgf, trained on simulated",
        "ppf_foldnet": "ppf_foldnet, trained on simulated", "fpfh": "fpfh, which has none",
        "official": "fcgf, checkpoint: best.pth", "voxel_ae": "",
    }  # fmt: skip


def test_the_tables_show_the_variants_that_the_paper_shows_there():
    demo = study()
    ours = [name for name in demo.running if demo.method(name) == "3d_st" and name != "base_small"]
    assert shown_in(demo, "table1") == ["base", "width128", *BASELINES]
    assert shown_in(demo, "table2") == ["base", "width128"]
    strategies = ["random_weights", "absolute_coordinates", "rotation_invariance"]
    assert shown_in(demo, "table4") == ["base", *strategies, "itodd", "3dmatch", "kitti", "fcgf", "ppf_foldnet", "fpfh"]
    assert set(shown_in(demo, "table3")) == {"base", *ours} - set(shown_in(demo, "table4")[1:])
    assert shown_in(demo, "auroc") == shown_in(demo, "sampled_au_pro") == [*ours, *BASELINES]


def test_a_variant_of_other_seeds_repeats_another_and_is_in_no_table():
    seeds = {"teacher": {"seed": 25}, "student": {"seed": 26}}
    demo = study(
        variants={
            "again": seeds,
            "wide_again": seeds | {"network": {"width": 128}},
            "near": {"graph": {"neighbours": 7}},
        }
    )
    names = ("base", "width128", "again", "wide_again", "near", "voxel_ae", "base_small")
    assert [repeated(demo, name) for name in names] == [
        "base",
        "width128",
        "base",
        "width128",
        "near",
        "voxel_ae",
        "base_small",
    ]
    tables = ("table1", "table2", "table3", "table4", "auroc", "methods")
    assert not {"again", "wide_again"} & {name for table in tables for name in shown_in(demo, table)}
    assert "near" in shown_in(demo, "table3")
    assert categories(demo, "again") == categories(demo, "base") == demo.config["categories"]


def test_the_dataset_papers_tables_show_the_baselines():
    demo = study()
    with_colours = [f"{method}_rgb" for method in BASELINES]
    assert shown_in(demo, "mvtec_table2") == shown_in(demo, "mvtec_table5") == [*BASELINES, *with_colours]
    sizes = {(demo.method(name), latent(demo, name)) for name in shown_in(demo, "mvtec_table4")}
    with_latent = ("voxel_gan", "voxel_ae", "depth_gan", "depth_ae")
    assert sizes == {(method, latent) for method in with_latent for latent in (128, 512, 2048)}


def test_the_papers_tables_show_no_memory_bank_and_no_other_protocol():
    demo = study(variants={"base_small": {"score": {"pixels": "objects"}}})
    shown = {name for table in ("table1", "table2", "table3", "table4", "auroc", "sampled_au_pro", "mvtec_table2",
                                "mvtec_table4", "mvtec_table5") for name in shown_in(demo, table)}  # fmt: skip
    assert "base" in shown and not {"base_small", "btf", "btf_masked", "btf_small", "shape_guided"} & shown
    assert weights(demo, "btf") == ""


def test_the_weights_of_shape_guided_are_those_of_its_experts():
    coloured = {
        "detector": {"method": "shape_guided", "modality": "3d_rgb"},
        "colour": {"network": "efficientnet_lite0"},
    }
    wide = {"network": "wide_resnet50_2", "weights": "some/where/wide.pth"}
    given = {"rgb": coloured, "rgb_wide": coloured | {"colour": wide}}
    given |= {"official": {"detector": {"method": "shape_guided"}, "sdf_expert": {"checkpoint": "a/ckpt_000601.pth"}}}
    demo = study(variants=given)
    found = {name: weights(demo, name) for name in ("shape_guided", *given)}
    assert found == {
        "shape_guided": "trained here", "rgb": "trained here; efficientnet_lite0",
        "rgb_wide": "trained here; wide_resnet50_2, checkpoint: wide.pth", "official": "checkpoint: ckpt_000601.pth",
    }  # fmt: skip
    assert demo.owner("sdf_expert", "rgb") == demo.owner("sdf_expert", "shape_guided")
    assert protocol(demo, "rgb") == "full" and {"rgb", "shape_guided"} <= set(shown_in(demo, "methods"))


def test_the_table_of_methods_shows_each_once_in_each_protocol():
    demo = study()
    shown = shown_in(demo, "methods")
    keys = [(demo.method(name), demo.variants[name]["detector"]["modality"], protocol(demo, name)) for name in shown]
    masked = {name for name in shown if demo.variants[name]["objects"]["mask"] == "plane"}
    assert {key[0] for key in keys} == {"3d_st", "3d_st_calibrated", *BASELINES, *MEMORY_BANKS}
    assert len({(*key, name in masked) for key, name in zip(keys, shown, strict=True)}) == len(shown)
    assert protocol(demo, "base") == "full" and protocol(demo, "base_small") == "112_masked"
    assert protocol(demo, "btf_small") == "112"


def test_a_table_shows_only_what_runs():
    few = study(run_variants=["base", "voxel_gan_128", "depth_vm_rgb", "voxel_ae"])
    assert shown_in(few, "table1") == ["base", "voxel_ae"]
    assert shown_in(few, "mvtec_table2") == ["depth_vm_rgb", "voxel_ae"]
    assert shown_in(few, "mvtec_table4") == ["voxel_gan_128", "voxel_ae"]
    assert shown_in(study(run_variants=["base"]), "mvtec_table4") == []


def test_a_baseline_is_compared_with_the_first_one_of_its_method_and_modality():
    demo = study(variants={"voxel_gan_long": {"detector": {"method": "voxel_gan"}, "voxel_gan": {"epochs": 99}}})
    found = {name: hyperparameter(demo, name) for name in demo.variants}
    assert {found[name] for name in (*BASELINES, *(f"{method}_rgb" for method in BASELINES))} == {"none"}
    assert found["voxel_gan_128"] == found["depth_ae_2048"] == "latent"
    assert found["voxel_gan_long"] == "other"
    assert (found["base"], found["width16"], found["random_weights"]) == ("none", "width", "other")


def test_a_variant_of_means_alone_runs_on_the_compared_categories_and_another_on_all():
    demo = study(comparison_categories=["foam", "bagel"])
    assert compared(demo) == ["bagel", "foam"]  # in the order of the categories
    every = demo.config["categories"]
    for name in demo.running:
        everywhere = name in ("base", "width128", *BASELINES, *(f"{method}_rgb" for method in BASELINES))
        everywhere |= name in shown_in(demo, "methods")
        assert categories(demo, name) == (every if everywhere else ["bagel", "foam"]), name


def test_where_no_compared_category_is_run_all_of_them_are_compared():
    few = study(categories=["dowel", "rope"], comparison_categories=["bagel"])
    assert compared(few) == categories(few, "random_weights") == ["dowel", "rope"]
