import pytest
import torch
from torch import nn

from st3d.baselines.image_networks import Autoencoder, Encoder, Generator


def shapes(module, images):
    """Channels and sides after each convolution, and each convolution's kernel, stride and padding."""
    found = []
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Conv3d, nn.ConvTranspose3d)
    for part in module.layers:
        images = part(images)
        if isinstance(part, kinds):
            found.append((part.kernel_size[0], part.stride[0], part.padding[0], images.shape[1], images.shape[2]))
    return found


# kernel, stride, padding, output channels, output side; from the dataset paper's Table 3
TABLE_3 = [
    (4, 2, 1, 32, 128),
    (4, 2, 1, 32, 64),
    (4, 2, 1, 32, 32),
    (3, 1, 1, 32, 32),
    (4, 2, 1, 64, 16),
    (3, 1, 1, 64, 16),
    (4, 2, 1, 128, 8),
    (3, 1, 1, 64, 8),
    (3, 1, 1, 32, 8),
    (8, 1, 0, 512, 1),
]


def test_the_depth_encoder_has_the_shapes_of_the_dataset_papers_table_3():
    encoder = Encoder(1, (256, 256), channels=32, latent=512)
    assert shapes(encoder, torch.zeros(1, 1, 256, 256)) == TABLE_3
    assert encoder(torch.zeros(2, 1, 256, 256)).shape == (2, 512)


def test_the_depth_generator_mirrors_the_encoder():
    generator = Generator(4, (256, 256), channels=32, latent=128)
    found = shapes(generator, torch.zeros(1, 128, 1, 1))
    assert [each[:3] for each in found] == [each[:3] for each in TABLE_3[::-1]]
    inputs = [(channels, side) for *_, channels, side in TABLE_3[-2::-1]]
    assert [each[3:] for each in found] == [*inputs, (4, 256)]


def test_instance_normalisation_and_leaky_relu_follow_every_layer_but_the_last():
    layers = list(Encoder(1, (256, 256), channels=32, latent=8).layers)
    assert [type(each) for each in layers] == [nn.Conv2d, nn.InstanceNorm2d, nn.LeakyReLU] * 9 + [nn.Conv2d]
    assert {each.negative_slope for each in layers if isinstance(each, nn.LeakyReLU)} == {0.05}


def kinds_of(module):
    return [type(each) for each in module.layers]


def test_the_generators_layers_are_normalised_but_the_last():
    assert kinds_of(Generator(1, (64, 64), 4, 8)) == [
        nn.ConvTranspose2d, nn.InstanceNorm2d, nn.LeakyReLU,
        *(kind for layer in (nn.Conv2d, nn.Conv2d, nn.ConvTranspose2d, nn.Conv2d, nn.ConvTranspose2d, nn.Conv2d)
          for kind in (layer, nn.InstanceNorm2d, nn.LeakyReLU)),
        *[nn.ConvTranspose2d, nn.InstanceNorm2d, nn.LeakyReLU] * 2, nn.ConvTranspose2d,
    ]  # fmt: skip
    assert kinds_of(Generator(1, (16,) * 3, 4, 8)) == [
        *[nn.ConvTranspose3d, nn.InstanceNorm3d, nn.LeakyReLU] * 2, nn.ConvTranspose3d, nn.Tanh,
    ]  # fmt: skip


def test_a_voxel_encoder_normalises_all_layers_but_the_first_and_the_last():
    encoder = Encoder(1, (16,) * 3, 4, 8)
    assert kinds_of(encoder) == [
        nn.Conv3d, nn.LeakyReLU, nn.Conv3d, nn.InstanceNorm3d, nn.LeakyReLU, nn.Conv3d,
    ]  # fmt: skip
    assert {each.negative_slope for each in encoder.layers if isinstance(each, nn.LeakyReLU)} == {0.2}


@pytest.mark.parametrize("cells", [8, 16, 64])
def test_voxel_networks_halve_down_to_4_cells_and_back(cells):
    encoder, generator = (each(3, (cells,) * 3, 4, 10) for each in (Encoder, Generator))
    sides = [side for *_, side in shapes(encoder, torch.zeros(1, 3, cells, cells, cells))]
    assert sides == [cells // 2**i for i in range(1, len(sides))] + [1] and sides[-2] == 4
    made = generator(torch.randn(2, 10))
    assert made.shape == (2, 3, cells, cells, cells)
    assert made.abs().max() <= 1


def test_an_autoencoder_gives_images_of_the_same_shape():
    assert Autoencoder(4, (64, 96), 4, 5)(torch.zeros(2, 4, 64, 96)).shape == (2, 4, 64, 96)


@pytest.mark.parametrize(
    "sides, fault",
    [
        ((12, 12, 12), "voxels"),
        ((4, 4, 4), "voxels"),
        ((8, 8, 16), "voxels"),
        ((32, 64), "depth"),
        ((64, 100), "depth"),
    ],
)
def test_sides_that_do_not_halve_are_refused(sides, fault):
    with pytest.raises(ValueError, match=f"{fault}: expected .*, found"):
        Encoder(1, sides, 4, 5)
