"""The pages of results state nothing but what the CSVs beside them hold."""

import contextlib
import csv
import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/results").glob("*.md"))


def script():
    spec = importlib.util.spec_from_file_location("draw_results", ROOT / "docs/draw_results.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def numbers(folder):
    """All numbers of all CSVs, rounded to three digits."""
    found = set()
    for path in folder.glob("*.csv"):
        with path.open(newline="") as file:
            for cell in (cell for row in csv.reader(file) for cell in row):
                with contextlib.suppress(ValueError):
                    found.add(f"{float(cell):.3f}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_the_tables_of_a_page_are_those_of_its_csvs(page):
    assert script().updated(page) == page.read_text(), "run python docs/draw_results.py"
    assert len(re.findall(r"<!-- end -->", page.read_text())) >= 3


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_every_score_in_the_text_of_a_page_stands_in_its_csvs(page):
    text = re.sub(r"<!-- \w+ -->.*?<!-- end -->", "", page.read_text(), flags=re.DOTALL)
    known = numbers(page.with_suffix(""))
    for score in re.findall(r"(?<![\d.])0\.\d{3}(?!\d)", text):
        assert score in known, f"{page.name} states {score}"


def test_the_scores_that_the_readme_states_beside_a_page_stand_in_its_csvs():
    linked = re.compile(r"^\[[^\]]+\]\(docs/results/(\w+)\.md\)")
    paragraphs = [each for each in (ROOT / "README.md").read_text().split("\n\n") if linked.match(each)]
    assert paragraphs
    for paragraph in paragraphs:
        known = numbers(ROOT / "docs/results" / linked.match(paragraph)[1])
        scores = re.findall(r"(?<![\d.])0\.\d{3}(?!\d)", paragraph)
        assert len(scores) >= 3 and not [score for score in scores if score not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_a_folder_of_results_says_by_which_commits_it_was_made(page):
    folder = page.with_suffix("")
    content = json.loads((folder / "provenance.json").read_text())
    assert content["settings"]["graph.points"]
    for run in content["runs"]:
        assert re.fullmatch(r"[0-9a-f]{40}", run["commit"])
        assert run["machine"] and run["versions"]["torch"]
    named = [name for run in content["runs"] for name in run["variants"]]
    assert sorted(named) == sorted(path.stem for path in (folder / "rows").glob("*.json")) and named


def test_a_changed_number_is_seen(tmp_path):
    page = PAGES[0]
    copy = tmp_path / page.name
    copy.write_text(page.read_text())
    (tmp_path / page.stem).symlink_to(page.with_suffix(""))
    module = script()
    assert module.updated(copy) == copy.read_text()
    score = re.search(r"0\.\d{3}", re.search(r"<!-- limits -->.*?<!-- end -->", copy.read_text(), re.DOTALL)[0])[0]
    copy.write_text(copy.read_text().replace(score, "0.999"))
    assert module.updated(copy) != copy.read_text()
