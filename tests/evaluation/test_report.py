"""The report: the page's numbers, marks, sections and files."""

import base64
import csv
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import markupsafe
import numpy as np
import pandas as pd
import pytest
import small_report
from PIL import Image
from small_report import SAMPLES, SmallStudy, whole_study

from st3d.evaluation.columns import KEYS, columns
from st3d.evaluation.report import origin
from st3d.evaluation.report.comparison import TITLES, WITHIN, compare, read
from st3d.evaluation.report.cutout import cutout
from st3d.evaluation.report.figures import Panel, Series, ticks
from st3d.evaluation.report.interactive import plot
from st3d.evaluation.report.oblique import WIDTH, oblique
from st3d.evaluation.report.paper_figures import figure6
from st3d.evaluation.report.scan_pictures import Layers, choose, colour_scale, layers
from st3d.evaluation.report.turnable import packed
from st3d.formats.atomic import write_csv
from st3d.formats.scans import list_samples, read_map


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    study = whole_study(tmp_path_factory.mktemp("study"), np.random.default_rng(0))
    study.page = study.report().read_text()
    return study


def rows_of(page, table):
    """The rows of one of the page's tables: header texts, and of each cell its order and its texts by class."""
    body = re.search(rf'<table class="numbers" id="table-{table}">.*?</table>', page, re.DOTALL)[0]
    rows = []
    for row in re.findall(r"<tr(?: class=\"absent\")?>(.*?)</tr>", body.partition("<tbody>")[2], re.DOTALL):
        heads = re.findall(r'<th scope="row">(.*?)</th>', row)
        cells = re.findall(r'<td class="number" data-order="(.*?)">(.*?)</td>', row, re.DOTALL)
        rows.append(
            (heads, [(order, dict(re.findall(r'<span class="([\w ]+)">(.*?)</span>', cell))) for order, cell in cells])
        )
    return rows


def data_of(page, name):
    """What the page's script reads."""
    return json.loads(re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page, re.DOTALL)[1])


def test_the_pages_numbers_are_those_of_the_tables(study):
    for table, names in (("table1", ("bagel", "tire", "mean")), ("table3", ("au_pro", "inference_seconds"))):
        measured = [
            row for row in study.table(table, "base", "voxel_vm" if table == "table1" else "points_half") if row["code"]
        ]
        found = [cells for _, cells in rows_of(study.page, table) if cells[0][0]]
        assert sorted(row[names[0]] for row in measured) == sorted(cells[0][0] for cells in found)
        assert sorted(row[names[1]] for row in measured) == sorted(cells[1][0] for cells in found)
        for cells in found:
            for order, texts in cells:
                shown = next(text for name, text in texts.items() if name.startswith("measured"))
                assert float(shown) == pytest.approx(float(order), abs=0.0006)


def test_a_published_number_stands_below_with_the_difference(study):
    cells = next(cells for heads, cells in rows_of(study.page, "table1") if heads == ["3D-ST 64"])
    order, texts = cells[0]
    assert texts["published"] == "0.939"
    difference = float(order) - 0.939
    kind = "better" if difference > 0 else "worse"
    assert texts[f"difference {kind}"] == f"{difference:+.3f}".replace("-", "−")


def test_the_published_mean_is_over_the_categories_that_were_run(study):
    cells = next(cells for heads, cells in rows_of(study.page, "table1") if heads == ["voxel VM"])
    found = next(text for name, text in cells[-1][1].items() if name.startswith("published"))
    assert found == f"{(0.453 + 0.346) / 2:.3f}"[:5]


def test_the_best_of_a_column_is_bold_measured_and_published_apart(study):
    rows = rows_of(study.page, "table1")
    for column in range(3):
        cells = [cells[column] for _, cells in rows]
        best = max(float(order) for order, _ in cells if order)
        assert [order for order, texts in cells if "measured best" in texts] == [
            order for order, _ in cells if order and float(order) == best
        ]
        assert sum("published best" in texts for _, texts in cells) == 1


