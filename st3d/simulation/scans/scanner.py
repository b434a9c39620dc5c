"""A simulated structured-light scanner: camera, projector, a dark plane; what it measures and which pixels are invalid.

All lengths in metres, in the camera's frame unless said otherwise. Numbers were read off real scans of MVTec 3D-AD's
cable_gland: the plane's pose, the pixel pitch, noise on plane and object, fraction and places of invalid pixels.
Letters: h rows, w columns.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from st3d.kernels.geometry.camera import Camera
from st3d.kernels.open3d_library import open3d_module
from st3d.simulation.rays import tensor
from st3d.simulation.surfaces import Body, normals

_LENS = Camera(focus=0.0103431, kappa=-2205.03, sx=3.74983e-6, sy=3.75e-6, cx=0.0, cy=0.0, width=0, height=0)
_OFF_CENTRE = (146.0, 4.0)  # the cut-out's centre lies so many pixels right of and below the principal point
_PLANE_NORMAL = np.array([0.120, -0.378, -1.0])
_PLANE_DISTANCE = 0.6597  # of the point of the plane on the optical axis
_PROJECTOR = np.array([0.115, 0.0, 0.0])
_PLANE_ALBEDO = np.array([0.014, 0.016, 0.018])
_INVALID_FRACTION = (0.345, 0.445)  # of an anomaly-free scan's pixels; random for each scan
_AMBIENT = 0.06


@dataclass(frozen=True)
class View:
    """What camera and projector reach, without noise.

    Attributes
    ----------
    depth
        (h, w) float64, z of the seen surface, metres.
    body
        (h, w) bool, whether the object is seen there, not the plane.
    vertex
        (h, w) int64, one of the seen triangle's vertices, meaningless off the body.
    albedo
        (h, w, 3) float64.
    facing
        (h, w) float64, cosine between the normal and the direction to the camera.
    lighting
        (h, w) float64, cosine between the normal and the direction to the projector.
    lit
        (h, w) bool, whether the projector reaches the place.
    gloss
        (h, w) float64, mirrored light.
    """

    depth: np.ndarray
    body: np.ndarray
    vertex: np.ndarray
    albedo: np.ndarray
    facing: np.ndarray
    lighting: np.ndarray
    lit: np.ndarray
    gloss: np.ndarray

    def where_changed(self, reference: "View") -> "View":
        """This view, unchanged pixels as in `reference`: splitting triangles alters their mean normals."""
        same = (np.abs(self.depth - reference.depth) < 2e-6) & (self.body == reference.body)
        same &= self.lit == reference.lit
        same &= np.abs(self.albedo - reference.albedo).max(axis=-1) < 1e-4
        pairs = ((getattr(self, name), getattr(reference, name)) for name in self.__dataclass_fields__)
        return View(*(np.where(same[..., None] if new.ndim == 3 else same, old, new) for new, old in pairs))


def cut_out(width: int, height: int, resolution: float) -> Camera:
    """The scanner's camera for an image of `width` x `height` pixels at full resolution, then made coarser."""
    full = Camera(
        **{key: getattr(_LENS, key) for key in ("focus", "kappa", "sx", "sy")},
        cx=(width - 1) / 2 - _OFF_CENTRE[0],
        cy=(height - 1) / 2 - _OFF_CENTRE[1],
        width=width,
        height=height,
    )
    return full.resized(resolution)


