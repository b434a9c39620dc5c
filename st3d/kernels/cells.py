"""Features of pixels, averaged into coarse cells.

Letters: h, w rows and columns of an image, d numbers of a feature, c cells along each side.
"""

from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d


def cell_means(image: Tensor, count: int, window: int = 3) -> Tensor:
    """Means of windows around pixels, averaged in cells.

    Parameters
    ----------
    image
        (d, h, w) float32; missing features are zeros, and count.
    count
        c.
    window
        Rows and columns of a window, in [1, min(h, w)]; those that do not fit into the image are left out, and it
        shrinks to h' = h - window + 1 rows.

    Returns
    -------
    (c * c, d) float32, cells in row-major order; cell i is the mean of rows floor(h' i / c) to
    ceil(h' (i + 1) / c) - 1, and of columns alike

    Raises
    ------
    ValueError
        If the window does not fit.

    Examples
    --------
    >>> import torch
    >>> cell_means(torch.arange(6.0).repeat(6, 1)[None], 2)
    tensor([[1.5000],
            [3.5000],
            [1.5000],
            [3.5000]])
    """
    if image.ndim != 3 or not 1 <= window <= min(image.shape[1:]):
        raise ValueError(
            f"cell_means: expected an image (d, h, w) of {window} pixels a side or more, found {tuple(image.shape)}"
        )
    smooth = avg_pool2d(image[None], window, stride=1)
    return adaptive_avg_pool2d(smooth, count)[0].flatten(1).T.contiguous()
