"""Fixtures of all tests."""

import os
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real scans and meshes, which are not part of the project; tests of them skip where they are absent."""
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("ST3D_SHARED_DATA", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set ST3D_SHARED_DATA)")
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The workflow's tests first: they take longest, and with several processes a file is one process's."""
    items.sort(key=lambda item: item.path.name != "test_workflow.py")
