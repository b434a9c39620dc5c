"""Draws docs/simulated.png, normal and defective scans of all simulated categories: `python docs/draw_simulated.py`."""

from pathlib import Path

import numpy as np
from matplotlib import colormaps
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from st3d.simulation.scans.samples import CATEGORIES, Sample, SampleGenerator

RESOLUTION = 1.0
CELL = 200  # pixels, side of one panel
GAP = 6
ROW_LABEL = 92
COLUMNS = 5
SHOWN = {  # a defect for each category, so that all kinds can be seen
    "bagel": ("crack", 0),
    "cable_gland": ("bent", 1),
    "carrot": ("hole", 0),
    "cookie": ("combined", 0),
    "dowel": ("bent", 0),
    "foam": ("color", 0),
    "peach": ("cut", 0),
    "potato": ("contamination", 0),
    "rope": ("open", 0),
    "tire": ("cut", 0),
}
ROWS = ("normal\nRGB", "normal\nheight", "defective\nRGB", "close-up", "defective\nheight", "mask")


def height(sample: Sample, generator: SampleGenerator) -> np.ndarray:
    """Height above the plane as colour, invalid pixels white: (h, w, 3) uint8."""
    valid = sample.xyz.any(axis=2)
    above = (sample.xyz - generator.scanner.origin) @ generator.scanner.axes[:, 2]
    top = np.quantile(above[valid], 0.995)
    pixels = colormaps["viridis"](np.clip(above / top, 0, 1))[..., :3] * 255
    return np.where(valid[..., None], pixels, 255).astype(np.uint8)


def panel(pixels: np.ndarray) -> Image.Image:
    """An RGB image in the middle of a square cell."""
    image = Image.fromarray(pixels)
    scale = CELL / max(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)
    cell = Image.new("RGB", (CELL, CELL), (245, 245, 245))
    cell.paste(image, ((CELL - image.width) // 2, (CELL - image.height) // 2))
    return cell


def overlay(sample: Sample) -> np.ndarray:
    """The mask in red on the greyed scan: (h, w, 3) uint8."""
    grey = np.repeat(60 + sample.rgb.mean(axis=2, keepdims=True) * 0.6, 3, axis=2)
    return np.where(sample.mask[..., None] > 0, [230, 30, 30], grey).astype(np.uint8)


def close_up(sample: Sample) -> np.ndarray:
    """The neighbourhood of the first marked region, a quarter of the image's shorter side wide: (s, s, 3) uint8."""
    side = min(sample.mask.shape) // 4
    regions, _ = ndimage.label(sample.mask, np.ones((3, 3)))
    largest = regions == np.argmax(np.bincount(regions.ravel())[1:]) + 1
    middle = np.argwhere(largest).mean(axis=0)
    top, left = (int(np.clip(at - side / 2, 0, end - side)) for at, end in zip(middle, sample.mask.shape, strict=True))
    pixels = np.minimum(sample.rgb[top : top + side, left : left + side] * 1.3, 255)
    return pixels.astype(np.uint8)


def main() -> None:
    bands = -(-len(CATEGORIES) // COLUMNS)
    band = len(ROWS) * (CELL + GAP) + 40
    page = Image.new("RGB", (ROW_LABEL + COLUMNS * (CELL + GAP), bands * band), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(20)
    for number, category in enumerate(CATEGORIES):
        generator = SampleGenerator(category, RESOLUTION, seed=2)
        defect, index = SHOWN[category]
        split = 3 + generator.category.defect_names().index(defect)
        normal, defective = generator.sample(2, 0), generator.sample(split, index, defect)
        images = (
            normal.rgb,
            height(normal, generator),
            defective.rgb,
            close_up(defective),
            height(defective, generator),
            overlay(defective),
        )
        left, top = ROW_LABEL + (number % COLUMNS) * (CELL + GAP), number // COLUMNS * band
        draw.text((left, top + 8), f"{category}: {defect}", "black", font)
        for row, pixels in enumerate(images):
            page.paste(panel(pixels), (left, top + 36 + row * (CELL + GAP)))
            if number % COLUMNS == 0:
                draw.text(
                    (4, top + 14 + row * (CELL + GAP) + CELL // 2), ROWS[row], "black", ImageFont.load_default(17)
                )
    palette = page.quantize(256, Image.Quantize.MAXCOVERAGE)
    page = page.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)  # a third of the bytes
    page.save(Path(__file__).with_name("simulated.png"), optimize=True)


if __name__ == "__main__":
    main()