def test_the_best_of_seconds_and_memory_is_the_least():
    keys = {"hyperparameter": "points", "source": "measured", "code": "c", "categories": "10"}
    rows = [
        {**dict.fromkeys(columns("table3"), ""), **keys, "value": value, "au_pro": "0.5", "inference_seconds": s}
        for value, s in (("1", "0.2"), ("2", "0.1"))
    ]
    table = compare("table3", pd.DataFrame(rows))
    place = table.values.index("inference_seconds")
    assert [row.cells[place].best for row in table.rows] == [False, True]


def test_a_mean_over_other_categories_than_the_published_one_is_marked(study):
    _, cells = next(row for row in rows_of(study.page, "table4") if row[0][1] == "random weights")
    assert next(text for name, text in cells[0][1].items() if name.startswith("difference")).startswith("≈")
    assert "≈: the published mean is over all ten categories" in study.page


def test_what_is_simulated_is_said_before_anything_else(study, tmp_path, rng):
    assert study.page.index("The scans are simulated") < study.page.index("<h2>")
    real = SmallStudy(tmp_path, rng).run_variants("base", dataset="mvtec_3d_ad", pretraining="modelnet10")
    assert "imulated" not in real.report(tables=[]).read_text().partition("<h2>")[0].partition("<body>")[2]


def test_names_from_files_are_escaped(tmp_path, rng):
    evil = "<img src=x onerror=alert(1)>"
    study = SmallStudy(tmp_path, rng).run_variants("base", dataset=evil.replace("/", ""))
    study.table("table1", "base")
    page = study.report(preset=evil, settings=[f"graph.points={evil}</script>"]).read_text()
    assert evil not in page and "&lt;img src=x" in page


@pytest.mark.parametrize("name", ["<img src=x onerror=alert(1)> \"'&", r"$\bad{$ x"])
def test_a_category_and_a_defect_of_a_hostile_name_are_text_everywhere(tmp_path, rng, monkeypatch, name):
    monkeypatch.setattr(small_report, "SAMPLES", ("good/000", "good/001", "crack/000", f"{name}/000"))
    study = SmallStudy(tmp_path, rng, ("bagel", name)).run_variants("base")
    study.table("table1", "base")
    path = study.report(preset=name, settings=[f"graph.points={name}"])
    page = path.read_text()
    assert not [each for each in attributes_of(page) if each[0].startswith("on") or each == ("src", "x")]
    assert f"Report of the study <em>{markupsafe.escape(name)}</em>" in page
    views = data_of(page, "views-data")["views"]
    assert any(name in scan["caption"] for scan in views[name]["scans"])  # as data, which the script shows as text
    texts = ["".join(ElementTree.parse(each).getroot().itertext()) for each in path.parent.rglob("*.svg")]  # noqa: S314
    assert sum(name in text for text in texts) >= 2


def attributes_of(page):
    """Names and values of all tags' attributes, as a browser sees them; what a script holds has none."""
    found, parser = [], HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend(attributes)
    parser.feed(page)
    assert ("id", "run") in found
    return found


def test_a_series_name_is_no_markup_to_plotly():
    series = Series(name="<a href='x'>", x=["<b>"], y=[1.0], colour="red", style="bars")
    drawn = plot(Panel(title="", x="", y="", series=[series]))["data"][0]
    assert "<a" not in drawn["name"] and drawn["x"] == ["&lt;b&gt;"]


def test_a_study_of_one_variant_and_no_table_leaves_sections_out(tmp_path, rng):
    page = (
        SmallStudy(tmp_path, rng).run_variants("random_weights").report(curves_of=[], curve=[], tables=[]).read_text()
    )
    for there in ("scans", "threshold", "settings"):
        assert f'<section id="{there}">' in page
    for absent in ("tables", "figures", "losses", "curves"):
        assert f'<section id="{absent}">' not in page and f'href="#{absent}"' not in page


def test_a_table_without_a_measured_row_is_left_out(tmp_path, rng):
    study = SmallStudy(tmp_path, rng).run_variants("base")
    study.table("table1", "base")
    study.table("table4")
    page = study.report().read_text()
    assert 'id="table-table1"' in page and 'id="table-table4"' not in page


