"""An independent statement of the network: Figure 4 and section 3.1, one point and one neighbour at a time, float64.

Reads the trained parameters by name and shares no code with st3d.network.
"""

import numpy as np


def leaky(x, slope=0.2):
    return np.where(x > 0, x, slope * x)


def dense(parameters, name, x):
    return parameters[f"{name}.weight"] @ x + parameters[f"{name}.bias"]


def geometry(p, q, absolute):
    parts = [p - q, [np.linalg.norm(p - q)]]
    return np.concatenate([*parts, p, q] if absolute else parts)


def aggregate(parameters, name, points, neighbours, features, absolute):
    rows = []
    for i, p in enumerate(points):
        pairs = [
            np.concatenate(
                [leaky(dense(parameters, f"{name}.geometry", geometry(p, points[j], absolute))), features[j]]
            )
            for j in neighbours[i]
        ]
        rows.append(np.mean(pairs, axis=0))
    return np.array(rows)


def descriptors(parameters, points, neighbours, width, blocks, absolute=False):
    """(n, d) descriptors; `parameters` maps names to float64 arrays."""
    points = points - points.mean(axis=0) if absolute else points
    features = np.zeros((len(points), width))
    for b in range(blocks):
        block = f"blocks.{b}"
        x = np.array([leaky(dense(parameters, f"{block}.reduce", f)) for f in features])  # (n, d/4)
        assert x.shape[1] == width // 4
        x = aggregate(parameters, f"{block}.first", points, neighbours, x, absolute)
        assert x.shape[1] == width // 2
        x = aggregate(parameters, f"{block}.second", points, neighbours, x, absolute)
        assert x.shape[1] == width
        x = np.array([leaky(dense(parameters, f"{block}.expand", f)) for f in x])
        features = x + np.array([leaky(dense(parameters, f"{block}.shortcut", f)) for f in features])
    hidden = [leaky(dense(parameters, "hidden", f)) for f in features]
    return np.array([dense(parameters, "output", f) for f in hidden])


def descriptors_by_torch(network, points, neighbours, before_leaky=None):
    """The same with plain torch operations and (n, k, c) tensors, differentiable: the reference of gradients.

    What each LeakyReLU is given is appended to the list `before_leaky`.
    """
    import torch
    from torch.nn.functional import leaky_relu, linear

    if network.coordinates != "relative":
        points = points - points.mean(dim=0)
    p, q = points[:, None].expand(-1, neighbours.shape[1], -1), points[neighbours]
    edges = torch.cat([p - q, (p - q).norm(dim=2, keepdim=True)], dim=2)
    if network.coordinates != "relative":
        normalised = network.coordinates == "normalised"
        unit = (points**2).sum(dim=1).mean().sqrt() if normalised else 1.0
        edges = torch.cat([edges, p / unit, q / unit], dim=2)

    def mlp(layer, x):
        x = linear(x, layer.weight, layer.bias)
        if before_leaky is not None:
            before_leaky.append(x.detach())
        return leaky_relu(x, 0.2)

    features = torch.zeros(len(points), network.width, dtype=points.dtype)
    for block in network.blocks:
        x = mlp(block.reduce, features)
        for aggregation in (block.first, block.second):
            x = torch.cat([mlp(aggregation.geometry, edges).mean(dim=1), x[neighbours].mean(dim=1)], dim=1)
        features = mlp(block.expand, x) + mlp(block.shortcut, features)
    return linear(mlp(network.hidden, features), network.output.weight, network.output.bias)
