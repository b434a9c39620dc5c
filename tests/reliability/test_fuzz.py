"""The campaign sees every fault; a small part of it on all readers, in this process."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reliability.fuzz import campaign, mutations, trees
from reliability.fuzz.campaign import run
from reliability.fuzz.readers import READERS
from reliability.fuzz.worker import DEVICES, Outcome, damaged, emptied, named, outcome_of

HERE = Path(__file__).parent
FILES = 12  # of each reader; the whole campaign reads 2,000


@pytest.fixture
def box(tmp_path):
    """Where a worker reads."""
    emptied(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("good", "read"),
        ("refuses", "refused"),
        ("hangs", "hang"),
        ("crashes", "crash"),
        ("fills memory", "memory"),
        ("writes", "outside"),
        ("raises", "traceback"),
        ("is wrong", "wrong"),
        ("is unnamed", "unnamed"),
    ],
)
def test_every_fault_is_seen_and_the_files_behind_it_are_read_too(tmp_path, monkeypatch, name, kind):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]))
    found = run(named(name, "bad_readers"), 2, 0, tmp_path, module="bad_readers", seconds=1)
    assert [outcome.index for outcome in found.outcomes] == [0, 1]
    assert {outcome.kind for outcome in found.outcomes} == {kind}
    assert len(found.faults) == (0 if kind in ("read", "refused") else 2)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_damaged_file_is_read_right_or_refused_in_one_line(box, monkeypatch, reader):
    monkeypatch.chdir(box)
    files, checks = reader.originals(), dict(reader.checks())
    kinds = []
    for index in range(FILES):
        emptied(box)
        path = damaged(reader, files, 1, index, box / "in")
        outcome = outcome_of(reader, checks, path, index, box)
        assert outcome.kind in ("read", "refused"), outcome
        kinds.append(outcome.kind)
    assert "refused" in kinds


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_every_reader_has_a_good_file_that_it_reads(box, monkeypatch, reader):
    monkeypatch.chdir(box)
    if reader.name == "published weights":
        pytest.skip("their files are small: right in their names alone")
    checks = dict(reader.checks())
    kinds = []
    for number, (name, content) in enumerate(reader.originals()):
        emptied(box)
        (box / "in" / name).write_bytes(content)
        kinds.append(outcome_of(reader, checks, box / "in" / name, number, box).kind)
    assert "read" in kinds and set(kinds) <= {"read", "refused"}


@pytest.mark.parametrize("kind", DEVICES)
@pytest.mark.parametrize("reader", [each for each in READERS if each.devices], ids=lambda reader: reader.name)
def test_a_link_to_a_device_or_a_pipe_is_refused(box, monkeypatch, reader, kind):
    monkeypatch.chdir(box)
    path = box / "in" / reader.originals()[0][0]
    target = Path("/dev/zero")
    if kind == "pipe":
        os.mkfifo(target := box / "pipe")
    path.symlink_to(target)
    checks = dict(reader.checks())
    assert outcome_of(reader, checks, path, 0, box).kind == "refused"


def test_the_same_seed_gives_the_same_files(tmp_path):
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        reader = named("PNG")
        paths = [damaged(reader, reader.originals(), 3, index, tmp_path / name) for index in (0, 1)]
        contents.append([path.read_bytes() for path in paths if path.is_file()])
    assert contents[0] == contents[1]


@settings(deadline=None, max_examples=200)
@given(seed=st.integers(0, 2**32), content=st.binary(max_size=300))
def test_any_content_can_be_damaged(seed, content):
    found = mutations.mutated(np.random.default_rng(seed), [content, b"other"])
    assert isinstance(found, bytes) and len(found) < 2_000_000


@settings(deadline=None, max_examples=100)
@given(seed=st.integers(0, 2**32))
def test_a_changed_tree_leaves_the_original_as_it_is(seed):
    tree = {"a": [1, {"b": 2}], "c": "text"}
    trees.mutated(np.random.default_rng(seed), tree)
    assert tree == {"a": [1, {"b": 2}], "c": "text"}


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_seed_gives_the_same_files_at_any_time(reader, tmp_path, monkeypatch):
    def written():
        found = []
        for index in range(4):
            emptied(tmp_path)
            path = damaged(reader, reader.originals(), 5, index, tmp_path / "in")
            found.append(path.readlink() if path.is_symlink() else path.read_bytes())
        return found

    first, now = written(), time.time()
    torch.rand(1)
    monkeypatch.setattr(time, "time", lambda: now + 1000)
    assert written() == first


def test_the_page_gets_a_row_for_each_reader(tmp_path):
    outcomes = [Outcome(0, "read", 0.1), Outcome(1, "read", 0.1), Outcome(2, "refused", 0.1), Outcome(3, "hang", 10.0)]
    counted = [campaign.Counted("PNG", outcomes, 1.5), campaign.Counted("PLY", [], 2.0)]
    page = campaign.reported(
        "head\n<!-- fuzzing -->\nold\n<!-- end of fuzzing -->\ntail\n", "fuzzing", campaign.table(counted, seed=4)
    )
    assert page.startswith("head\n") and page.endswith("tail\n") and "old" not in page
    assert "| PNG | 4 | 2 | 1 | 1 | 4 | 2 |" in page and "| PLY | 0 |" in page


def test_an_unknown_reader_is_one_line():
    with pytest.raises(ValueError, match="expected one of TIFF, .*, found GIF"):
        named("GIF")
