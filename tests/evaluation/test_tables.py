import csv
import json

import pytest

from st3d.evaluation.columns import CATEGORIES, FILES, PUBLISHED, columns
from st3d.evaluation.tables import tables
from st3d.evaluation.variant import variant

LIMITS = (0.01, 0.05, 0.1, 0.2, 0.3)


def write_score(path, level):
    path.parent.mkdir(parents=True, exist_ok=True)
    at = {str(limit): level * limit for limit in LIMITS}
    path.write_text(json.dumps({"au_pro_at": at, "au_pro_sampled": at, "au_roc": level, "format": 1}))
    return path


@pytest.fixture
def make_variant(tmp_path):
    def make(name, varied="none", categories=CATEGORIES, level=1.0, **sizes):
        scores = [write_score(tmp_path / "score" / name / f"{each}.json", level) for each in categories]
        output = tmp_path / "variant" / f"{name}.json"
        settings = {"method": "3d_st", "modality": "3d", "latent": 0, "points": 4000, "neighbours": 16, "width": 64}
        settings |= {"group": "", "weights": "teacher, trained on meshes", "pretraining": "meshes"} | sizes
        variant(
            variant=name,
            score=scores,
            categories=list(categories),
            varied=varied,
            **settings,
            dataset="some/where/scans",
            preset="demo",
            output=output,
            table=output.with_suffix(".csv"),
            code="abc",
        )
        return output

    return make


def make_table(tmp_path, name, variants, costs=()):
    output = tmp_path / "tables" / f"{name}.csv"
    tables(table=name, variants=list(variants), costs=list(costs), output=output, code="abc")
    with output.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert all(tuple(row) == columns(name) for row in rows)
    return rows


@pytest.mark.parametrize("name", ["table1", "table2", "table3", "table4", *sorted(set(FILES) - {"auroc"})])
def test_a_table_has_the_published_columns_first(name):
    header = (PUBLISHED / FILES.get(name, f"3d_st_{name}.csv")).read_text().splitlines()[0]
    assert ",".join(columns(name)).startswith(header + ",source,dataset,code,scale")


def test_a_measured_row_stands_below_its_published_one(tmp_path, make_variant):
    rows = make_table(tmp_path, "table1", [make_variant("base"), make_variant("width128", "width", width=128)])
    sixty_four = [row for row in rows if row["method"] == "3d_st_64"]
    assert [row["source"] for row in sixty_four] == ["published", "measured"]
    assert sixty_four[0]["bagel"] == "0.939"
    assert sixty_four[1]["bagel"] == "0.3000"
    assert sixty_four[1]["dataset"] == "scans"
    assert sixty_four[1]["scale"] == "demo"
    assert sixty_four[1]["code"].endswith("+abc")


def test_what_was_not_run_is_an_empty_cell(tmp_path, make_variant):
    rows = make_table(tmp_path, "table1", [make_variant("base")])
    voxel = [row for row in rows if row["method"] == "voxel_gan"]
    assert [row["mean"] for row in voxel] == ["0.583", ""]
    assert [row["source"] for row in voxel] == ["published", "measured"]


def test_a_baseline_stands_below_its_published_row_by_its_method(tmp_path, make_variant):
    made = [make_variant("base"), make_variant("voxel_gan", method="voxel_gan", latent=512, level=2.0)]
    made.append(make_variant("other_gan", method="depth_gan", latent=128))
    rows = make_table(tmp_path, "table1", made)
    assert [row["source"] for row in rows] == ["published", "measured"] * 8
    assert [row["method"] for row in rows[::2]] == [row["method"] for row in rows[1::2]]
    means = {row["method"]: row["mean"] for row in rows[1::2]}
    assert (means["3d_st_64"], means["voxel_gan"], means["depth_gan"]) == ("0.3000", "0.6000", "0.3000")
    assert means["voxel_ae"] == means["3d_st_128"] == ""


def test_further_scores_call_a_baseline_by_its_variants_name(tmp_path, make_variant):
    made = [make_variant("base"), make_variant("depth_vm", method="depth_vm")]
    auroc = [row for row in make_table(tmp_path, "auroc", made) if row["source"] == "measured"]
    assert [row["method"] for row in auroc] == ["depth_vm", "base"]
    assert {row["method"] for row in make_table(tmp_path, "sampled_au_pro", made)} == {"depth_vm", "base"}


@pytest.mark.parametrize(
    "name, ours, theirs", [("mvtec_table2", "0.3000", "0.471"), ("mvtec_table5", "1.0000", "0.609")]
)
def test_the_dataset_papers_tables_tell_the_modalities_apart(tmp_path, make_variant, name, ours, theirs):
    made = [
        make_variant(f"vm{number}", method="voxel_vm", modality=each) for number, each in enumerate(("3d", "3d_rgb"))
    ]
    for variants in (made, made[1:], []):
        rows = make_table(tmp_path, name, variants)
        assert [row["source"] for row in rows] == ["published", "measured"] * 12
        found = {(row["modality"], row["source"]): row["mean"] for row in rows if row["method"] == "voxel_vm"}
        assert found["3d_rgb", "published"] == theirs
        assert found["3d_rgb", "measured"] == (ours if variants else "")
        assert found["3d", "measured"] == (ours if variants == made else "")


