import shutil

import pytest

from st3d.workflow.results_origin import NAME, known, mark


def test_results_are_known_where_they_were_made_and_new_ones_anywhere(tmp_path):
    results, records = tmp_path / "results", tmp_path / ".snakemake"
    assert known(results, records)
    mark(results, records)
    assert known(results, records)
    before = (results / NAME).read_text()
    mark(results, records)
    assert (results / NAME).read_text() == before


@pytest.mark.parametrize("lost", ["records", "own record", "other results"])
def test_results_without_their_records_are_not_known_until_their_mark_is_deleted(tmp_path, lost):
    results, records = tmp_path / "results", tmp_path / ".snakemake"
    mark(results, records)
    if lost == "records":
        shutil.rmtree(records)
    elif lost == "own record":
        shutil.rmtree(records / "st3d")
    else:
        mark(tmp_path / "elsewhere", records)
        shutil.copy(tmp_path / "elsewhere" / NAME, results / NAME)
    assert not known(results, records)
    mark(results, records)
    assert not known(results, records)  # a mark is not replaced behind the user's back
    (results / NAME).unlink()
    mark(results, records)
    assert known(results, records)


def test_two_results_folders_have_a_mark_each(tmp_path):
    records = tmp_path / ".snakemake"
    for name in ("one", "two"):
        mark(tmp_path / name, records)
    assert known(tmp_path / "one", records) and known(tmp_path / "two", records)
    assert (tmp_path / "one" / NAME).read_text() != (tmp_path / "two" / NAME).read_text()
