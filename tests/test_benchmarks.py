"""The benchmarks compare like with like, and report what they measured."""

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import banks, growth, harmonic, network, pro, teacher
from benchmarks.__main__ import merged, readable, replaced
from benchmarks.measure import Row, alternating
from st3d.kernels.harmonic import fill
from st3d.kernels.pro import au_pro
from st3d.training.device import set_threads


@pytest.fixture(autouse=True)
def one_thread_afterwards():
    yield
    set_threads(1)


def losses(prepare, *sizes):
    """Of three steps."""
    torch.manual_seed(0)
    call = prepare(*sizes)
    return [call() for _ in range(3)]


def test_the_networks_reference_computes_the_same():
    descriptors = []
    for prepare in (network.forward, network.plain_forward):
        torch.manual_seed(0)
        descriptors.append(prepare(400, 8, 32)())
    rows = torch.from_numpy(network.graph(400, 8).row_of_point)
    assert torch.allclose(descriptors[0][rows], descriptors[1], atol=1e-4)
    assert losses(network.step, 400, 8, 32) == pytest.approx(losses(network.plain_step, 400, 8, 32), rel=1e-4)


def test_the_teacher_steps_reference_computes_the_same():
    assert losses(teacher.ours, 1500, 6) == pytest.approx(losses(teacher.plain, 1500, 6), rel=1e-3)


def test_the_references_of_fill_and_au_pro_compute_the_same(rng):
    values, known = rng.random((20, 30)).astype(np.float32), rng.random((20, 30)) < 0.1
    assert np.abs(harmonic.reference(values, known) - fill(values, known)).max() < 1e-5
    maps, masks = [rng.random((20, 30)) for _ in range(3)], [rng.random((20, 30)) < 0.2 for _ in range(3)]
    assert pro.one_argsort(maps, masks) == pytest.approx(au_pro(maps, masks, pro.LIMIT), abs=1e-6)


def test_the_references_of_the_banks_compute_the_same():
    bank, own = banks.descriptors(2000, 1), banks.descriptors(300, 2)
    found, (distance, row) = banks.nearest_rows(own, bank), banks.by_products(own, bank)
    assert torch.allclose(found.distance[:, 0], distance, rtol=1e-3) and (found.row[:, 0] == row).float().mean() > 0.99
    assert torch.equal(banks.coreset(bank, 50), banks.by_steps(bank, 50))
    cloud = banks.part(4000)
    assert np.array_equal(banks.largest_part(*cloud), banks.by_open3d(*cloud))


def test_medians_leave_the_first_round_out():
    calls = []
    seconds = alternating({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, 3)
    assert calls == ["a", "b"] * 4 and 0 <= seconds["a"] < 1


def row(**changed):
    return Row(**({"kernel": "k", "size": "s", "seconds": 2.0, "wanted": "2 x", "threads": 1} | changed)).as_dict()


def test_a_row_holds_the_ratios_of_what_was_measured():
    found = row(reference_seconds=6.0, memory_mb=1.0, reference_memory_mb=4.0)
    assert (found["ratio"], found["memory_ratio"]) == (3.0, 0.25)
    assert row()["ratio"] is None


def test_rows_that_were_run_again_replace_their_earlier_selves(tmp_path):
    merged(tmp_path / "b.csv", pd.DataFrame([row(), row(kernel="other")]), ["kernel", "size"])
    table = merged(tmp_path / "b.csv", pd.DataFrame([row(seconds=1.0)]), ["kernel", "size"])
    assert sorted(zip(table["kernel"], table["seconds"])) == [("k", 1.0), ("other", 2.0)]
    assert len(readable(table).splitlines()) == 4


def test_a_page_keeps_all_but_what_stands_between_the_marks():
    page = "head\n<!-- kernels -->\nold\n<!-- end of kernels -->\ntail\n"
    assert replaced(page, "kernels", "new") == "head\n<!-- kernels -->\nnew\n<!-- end of kernels -->\ntail\n"


def test_linear_growth_has_the_exponent_one():
    rows = [{"what": "step", "varied": "n", "n": n, "seconds": 3e-6 * n, "memory_mb": n**2} for n in (10, 100, 1000)]
    found = growth.exponents(pd.DataFrame(rows)).iloc[0]
    assert found["seconds"] == pytest.approx(1) and found["memory_mb"] == pytest.approx(2)
