"""One simulated scan as arrays, anomaly-free or with a defect. Lengths in metres; h rows, w columns."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from st3d.kernels.geometry.camera import Camera
from st3d.simulation.scans import defects, shapes_manufactured, shapes_natural
from st3d.simulation.scans.scanner import Exposure, Scanner, View, cut_out, pixel_pitch
from st3d.simulation.scans.shapes_natural import MM
from st3d.simulation.surfaces import Body, normals

MASK_FRACTION = (0.0005, 0.02)  # of the image; a defect outside is generated again
_ATTEMPTS = 40
_DEPTH_DIFFERS = 0.12 * MM  # well above rounding, about the noise's size
_COLOUR_DIFFERS = 0.04


Kinds = dict[str, tuple[defects.Defect, tuple[int, ...]]]  # a defect, and the regions of the shape it may be in


@dataclass(frozen=True)
class Category:
    """An object to scan.

    Attributes
    ----------
    shape
        Makes an anomaly-free object from a random generator and the distance between vertices, metres.
    width, height
        MVTec 3D-AD's image size, pixels.
    inside
        (3,) albedo of the inside, which a cut or hole exposes.
    kinds
        The single defects by name; an empty tuple of regions means anywhere.
    combined
        Whether there are samples with two defects.
    free
        How far the object may be rotated in the plane from its usual direction, degrees.
    """

    shape: Callable[[np.random.Generator, float], Body]
    width: int
    height: int
    inside: tuple[float, float, float]
    kinds: Kinds
    combined: bool = True
    free: float = 180.0

    def defect_names(self) -> list[str]:
        """The kinds of defect in alphabetical order, "combined" included where the category has it."""
        return sorted([*self.kinds, *(["combined"] if self.combined else [])])

    def class_ids(self) -> dict[str, int]:
        """Values in the ground truth, as MVTec 3D-AD counts them: down from 255 in alphabetical order."""
        return {name: 255 - index for index, name in enumerate(self.defect_names())}


_DIRT: Kinds = {"contamination": (defects.contamination, ())}
_CRACK: Kinds = {"crack": (defects.crack, ())}
_CUT: Kinds = {"cut": (defects.cut, ())}
_HOLE: Kinds = {"hole": (defects.hole, ())}
_GLAND: Kinds = {
    "bent": (defects.bent_finger, (shapes_manufactured.FINGERS,)),
    "cut": (defects.cut_finger, (shapes_manufactured.FINGERS,)),
    "hole": (defects.hole, (0, shapes_manufactured.FINGERS)),
    "thread": (defects.worn_thread, (shapes_manufactured.THREAD,)),
}
_DOWEL: Kinds = {"bent": (defects.bent_dowel, ())}
_ROPE: Kinds = {"cut": (defects.cut_rope, ()), "open": (defects.open_rope, ())}

CATEGORIES: dict[str, Category] = {
    "bagel": Category(shapes_natural.bagel, 800, 800, (0.86, 0.74, 0.52), _DIRT | _CRACK | _HOLE),
    "cable_gland": Category(shapes_manufactured.cable_gland, 400, 400, (0.40, 0.38, 0.38), _GLAND, combined=False),
    "carrot": Category(shapes_natural.carrot, 800, 800, (0.94, 0.55, 0.20), _DIRT | _CRACK | _CUT | _HOLE),
    "cookie": Category(shapes_natural.cookie, 500, 500, (0.66, 0.45, 0.23), _DIRT | _CRACK | _HOLE),
    "dowel": Category(shapes_manufactured.dowel, 400, 400, (0.88, 0.74, 0.52), _DIRT | _DOWEL | _CUT),
    "foam": Category(
        shapes_manufactured.foam, 900, 900, (0.74, 0.74, 0.72), _DIRT | _CUT | {"color": (defects.color, ())}
    ),
    "peach": Category(shapes_natural.peach, 600, 600, (0.95, 0.76, 0.38), _DIRT | _CUT | _HOLE),
    "potato": Category(shapes_natural.potato, 800, 800, (0.90, 0.82, 0.54), _DIRT | _CUT | _HOLE),
    "rope": Category(shapes_manufactured.rope, 900, 400, (0.82, 0.77, 0.64), _DIRT | _ROPE, combined=False, free=7.0),
    "tire": Category(shapes_manufactured.tire, 600, 800, (0.09, 0.09, 0.09), _DIRT | _CUT | _HOLE),
}


@dataclass(frozen=True)
class Sample:
    """One scan: xyz (h, w, 3) float32 metres, rgb (h, w, 3) uint8, mask (h, w) uint8 of class ids, 0 where normal."""

    xyz: np.ndarray
    rgb: np.ndarray
    mask: np.ndarray


class SampleGenerator:
    """A category's scanner: makes any of its samples, in any order, from random streams of their own."""

    def __init__(self, category: str, resolution: float, seed: int) -> None:
        self.category = CATEGORIES[category]
        self.camera: Camera = cut_out(self.category.width, self.category.height, resolution)
        self.scanner = Scanner(self.camera, resolution)
        self.pitch = pixel_pitch(self.camera)
        self.step = max(self.pitch, 0.3 * MM)  # between vertices
        self.key = [seed, list(CATEGORIES).index(category)]

    def pose(self, body: Body, rng: np.random.Generator) -> tuple[Rotation, np.ndarray]:
        """A rotation in the plane and a place that puts the object on it, near the image's centre."""
        rotation = Rotation.from_euler(
            "z", rng.uniform(-1, 1) * self.category.free + 180 * rng.integers(2), degrees=True
        )
        points = (rotation * body.rest).apply(body.vertices)
        low, high = points.min(axis=0), points.max(axis=0)
        slack = 0.03 * self.pitch * min(self.camera.width, self.camera.height)
        lean = 0.38 * (high[2] - low[2]) / 2  # the camera looks from the side: a tall object's image lies higher
        middle = (low + high) / 2
        place = np.array([-middle[0], -middle[1], -low[2] - 0.2 * MM])
        place[:2] += rng.uniform(-slack, slack, 2)
        return rotation, place - self._toward_image_centre(lean)

    def _toward_image_centre(self, lean: float) -> np.ndarray:
        ahead = self.scanner.axes.T @ self.scanner.origin  # the viewing direction in the plane's frame
        return np.array([ahead[0], ahead[1], 0.0]) / np.linalg.norm(ahead[:2]) * lean

    def sample(self, split: int, index: int, defect: str | None = None) -> Sample:
        """Sample `index` of `split`; its random stream is default_rng([seed, category, split, index])."""
        shape, pose, damage, sensor = np.random.default_rng([*self.key, split, index]).spawn(4)
        body = self.category.shape(shape, self.step)
        rotation, place = self.pose(body, pose)
        reference = self.scanner.look(body, rotation, place)
        exposure = Exposure(self.scanner, reference, sensor)
        if defect is None:
            return Sample(exposure.xyz(reference), exposure.rgb(reference), np.zeros(reference.depth.shape, np.uint8))
        view, marked = self._damaged(body, rotation, place, reference, exposure, damage, defect)
        mask = np.where(marked, self.category.class_ids()[defect], 0).astype(np.uint8)
        return Sample(exposure.xyz(view), exposure.rgb(view), mask)

    def anomaly_free(self, split: int, index: int) -> Sample:
        """The anomaly-free counterpart of a defective sample: the same object, pose and noise."""
        return self.sample(split, index)

    def _damaged(self, body: Body, rotation: Rotation, place: np.ndarray, reference: View, exposure: Exposure,
                 rng: np.random.Generator, defect: str) -> tuple[View, np.ndarray]:  # fmt: skip
        """A view of the damaged object and where it differs (h, w); generated again until it is small, yet visible."""
        size = 1.25 * np.sqrt(self.category.width * self.category.height) / 600
        names = sorted(self.category.kinds)
        for _ in range(_ATTEMPTS):
            kinds = rng.permutation(names)[:2].tolist() if defect == "combined" else [defect]
            broken = body
            for kind in sorted(kinds, key=lambda kind: kind == "contamination"):  # dirt lies on top of the rest
                make, regions = self.category.kinds[kind]
                site = self._site(body, reference, rng, regions)
                broken = make(broken, site, rng, size, np.array(self.category.inside))
            view = self.scanner.look(broken, rotation, place).where_changed(reference)
            marked = differs(reference, view, exposure)
            fraction = marked.mean()
            if MASK_FRACTION[0] <= fraction <= MASK_FRACTION[1]:
                return view, marked
            size *= 1.2 if fraction < MASK_FRACTION[0] else 0.85
        raise RuntimeError(f"{defect}: no defect of the wanted size in {_ATTEMPTS} attempts")

    def _site(self, body: Body, reference: View, rng: np.random.Generator, regions: tuple[int, ...]) -> defects.Site:
        """A place that camera and projector see well, not at the outline."""
        good = reference.body & reference.lit & (np.minimum(reference.facing, reference.lighting) > 0.45)
        if regions:
            good &= np.isin(body.region[reference.vertex], regions)
        inner = ndimage.binary_erosion(good, iterations=max(1, round(1.5 * MM / self.pitch)))
        rows, columns = np.nonzero(inner if inner.any() else good)
        if not len(rows):
            rows, columns = np.nonzero(reference.body & reference.lit)
        chosen = rng.integers(len(rows))
        vertex = reference.vertex[rows[chosen], columns[chosen]]
        outward = normals(body.vertices, body.triangles)[vertex]
        return defects.Site(body.vertices[vertex], outward, int(body.region[vertex]))


def differs(reference: View, view: View, exposure: Exposure) -> np.ndarray:
    """(h, w) bool: where a defective object differs from `reference`, the invalid pixels it causes included."""
    surface = (np.abs(view.depth - reference.depth) > _DEPTH_DIFFERS) | (view.body != reference.body)
    surface |= np.abs(view.albedo - reference.albedo).max(axis=-1) > _COLOUR_DIFFERS
    surface = ndimage.binary_closing(surface, np.ones((3, 3)))
    return surface | (exposure.invalid(view) & ~exposure.invalid(reference))
