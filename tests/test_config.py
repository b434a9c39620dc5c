from copy import deepcopy
from pathlib import Path

import pytest
import yaml

from st3d.config import Study, flag, listing, sees

ROOT = Path(__file__).parents[1]
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
    assert demo.owner("graph_scans", "near_double") == "base"
    assert demo.owner("scale_scans", "near_double") == "near_double"
    assert demo.owner("scale_scenes", "width128") == "base"
    assert demo.owner("teacher", "width128") == "width128"
    assert demo.owner("teacher", "rotation_invariance") == "base"
    assert demo.owner("student", "rotation_invariance") == "rotation_invariance"
    assert demo.owner("graph_scenes", "random_weights") == "base"
    assert demo.owner("cost", "random_weights") == "base"


def test_an_owner_does_not_depend_on_which_variants_run():
    few = study(run_variants=["near_half"])
    assert few.running == ["near_half"]
    assert few.owner("scenes", "near_half") == "base"


def test_a_shared_result_is_made_at_the_largest_size_that_a_running_variant_needs():
    demo, few = study(), study(run_variants=["base", "points_half"])
    n, k = DEMO["graph"]["points"], DEMO["graph"]["neighbours"]
    assert demo.largest("scenes", "base", "graph.points") == 2 * n
    assert few.largest("scenes", "base", "graph.points") == n
    assert demo.largest("graph_scans", "base", "graph.neighbours") == 2 * k
    assert demo.largest("graph_scans", "points_half", "graph.neighbours") == k


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
        ({"graph": {"neighbours": 2000}}, "points_quarter: graph.neighbours: expected fewer than graph.points = 1000"),
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
    ],
)
def test_a_wrong_config_is_refused_in_one_line_by_the_name_of_the_key(changes, message):
    with pytest.raises(ValueError, match=r"^config: ") as error:
        study(**changes)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


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


def test_the_tables_show_the_variants_that_the_paper_shows_there():
    demo = study()
    assert demo.shown_in("table1") == demo.shown_in("table2") == ["base", "width128"]
    assert demo.shown_in("table4") == ["random_weights", "absolute_coordinates", "rotation_invariance"]
    assert set(demo.shown_in("table3")) == set(demo.running) - set(demo.shown_in("table4"))
    assert demo.shown_in("auroc") == demo.running


def test_a_setting_becomes_a_flag_with_its_shortest_form():
    assert flag("weight_decay", 1e-6) == "--weight-decay 1e-06"
    assert flag("limits", [0.1, 0.3]) == "--limits 0.1 0.3"
    assert flag("url", "a b") == "--url 'a b'"


def test_a_stage_sees_what_the_stages_before_it_see():
    assert sees("thin") < sees("graph_scans") < sees("scale_scans") < sees("student") < sees("score")


def test_a_listing_changes_with_a_file_more_and_not_with_a_touch(tmp_path):
    (tmp_path / "a.off").write_text("OFF")
    before = listing(tmp_path)
    (tmp_path / "a.off").touch()
    assert listing(tmp_path) == before
    (tmp_path / "b.off").write_text("OFF")
    assert listing(tmp_path) != before
