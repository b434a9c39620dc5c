"""PNG and other images of 8 and 16 bits: opened so that a damaged one costs no more memory than its file and pixels."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from st3d.formats.errors import one_line, refuse_devices
from st3d.formats.tiff import PACKED

THIN = ("1", "L", "P")  # modes of which a pixel may take a bit; of the others it takes a byte a channel, or more


@contextlib.contextmanager
def open_image(path: Path, expected: str) -> Iterator[Image.Image]:
    """Open an image; what Pillow raises inside the context becomes an error of one line.

    Parameters
    ----------
    path
        The file.
    expected
        First part of the error, such as "<file>: expected a mask image".

    Yields
    ------
    Pillow's image, not yet decoded

    Raises
    ------
    ValueError
        One line if the file is missing, or no image, or damaged.
    """
    refuse_devices(path, expected)
    with one_line(expected):
        # from memory: of a file, Pillow would allocate the 2 GB that a damaged chunk names as its length
        content = Path(path).read_bytes()
        try:
            opened = Image.open(io.BytesIO(content))
        except UnidentifiedImageError:  # which names the memory's address
            raise ValueError("a file that is no image of a known kind") from None
    with one_line(expected), opened as image:
        least = image.width * image.height * (1 / 8 if image.mode in THIN else len(image.getbands()))
        if image.format == "PNG" and least > PACKED * len(content):
            raise ValueError(f"a truncated one: {image.height} x {image.width} pixels in {len(content)} bytes")
        yield image
