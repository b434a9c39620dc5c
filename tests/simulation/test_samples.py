"""Simulated scans hold what real ones hold: invalid pixels, plane, noise, small marked defects."""

import numpy as np
import pytest

from st3d.simulation.scans.samples import CATEGORIES, MASK_FRACTION, SampleGenerator

RESOLUTION = 0.25
NAMES = list(CATEGORIES)


@pytest.fixture(scope="module", params=NAMES)
def generator(request):
    return SampleGenerator(request.param, RESOLUTION, seed=5)


def invalid(sample):
    return ~sample.xyz.any(axis=2)


def test_anomaly_free_scans_have_the_size_the_invalid_share_and_the_plane_of_real_ones(generator):
    first, second = (generator.sample(0, index) for index in range(2))
    height, width = generator.camera.height, generator.camera.width
    assert (width, height) == (
        round(generator.category.width * RESOLUTION),
        round(generator.category.height * RESOLUTION),
    )
    for sample in (first, second):
        assert sample.xyz.shape == (height, width, 3) and sample.xyz.dtype == np.float32
        assert sample.rgb.shape == (height, width, 3) and sample.rgb.dtype == np.uint8
        assert not sample.mask.any()
        assert np.isfinite(sample.xyz).all()
        assert 0.33 <= invalid(sample).mean() <= 0.46
        plane_normal = generator.scanner.axes[:, 2]
        points = sample.xyz[~invalid(sample)].astype(float)
        above = (points - generator.scanner.origin) @ plane_normal  # metres
        on_plane = np.abs(above) < 2e-3
        assert on_plane.mean() > 0.25
        assert 5e-5 < above[on_plane].std() < 1e-3
        assert above.max() > 8e-3
    assert not np.array_equal(first.xyz, second.xyz)


def test_a_valid_point_lies_on_its_pixels_ray(generator):
    sample = generator.sample(0, 0)
    pixels = np.argwhere(~invalid(sample))
    np.testing.assert_allclose(generator.camera.project(sample.xyz[~invalid(sample)]), pixels, atol=1e-3)


def test_a_defect_is_small_and_all_else_equals_the_anomaly_free_scan(generator):
    for offset, defect in enumerate(generator.category.defect_names()):
        sample, clean = generator.sample(3 + offset, 0, defect), generator.anomaly_free(3 + offset, 0)
        marked = sample.mask > 0
        assert set(np.unique(sample.mask)) == {0, generator.category.class_ids()[defect]}
        assert MASK_FRACTION[0] <= marked.mean() <= MASK_FRACTION[1]
        assert not (invalid(sample) & ~invalid(clean) & ~marked).any(), "the mask covers invalid pixels it causes"
        away = ~marked & ~invalid(sample) & ~invalid(clean)
        # 0.12 mm counts as a difference; noise may answer to a slightly other slope besides
        assert np.abs(sample.xyz - clean.xyz)[away].max() < 4e-4
        assert (sample.xyz != clean.xyz).any(axis=2)[away].mean() < 0.02
        changed = marked & ((sample.xyz != clean.xyz).any(axis=2) | (sample.rgb != clean.rgb).any(axis=2))
        assert changed.sum() > 0.5 * (marked & ~invalid(sample)).sum()


def test_a_sample_is_the_same_in_any_order_and_differs_between_seeds(generator):
    again = SampleGenerator(NAMES[generator.key[1]], RESOLUTION, seed=5)
    late = again.sample(0, 1)
    early = again.sample(0, 0)
    np.testing.assert_array_equal(generator.sample(0, 0).xyz, early.xyz)
    np.testing.assert_array_equal(generator.sample(0, 1).rgb, late.rgb)
    other = SampleGenerator(NAMES[generator.key[1]], RESOLUTION, seed=6)
    assert not np.array_equal(other.sample(0, 0).xyz, early.xyz)


def test_categories_and_defects_are_mvtec_3d_ads():
    assert {name: " ".join(category.defect_names()) for name, category in CATEGORIES.items()} == {
        "bagel": "combined contamination crack hole",
        "cable_gland": "bent cut hole thread",
        "carrot": "combined contamination crack cut hole",
        "cookie": "combined contamination crack hole",
        "dowel": "bent combined contamination cut",
        "foam": "color combined contamination cut",
        "peach": "combined contamination cut hole",
        "potato": "combined contamination cut hole",
        "rope": "contamination cut open",
        "tire": "combined contamination cut hole",
    }
    assert CATEGORIES["cable_gland"].class_ids() == {"bent": 255, "cut": 254, "hole": 253, "thread": 252}


def test_no_ink_moves_a_point():
    generator = SampleGenerator("foam", RESOLUTION, seed=5)
    sample, clean = generator.sample(3, 0, "color"), generator.anomaly_free(3, 0)
    both = ~invalid(sample) & ~invalid(clean)
    assert np.abs(sample.xyz - clean.xyz)[both].max() < 4e-4  # darker ink is noisier
    assert (sample.rgb != clean.rgb).any()
