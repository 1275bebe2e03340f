"""The scanner: slices of a head with a slice thickness, a coil's shading, blur and noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from samples.anatomy import Anatomy, FloatArray, Point

# Directions of columns, rows and slices in the template's space (x right, y front, z up). Columns
# rise to the patient's left, as pictures are shown; sagittal ones to the back.
DIRECTIONS: dict[str, tuple[Point, Point, Point]] = {
    "axial": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "coronal": ((-1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "sagittal": ((0, -1, 0), (0, 0, -1), (-1, 0, 0)),
}
_SUBSLICES = 5
_CONTROL = 5  # control points of the individual's shape, along each axis


@dataclass(frozen=True)
class Protocol:
    """How slices are taken.

    Attributes:
        plane: ``axial``, ``coronal`` or ``sagittal``.
        positions: of the slices along the plane's direction, mm.
        centre: what lies in the middle of the picture, mm in the template's space.
        field: height and width of the picture, mm.
        pixel: side of a pixel of the picture, mm.
        resolution: side of what the scanner resolves, mm; at least ``pixel``.
        thickness: of a slice, mm.
        noise: standard deviation, white matter being 1.
        shading: how uneven the coil is, as a share.
    """

    plane: str
    positions: tuple[float, ...]
    centre: Point = (0, -18, 8)
    field: tuple[float, float] = (230, 230)
    pixel: float = 0.72
    resolution: float = 0.9
    thickness: float = 5.0
    noise: float = 0.03
    shading: float = 0.1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels, even."""
        height, width = (2 * round(mm / self.pixel / 2) for mm in self.field)
        return height, width


@dataclass(frozen=True, eq=False)
class Patient:
    """How a simulated head differs from the template.

    Attributes:
        turn: rotation of the head in the scanner.
        scale: size against the template along x, y, z.
        bend: float32, shape (3, n, n, n): smooth displacement in mm at control points.
        mirrored: whether left and right are exchanged.
    """

    turn: Rotation
    scale: Point
    bend: FloatArray
    mirrored: bool


def somebody(random: np.random.Generator) -> Patient:
    """A head of its own: up to some degrees turned, some percent larger or smaller, and bent."""
    return Patient(
        turn=Rotation.from_euler("xyz", random.normal(0, 2.5, 3), degrees=True),
        scale=tuple(float(v) for v in random.normal(1, 0.03, 3)),
        bend=random.normal(0, 2.2, (3, _CONTROL, _CONTROL, _CONTROL)).astype(np.float32),
        mirrored=bool(random.random() < 0.5),
    )


def scanned(
    volume: FloatArray,
    anatomy: Anatomy,
    patient: Patient,
    protocol: Protocol,
    random: np.random.Generator,
) -> FloatArray:
    """Slices as a scanner gives them.

    Args:
        volume: signal on the template's grid, white matter 1.
        anatomy: for the grid's place.
        patient: how the head differs from the template.
        protocol: which slices, and how.
        random: shading and noise.

    Returns:
        float32, shape (slices, height, width), not negative; white matter near 1.
    """
    smooth = ndimage.spline_filter(volume, order=3, output=np.float32)
    columns, rows, across = (np.asarray(d, np.float32) for d in DIRECTIONS[protocol.plane])
    height, width = protocol.size
    down = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) * protocol.pixel)[:, None]
    right = ((np.arange(width, dtype=np.float32) - (width - 1) / 2) * protocol.pixel)[None, :]
    centre = np.asarray(protocol.centre, np.float32)
    centre = centre - across * float(centre @ across)
    plane = [centre[i] + down * rows[i] + right * columns[i] for i in range(3)]
    steps = np.linspace(-0.5, 0.5, _SUBSLICES) * protocol.thickness
    weights = np.array([0.5, 1, 1, 1, 0.5]) / 4
    shading = random.normal(0, 1, (3, 4, 4)).astype(np.float32)
    slices = []
    for position in protocol.positions:
        signal = np.zeros((height, width), np.float32)
        for step, weight in zip(steps, weights, strict=True):
            places = [plane[i] + across[i] * (position + step) for i in range(3)]
            indices = _template_indices(places, anatomy, patient)
            signal += weight * ndimage.map_coordinates(smooth, indices, order=3, prefilter=False)
        signal = np.maximum(signal, 0) * _coil(shading, position, (height, width), protocol)
        slices.append(_received(signal, protocol, random))
    return np.stack(slices)


def _template_indices(places: list[FloatArray], anatomy: Anatomy, patient: Patient) -> FloatArray:
    """Where in the template's grid the signal at places of the scanner comes from."""
    pivot = np.array([0, -18, 8])
    flat = np.stack([p.ravel() for p in places], axis=1) - pivot
    flat = patient.turn.apply(flat) / patient.scale + pivot
    extent = np.array(anatomy.t1.shape)
    inside = (flat - anatomy.origin) / extent * (_CONTROL - 1)
    bend = [
        ndimage.map_coordinates(part, inside.T, order=3, mode="nearest") for part in patient.bend
    ]
    flat = flat + np.stack(bend, axis=1)
    if patient.mirrored:
        flat[:, 0] = -flat[:, 0]
    indices = (flat - anatomy.origin).T
    # The template ends at the nose: what is below repeats its last slice, as a neck would go on.
    indices[2] = np.maximum(indices[2], 0)
    return indices.reshape(3, *places[0].shape).astype(np.float32)


def _coil(
    shading: FloatArray, position: float, size: tuple[int, int], protocol: Protocol
) -> FloatArray:
    """Sensitivity over a slice: smooth, changing slowly from slice to slice, 1 on average."""
    phase = position / 60
    coarse = shading[0] + shading[1] * np.sin(phase) + shading[2] * np.cos(phase)
    field = ndimage.zoom(coarse, (size[0] / 4, size[1] / 4), order=3, mode="nearest")
    field = ndimage.gaussian_filter(field[: size[0], : size[1]], size[0] / 4, mode="nearest")
    return np.exp(protocol.shading * (field - field.mean()) / max(float(field.std()), 1e-6))


def _received(signal: FloatArray, protocol: Protocol, random: np.random.Generator) -> FloatArray:
    """What the receiver makes of a slice: limited resolution and complex noise, hence Rician."""
    spectrum = np.fft.fftshift(np.fft.fft2(signal))
    share = min(1.0, protocol.pixel / protocol.resolution)
    taper = [_taper(n, share) for n in signal.shape]
    passed = taper[0][:, None] * taper[1][None, :]
    # The noise passes the same filter; scaled so that the picture has the deviation asked for.
    level = protocol.noise * np.sqrt(signal.size) / np.sqrt(np.mean(passed**2))
    noise = random.normal(0, level, (2, *signal.shape))
    spectrum = (spectrum + noise[0] + 1j * noise[1]) * passed
    return np.abs(np.fft.ifft2(np.fft.ifftshift(spectrum))).astype(np.float32)


def _taper(samples: int, share: float) -> FloatArray:
    """A filter along one axis of k-space: the middle passes, the last quarter falls off."""
    distance = np.abs(np.arange(samples) - samples // 2) / (samples / 2) / share
    slope = np.clip((distance - 0.75) / 0.25, 0, 1)
    return np.where(distance > 1, 0, 0.5 * (1 + np.cos(np.pi * slope))).astype(np.float32)
