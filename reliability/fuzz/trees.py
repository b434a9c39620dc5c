"""Changes of nested content, such as that of JSON, YAML and checkpoints: one value is another, missing, or too much."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

SCALARS: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 10**9, 2**31, 2**63, 10**30, 0.5, -1e-9, 1e308, float("nan"), float("inf"), "",
    "0", "1e400", "x" * 3000, "../../x", "/etc/passwd", "line\nline", "<script>", "\ud800", [], {}, [[]], [1, "x"],
    {"x": {}},
)  # fmt: skip
DEEP = 3000  # lists within each other: beyond Python's stack


def mutated(rng: np.random.Generator, tree: Any, others: Sequence[Any] = ()) -> Any:
    """Content with one value changed.

    Parameters
    ----------
    rng
        The random stream.
    tree
        Of dictionaries, lists and values; it is left as it is.
    others
        Values to put in, beside SCALARS.

    Returns
    -------
    The changed content, sometimes of another type
    """
    tree = copy.deepcopy(tree)
    places = list(_places(tree))
    if not places or rng.random() < 0.03:
        return _value(rng, others)
    holder, key = places[rng.integers(len(places))]
    match int(rng.integers(5)):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[str(_value(rng, ()))[:40]] = holder[key]
        case 2:
            other_holder, other_key = places[rng.integers(len(places))]
            holder[key] = copy.deepcopy(other_holder[other_key])
        case _:
            holder[key] = _value(rng, others)
    return tree


def deep(levels: int = DEEP) -> Any:
    """Lists within lists."""
    found: list[Any] = []
    for _ in range(levels):
        found = [found]
    return found


def _value(rng: np.random.Generator, others: Sequence[Any]) -> Any:
    chosen = int(rng.integers(len(SCALARS) + len(others)))
    return copy.deepcopy(SCALARS[chosen] if chosen < len(SCALARS) else others[chosen - len(SCALARS)])


def _places(tree: Any) -> Any:
    """Every dictionary or list with each of its keys or positions, outermost first."""
    if isinstance(tree, dict | list):
        for key in list(tree) if isinstance(tree, dict) else range(len(tree)):
            yield tree, key
            yield from _places(tree[key])