def test_the_dataset_papers_table4_has_one_measured_row_per_method(tmp_path, make_variant):
    made = [
        make_variant("voxel_gan", method="voxel_gan", latent=512),
        make_variant("voxel_gan_2048", "latent", method="voxel_gan", latent=2048, level=2.0),
        make_variant("voxel_gan_7", "latent", method="voxel_gan", latent=7),
        make_variant("voxel_gan_512", method="voxel_gan", latent=512, level=3.0),
    ]
    rows = make_table(tmp_path, "mvtec_table4", made)
    assert [row["source"] for row in rows] == ["published", "measured"] * 4
    gan = rows[1]
    assert [gan[name] for name in ("method", "128", "512", "2048")] == ["voxel_gan", "", "0.3000", "0.6000"]
    assert (gan["categories"], gan["dataset"], gan["scale"]) == ("10", "scans", "demo")
    assert rows[3]["method"] == "voxel_ae" and rows[3]["code"] == ""


def test_a_table_of_means_takes_the_categories_that_all_its_rows_have(tmp_path, make_variant):
    some = make_variant("random_weights", varied="other", level=0.5, categories=["bagel", "tire"])
    rows = make_table(tmp_path, "table4", [make_variant("base", level=1.0), some])
    found = {row["variant"]: row for row in rows if row["source"] == "measured" and row["au_pro"]}
    assert {name: (row["group"], row["au_pro"], row["categories"]) for name, row in found.items()} == {
        "base": ("training_strategy", "0.3000", "2: bagel tire"),
        "random_weights": ("training_strategy", "0.1500", "2: bagel tire"),
    }


def test_a_mean_is_over_the_categories_run_and_says_how_many(tmp_path, make_variant):
    rows = make_table(tmp_path, "table1", [make_variant("base", categories=["cable_gland", "tire"])])
    ours = next(row for row in rows if row["source"] == "measured" and row["mean"])
    assert (ours["bagel"], ours["cable_gland"], ours["categories"]) == ("", "0.3000", "2: cable_gland tire")


def test_table2_has_the_smaller_limits_for_each_width(tmp_path, make_variant):
    rows = make_table(tmp_path, "table2", [make_variant("base"), make_variant("width128", "width", width=128)])
    ours = [
        (row["descriptor_dim"], row["integration_limit"], row["mean"]) for row in rows if row["source"] == "measured"
    ]
    assert ours[:4] == [
        ("64", "0.01", "0.0100"),
        ("64", "0.05", "0.0500"),
        ("64", "0.10", "0.1000"),
        ("64", "0.20", "0.2000"),
    ]
    assert len(ours) == 8
    assert [row["source"] for row in rows[:4]] == ["published", "measured"] * 2


def test_table3_has_the_base_in_each_group_with_its_cost(tmp_path, make_variant):
    made = [make_variant("base"), make_variant("points_half", "points", points=2000)]
    cost = {"inference_seconds": 0.25, "training_memory_gb": 1.5, "inference_memory_gb": 0.5, "device": "a CPU"}
    costs = [tmp_path / f"cost{index}.json" for index in range(2)]
    for path in costs:
        path.write_text(json.dumps(cost))
    rows = [row for row in make_table(tmp_path, "table3", made, costs) if row["source"] == "measured"]
    found = {(row["hyperparameter"], row["value"]) for row in rows}
    assert found == {("points", "2000"), ("points", "4000"), ("descriptor_dim", "64"), ("neighbours", "16")}
    assert {(row["inference_seconds"], row["device"]) for row in rows} == {("0.25", "a CPU")}


def test_table4_shows_published_rows_that_were_not_run(tmp_path, make_variant):
    rows = make_table(
        tmp_path, "table4", [make_variant("random_weights", "other", level=0.5), make_variant("mine", "other")]
    )
    found = {(row["variant"], row["source"]): row["au_pro"] for row in rows}
    assert found["random_weights", "measured"] == "0.1500"
    assert found["fcgf", "published"] == "0.719"
    assert found["fcgf", "measured"] == ""
    assert next(row["group"] for row in rows if row["variant"] == "mine") == "other"


def test_table4_names_the_pretraining_data_and_the_weights(tmp_path, make_variant):
    made = [
        make_variant("kitti", "other", group="pretraining_dataset", pretraining="simulated_kitti"),
        make_variant("3dmatch", "other", pretraining="simulated_3dmatch"),  # whose name says what it is about
        make_variant("fcgf", "other", group="feature_extractor", weights="fcgf, checkpoint: best.pth"),
        make_variant("fpfh", "other", group="feature_extractor", weights="fpfh, which has none"),
    ]
    rows = {row["variant"]: row for row in make_table(tmp_path, "table4", made) if row["source"] == "measured"}
    assert (rows["kitti"]["dataset"], rows["kitti"]["weights"]) == ("simulated_kitti", "teacher, trained on meshes")
    assert (rows["fcgf"]["dataset"], rows["fcgf"]["weights"]) == ("scans", "fcgf, checkpoint: best.pth")
    assert (rows["fpfh"]["group"], rows["fpfh"]["weights"]) == ("feature_extractor", "fpfh, which has none")
    assert rows["3dmatch"]["dataset"] == "simulated_3dmatch"
    assert rows["itodd"]["dataset"] == rows["itodd"]["au_pro"] == ""


def test_a_score_that_is_not_of_st3d_is_refused(tmp_path, make_variant):
    (tmp_path / "score/base").mkdir(parents=True)
    with pytest.raises(ValueError, match="expected a score"):
        path = tmp_path / "other.json"
        path.write_text("{}")
        variant(
            variant="base", score=[path], categories=["bagel"], varied="none", method="3d_st", modality="3d",
            latent=0, points=1, neighbours=1, width=16, group="", weights="", pretraining="",
            dataset="x", preset="x", output=tmp_path / "o.json", table=tmp_path / "o.csv", code="x",
        )  # fmt: skip