def plane_frame(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Axes (3, 3; columns x, y and up) and origin (3,) of the plane; the origin is seen in the image's centre."""
    up = _PLANE_NORMAL / np.linalg.norm(_PLANE_NORMAL)
    right = np.array([1.0, 0.0, 0.0]) - up[0] * up
    right /= np.linalg.norm(right)
    centre = camera.unproject(np.array([[(camera.height - 1) / 2, (camera.width - 1) / 2]]), np.ones(1))[0]
    origin = centre * (_PLANE_DISTANCE * up[2] / (centre @ up))
    return np.stack([right, np.cross(up, right), up], axis=1), origin


def pixel_pitch(camera: Camera) -> float:
    """Distance on the plane between the points that neighbouring pixels see, metres."""
    return camera.sx / camera.focus * _PLANE_DISTANCE


class Scanner:
    """One camera and all that stays the same between scans."""

    def __init__(self, camera: Camera, resolution: float) -> None:
        self.camera, self.resolution = camera, resolution
        self.axes, self.origin = plane_frame(camera)
        self.directions = camera.rays()
        far = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1]]) @ self.axes[:, :2].T + self.origin
        self.plane = far, np.array([[0, 1, 2], [0, 2, 3]])

    def look(self, body: Body, rotation: Rotation, place: np.ndarray) -> View:
        """What is seen of `body`, rotated by `rotation` and moved to `place` (3,), metres, in the plane's frame."""
        vertices = (rotation * body.rest).apply(body.vertices) + place
        vertices = vertices @ self.axes.T + self.origin
        scene = open3d_module().t.geometry.RaycastingScene(nthreads=1)
        for points, triangles in (self.plane, (vertices, body.triangles)):
            scene.add_triangles(tensor(points), tensor(triangles, np.uint32))
        origins = np.zeros_like(self.directions)
        hit = scene.cast_rays(tensor(np.concatenate([origins, self.directions], axis=-1)), nthreads=1)
        depth = hit["t_hit"].numpy().astype(np.float64)
        seen = hit["geometry_ids"].numpy() == 1
        corners = body.triangles[np.where(seen, hit["primitive_ids"].numpy(), 0)]  # (h, w, 3)
        u, v = np.moveaxis(hit["primitive_uvs"].numpy().astype(np.float64), -1, 0)
        barycentric = np.stack([1 - u - v, u, v], axis=-1)[..., None]
        albedo = np.where(seen[..., None], (body.colour[corners] * barycentric).sum(axis=2), _PLANE_ALBEDO)
        normal = (normals(vertices, body.triangles)[corners] * barycentric).sum(axis=2)
        normal = np.where(seen[..., None], normal, self.axes[:, 2])
        points = self.directions * depth[..., None]
        return self._shaded(scene, points, normal, seen, corners[..., 0], albedo)

    def _shaded(self, scene, points, normal, seen, vertex, albedo) -> View:
        normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)
        to_camera = -points / np.linalg.norm(points, axis=-1, keepdims=True)
        normal = normal * np.where((normal * to_camera).sum(axis=-1, keepdims=True) < 0, -1, 1)  # thin open walls
        way = _PROJECTOR - points
        to_light = way / np.linalg.norm(way, axis=-1, keepdims=True)
        start = points + 2e-4 * normal  # off the surface, so that it does not shadow itself
        rays = np.concatenate([start, way], axis=-1)
        lit = ~scene.test_occlusions(tensor(rays), tnear=0.0, tfar=0.99, nthreads=1).numpy()
        half = to_camera + to_light
        half /= np.linalg.norm(half, axis=-1, keepdims=True)
        gloss = np.clip((normal * half).sum(axis=-1), 0, 1) ** 40
        lighting = np.clip((normal * to_light).sum(axis=-1), 0, 1)
        facing = np.clip((normal * to_camera).sum(axis=-1), 0, 1)
        return View(points[..., 2], seen, vertex, albedo, facing, lighting, lit, gloss)


class Exposure:
    """The random part of one scan: noise and missing pixels, equal with and without a defect."""

    def __init__(self, scanner: Scanner, reference: View, rng: np.random.Generator) -> None:
        self.scanner = scanner
        shape = reference.depth.shape
        self.threshold = rng.random(shape)
        white, short, long = rng.standard_normal((3, *shape))
        self.long = _blurred(long, 20 * scanner.resolution)
        self.noise = white + 2.3 * _blurred(short, 2 * scanner.resolution) + 3.2 * self.long
        self.grain = rng.standard_normal((*shape, 3))
        target = rng.uniform(*_INVALID_FRACTION)
        missed = self._chances(reference, 0.0)
        plane = ~reference.body
        # missing pixels on the dark plane make up the rest of the fraction
        rest = target * reference.depth.size - missed.sum()
        self.plane_chance = float(np.clip(rest / max((1 - missed)[plane].sum(), 1.0), 0.05, 0.85))

    def _chances(self, view: View, plane_chance: float) -> np.ndarray:
        """(h, w) how likely a pixel is invalid."""
        size = 2 * max(1, round(1.5 * self.scanner.resolution)) + 1
        behind = view.depth - ndimage.minimum_filter(view.depth, size) > 0.003
        edge = np.where(behind, min(0.85, 0.3 + 0.6 * self.scanner.resolution), 0.0)
        grazing = np.clip(1.2 - np.minimum(view.facing, view.lighting) / 0.15, 0, 1)
        bright = np.clip((view.gloss * view.body - 0.97) * 8, 0, 1) * 0.3
        dark = np.where(view.body, 0.004, np.clip(plane_chance * (1 + 0.10 * self.long), 0, 1))
        valid = (1 - edge) * (1 - grazing) * (1 - bright) * (1 - dark)
        return np.where(view.lit, 1 - valid, 1.0)

    def invalid(self, view: View) -> np.ndarray:
        """(h, w) bool."""
        return self.threshold < self._chances(view, self.plane_chance)

    def xyz(self, view: View) -> np.ndarray:
        """(h, w, 3) float32, metres; an invalid pixel is exactly (0, 0, 0)."""
        signal = view.albedo.mean(axis=-1) * view.lighting
        deviation = 5e-6 / (signal + 0.04)  # 0.01 mm on a bright surface, 0.1 mm on the plane
        points = self.scanner.directions * (view.depth + deviation * self.noise)[..., None]
        return np.where(self.invalid(view)[..., None], 0, points).astype(np.float32)

    def rgb(self, view: View) -> np.ndarray:
        """(h, w, 3) uint8; the projector is the lamp."""
        lamp = np.where(view.lit, view.lighting, 0.0)
        light = view.albedo * (_AMBIENT + lamp)[..., None] + (0.12 * view.gloss * view.lit * view.body)[..., None]
        value = 255 * np.clip(light, 0, 1) ** 0.85 + 1.4 * self.grain
        return np.clip(np.round(value), 0, 255).astype(np.uint8)


def _blurred(white: np.ndarray, sigma: float) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation 1; too narrow a blur leaves white noise."""
    smooth = ndimage.gaussian_filter(white, sigma, mode="wrap") if sigma > 0.3 else white
    return (smooth - smooth.mean()) / smooth.std()