def test_the_page_asks_for_no_other_file(study):
    own = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", study.page, flags=re.DOTALL)  # libraries apart
    addresses = re.findall(r'(?:src|href|data-address)="(.*?)"', own)
    assert len(addresses) > 20
    assert all(address.startswith(("data:", "#")) for address in addresses)


def test_a_tables_csv_can_be_downloaded(study):
    content = re.search(r'download="table1.csv" href="data:text/csv;base64,(.*?)"', study.page)[1]
    assert base64.b64decode(content) == (study.folder / "tables/table1.csv").read_bytes()


def test_every_figure_is_an_svg_and_its_points_a_csv(study):
    names = {"figure5", "figure6", "figure7", "pro_curves", "scan_scores", "losses"}
    folder = study.folder / "report/figures"
    assert {path.stem for path in folder.glob("*.svg")} == {path.stem for path in folder.glob("*.csv")} == names
    drawn = data_of(study.page, "figures-data")
    for name in names:
        with (folder / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert (folder / f"{name}.svg").read_text().startswith("<?xml")
        assert len(rows) == sum(len(trace["x"]) for panel in drawn[name] for trace in panel["data"])


def test_figure_5_holds_the_mean_per_limit_beside_the_published_one(study):
    variant = json.loads((study.folder / "variant/base.json").read_text())
    traces = {trace["name"]: trace for trace in data_of(study.page, "figures-data")["figure5"][0]["data"]}
    ours, theirs = traces["3D-ST 64, measured"], traces["3D-ST 64, published"]
    for limit, mean in zip(ours["x"], ours["y"], strict=True):
        assert mean == np.mean([each["au_pro_at"][str(limit)] for each in variant["categories"].values()])
    assert dict(zip(theirs["x"], theirs["y"], strict=True))[0.01] == pytest.approx((0.361 + 0.008) / 2)  # bagel, tire
    assert traces["voxel VM, published"]["y"] == pytest.approx([(0.453 + 0.346) / 2])


def test_figure_6_goes_from_the_smallest_size_to_the_largest():
    rows = pd.DataFrame(
        {"hyperparameter": "neighbours", "value": ["8", "16", "2"], "source": "measured", "au_pro": "0.5"}
    )
    rows = rows.assign(inference_seconds="1", training_memory_gb="1", inference_memory_gb="1")
    panel = next(panel for panel in figure6(rows).panels if panel.title == "AU-PRO over k")
    assert panel.series[0].x == [2, 8, 16]


def test_figure_7s_base_is_over_the_categories_of_the_others(tmp_path, rng):
    study = SmallStudy(tmp_path, rng).run_variants("base")
    study.categories = ["tire"]
    study.run_variants("random_weights")
    study.categories = ["bagel", "tire"]
    study.table("table4", "base", "random_weights")
    page = study.report().read_text()
    base = json.loads((tmp_path / "variant/base.json").read_text())["categories"]
    bars = data_of(page, "figures-data")["figure7"][0]["data"][0]
    assert bars["x"][:2] == ["base", "random<br>weights"] and bars["x"].count("base") == 1
    assert bars["y"][0] == pytest.approx(base["tire"]["au_pro_at"]["0.3"], abs=5e-5)  # the table's four decimals


def test_the_kept_epoch_is_that_of_the_lowest_validation_loss(study):
    panel = data_of(study.page, "figures-data")["losses"][0]
    assert [(trace["name"], trace["x"], trace["y"]) for trace in panel["data"]][-1] == ("kept: epoch 2", [2], [1.5])


def test_the_threshold_is_the_largest_validation_score_whatever_the_test_scans(study):
    for heads, cells in rows_of(study.page, "threshold"):
        assert cells[0][0] == "4.0" and cells[1][0] == "3", heads
    shapes = [panel["layout"]["shapes"][0]["x0"] for panel in data_of(study.page, "figures-data")["scan_scores"]]
    assert shapes == [4.0, 4.0]


def test_without_validation_scans_there_is_no_threshold(tmp_path, rng):
    study = SmallStudy(tmp_path, rng, ["tire"]).run_variants("base")
    write_csv(tmp_path / "validation_maps/tire/maps.csv", [], ["sample", "score"])
    page = study.report().read_text()
    assert rows_of(page, "threshold")[0][1][0][0] == ""
    assert "shapes" not in data_of(page, "figures-data")["scan_scores"][0]["layout"]


def test_colours_of_another_size_are_left_out_and_named(tmp_path, rng, caplog):
    SmallStudy(tmp_path, rng, ["tire"]).run_variants("base")
    sample = replace(list_samples(tmp_path / "data", "tire", "test")[0], rgb=tmp_path / "small.png")
    Image.new("RGB", (3, 5)).save(sample.rgb)
    drawn = layers(sample, tmp_path / "maps/base/tire/test")
    assert drawn.colours is None and str(sample.rgb) in caplog.text


def test_all_pictures_of_a_category_share_one_colour_scale(study):
    samples = list_samples(study.folder / "data", "bagel", "test")
    maps = study.folder / "maps/base/bagel/test"
    low, high = colour_scale(samples, maps)
    values = np.concatenate([read_map(maps / f"{name}.tiff")[::3, ::3].ravel() for name in SAMPLES])
    assert (low, high) == tuple(np.percentile(values, [90, 99.9]))
    view = data_of(study.page, "views-data")["views"]["bagel"]
    assert (view["low"], view["high"]) == (low, high)
    good = next(scan for scan in view["scans"] if scan["name"] == "good/000")
    defect = next(scan for scan in view["scans"] if scan["name"] == "crack/000")
    assert max(base64.b64decode(good["score"])) < 140 < max(base64.b64decode(defect["score"]))


def test_the_best_and_the_worst_scan_of_each_kind_are_shown_and_one_without_a_defect(study):
    found = choose(list_samples(study.folder / "data", "bagel", "test"), study.folder / "maps/base/bagel/test")
    assert [(scan.sample.name, scan.rank) for scan in found] == [
        ("crack/000", "best of 3"),
        ("crack/002", "worst of 3"),
        ("hole/000", "the only one"),
        ("good/000", "anomaly-free"),
    ]
    assert found[0].au_pro > found[1].au_pro and found[3].au_pro is None
    for scan in found:
        path = study.folder / f"report/scans/bagel/{scan.sample.name.replace('/', '_')}.png"
        with Image.open(path) as image:
            assert image.width == 2 * WIDTH + 8
            assert len(image.convert("RGB").getcolors(10**6)) > 20
        assert f"{scan.sample.name}, {scan.rank}" in study.page


def test_a_scan_to_turn_holds_places_scores_and_colours():
    xyz = np.zeros((6, 4, 3), np.float32)
    xyz[1:] = np.stack(np.meshgrid(np.arange(4), np.arange(5)), axis=2)[..., [0, 1, 1]] * 0.001 + [0, 0, 0.5]
    scores, mask = np.arange(24, dtype=np.float32).reshape(6, 4), np.zeros((6, 4), bool)
    mask[5, 3] = True
    found = packed(Layers(xyz, scores, mask, None), (0.0, 23.0), vertices=5)
    assert (found["rows"], found["columns"], found["rgb"]) == (3, 2, "")
    places = np.frombuffer(base64.b64decode(found["xyz"]), "<i2").reshape(3, 2, 3) / found["per_mm"]
    assert np.allclose(places[2, 1] - places[1, 0], [2, 2, 2], atol=0.01)  # millimetres
    assert list(base64.b64decode(found["score"]))[-1] == 255  # the largest of its block
    assert list(base64.b64decode(found["mask"])) == [0, 0, 0, 0, 0, 1]


def test_an_oblique_view_shows_the_nearer_of_two_surfaces():
    y, x = np.mgrid[:40, :40].astype(np.float32) * 0.002
    scan = np.stack([x, y, np.full_like(x, 0.6)], axis=2)
    scan[10:30, 10:30, 2] -= 0.02  # a block on a plane
    colours = np.zeros((40, 40, 3))
    colours[10:30, 10:30, 0] = 1
    picture = oblique(scan).picture(colours)
    red, black = (picture[..., 0] > 60).sum(), (picture.max(axis=2) < 60).sum()
    assert picture.shape[1] == WIDTH and red > 2000 and black > 2000
    assert (picture[[0, -1]] == 255).all()  # nothing beside the scan


def test_a_scan_is_cut_out_around_its_object_and_its_ground_truth():
    y, x = np.mgrid[:100, :100].astype(np.float32) * 0.001
    scan = np.stack([x, y, 0.6 + 0.1 * x], axis=2)
    mask = np.zeros((100, 100), bool)
    assert cutout(scan, mask) == (slice(0, 100), slice(0, 100))
    scan[40:60, 50:60, 2] -= 0.02
    rows, columns_ = cutout(scan, mask)
    assert (rows.start, rows.stop, columns_.start, columns_.stop) == (35, 65, 47, 63)
    mask[10:12, 50:52] = True
    assert cutout(scan, mask)[0].start < 10


def test_ticks_stand_at_values_that_occur_and_not_too_near():
    series = [Series(name="", x=[4, 8, 16, 32], y=[], colour=""), Series(name="", x=[5], y=[], colour="")]
    assert ticks(series) == [4, 16]


def test_the_time_is_the_sum_over_the_logs(tmp_path):
    (tmp_path / "student/base/bagel").mkdir(parents=True)
    (tmp_path / "maps/base").mkdir(parents=True)
    (tmp_path / "student/base/bagel/student.log").write_text(
        "epoch 1\n10:00:00 finished: 12.5 s, 11.9 s of CPU, 412 MB\n"
    )
    (tmp_path / "student/base/other.log").write_text("10:00:00 finished: 2.5 s, 2.0 s of CPU, 500 MB\n")
    (tmp_path / "maps/base/maps.log").write_text("still at work\n")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/simulation_bagel.log").write_text("10:00:00 finished: 1.0 s, 1.0 s of CPU, 90 MB\n")
    (tmp_path / "student/left_out").mkdir()
    (tmp_path / "student/left_out/student.log").write_text("10:00:00 finished: 99.0 s, 9.0 s of CPU, 9 MB\n")
    (tmp_path / "cost").mkdir()
    (tmp_path / "cost/base.log").write_text("10:00:00 finished: 0.5 s, 0.4 s of CPU, 80 MB\n")
    given = ["student/base", "maps/base", "cost/base.log", "cost/absent.log", "absent/base", "logs"]
    assert origin.times([tmp_path / each for each in given]) == [
        origin.Time("student", 2, 15.0, 13.9, 500.0), origin.Time("data", 1, 1.0, 1.0, 90.0),
        origin.Time("cost", 1, 0.5, 0.4, 80.0),
    ]  # fmt: skip


def test_a_setting_without_a_section_is_refused():
    with pytest.raises(ValueError, match="--settings: expected section.key=value, found points"):
        origin.by_section(["points=3"])


def test_lists_that_do_not_fit_each_other_are_refused(study):
    with pytest.raises(ValueError, match="--scores: expected 2 files for each of 2 methods, found 1"):
        study.report(scores=[study.folder / "score/base/bagel.json"])
    with pytest.raises(ValueError, match="--curve: expected 1 files, one per name, found 0"):
        study.report(curves_of=["teacher"], curve=[])


def test_a_file_that_is_no_table_is_one_line(tmp_path):
    path = tmp_path / "table1.csv"
    path.write_text("method,bagel\n")
    with pytest.raises(ValueError, match="table1.csv: expected a column .*, found none; delete it and run again"):
        read(path)


def test_every_table_has_a_title_and_its_best_is_sought_within_a_key():
    assert set(TITLES) == set(KEYS)
    assert all(name in KEYS[table] for table, name in WITHIN.items())
