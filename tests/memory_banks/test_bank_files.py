"""A damaged memory bank is one line with its file."""

import io

import pytest
import torch

from reliability.fuzz import originals
from st3d.formats.checkpoints import save
from st3d.memory_banks.bank_files import read_bank
from st3d.memory_banks.colour_bank import ColourBank

SIZES = ("normals", "neighbours", "cells", "blur")


def bank():
    """What a memory bank of BTF holds."""
    read = (torch.load(io.BytesIO(content), weights_only=True) for name, content in originals.pairs() if name[0] == "m")
    return next(content for content in read if content.get("method") == "btf_fpfh")


def without(content, name):
    return {key: value for key, value in content.items() if key != name}


def test_a_whole_bank_is_read_as_it_was_written(tmp_path):
    save(tmp_path / "a.pt", bank())
    found = read_bank(tmp_path / "a.pt", "btf_fpfh", 33, SIZES)
    assert torch.equal(found["bank"], bank()["bank"]) and found["sizes"] == bank()["sizes"]


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (lambda one: one | {"method": "shape_guided"}, "found one of shape_guided"),
        (lambda one: without(one, "method"), "no 'method'"),
        (lambda one: without(one, "sides"), "found no sides"),
        (lambda one: one | {"sides": [16, torch.zeros(1).expand(2**32)]}, "not JSON serializable"),
        (lambda one: one | {"bank": [1.0]}, "found list"),
        (lambda one: one | {"bank": torch.zeros(1).expand(2**32, 33)}, "repeats its 4 bytes"),
        (lambda one: one | {"bank": torch.rand(4, 32)}, r"rows of 33 numbers, found a tensor of shape \(4, 32\)"),
        (lambda one: one | {"sizes": without(one["sizes"], "blur")}, "no 'blur'"),
        (lambda one: one | {"sizes": one["sizes"] | {"cells": True}}, "cells from 0 to 16, found True"),
        (lambda one: one | {"sizes": one["sizes"] | {"cells": 17}}, "cells from 0 to 16, found 17"),
        (lambda one: one | {"sizes": one["sizes"] | {"blur": float("nan")}}, "blur from 0 to 16, found nan"),
    ],
)
def test_a_damaged_bank_is_one_line_with_the_file(tmp_path, damage, match):
    save(tmp_path / "a.pt", damage(bank()))
    with pytest.raises(ValueError, match=match) as caught:
        read_bank(tmp_path / "a.pt", "btf_fpfh", 33, SIZES)
    assert "a.pt: expected " in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "damage",
    [
        {"row": torch.tensor([0, 1, 3])},
        {"row": torch.tensor([-1, 1, 2])},
        {"start": torch.tensor([0, 2])},
        {"start": torch.tensor([0, 2, 4])},
        {"start": torch.tensor([0, 3, 1, 3])},
        {"start": torch.tensor([0.0, 2.0, 3.0])},
        {"features": torch.full((3, 5), torch.inf)},
    ],
)
def test_rows_of_a_colour_bank_out_of_range_are_refused(damage):
    whole = ColourBank(torch.rand(3, 5), torch.tensor([0, 2, 3]), torch.tensor([0, 1, 2]))
    whole.check(2)
    with pytest.raises(ValueError, match="expected "):
        whole._replace(**damage).check(2)
