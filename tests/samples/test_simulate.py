"""The script that makes the samples: the same seed gives the same files, and tumours are where they
should be.
"""

import dataclasses
import gzip
import io
import json

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

from samples.anatomy import Anatomy, load_anatomy, with_contrast
from samples.lesions import Glioma, Meningioma, Pituitary, with_lesion
from samples.plan import CASES
from samples.scanner import Protocol, scanned, somebody
from samples.simulate import BRAIN, HERE, TEMPLATE, simulated, write_cases
from samples.writing import dicom_files, nifti_file


@pytest.fixture(scope="module")
def ball() -> Anatomy:
    """A round head in place of the template: white matter, fluid around it, bone and skin."""
    shape, origin = (181, 217, 181), (-90.0, -125.0, -71.0)
    x, y, z = np.meshgrid(*(np.arange(n) + o for n, o in zip(shape, origin, strict=True)),
                          indexing="ij", sparse=True)  # fmt: skip
    radius = np.sqrt((x / 0.9) ** 2 + (y + 18) ** 2 + (z / 0.9 - 8) ** 2)
    t1 = np.select([radius < 70, radius < 74, radius < 80, radius < 88], [1.0, 0.35, 0.1, 1.7], 0)
    return Anatomy(
        t1=t1.astype(np.float32),
        brain=radius < 73,
        depth=(74 - radius).astype(np.float32),
        white=(radius < 68).astype(np.float32),
        origin=origin,
    )


@pytest.fixture(scope="module")
def template() -> Anatomy:
    if not (TEMPLATE.exists() and BRAIN.exists()):
        pytest.skip(f"{TEMPLATE} is absent: Debian's package mricron-data brings it")
    return load_anatomy(TEMPLATE, BRAIN)


def around(anatomy: Anatomy, volume: np.ndarray, place: np.ndarray, reach: int) -> np.ndarray:
    i, j, k = np.rint(np.subtract(place, anatomy.origin)).astype(int)
    return volume[i - reach : i + reach + 1, j - reach : j + reach + 1, k - reach : k + reach + 1]


def at(anatomy: Anatomy, volume: np.ndarray, *place: float, reach: int = 1) -> float:
    return float(around(anatomy, volume, np.array(place), reach).mean())


def is_bone_kept(made: np.ndarray, anatomy: Anatomy, deeper_than: float) -> bool:
    """Whether all that lies so deep in the bone, or outside of it, is as it was."""
    bone = anatomy.depth < deeper_than
    return bool(np.abs(made - anatomy.t1)[bone].max() < 1e-4)


def with_one(anatomy, lesion, seed=1):
    return with_lesion(anatomy.t1, anatomy, lesion, np.random.default_rng(seed))


def test_a_glioma_is_dark_in_its_core_and_bright_at_its_rim(ball):
    made = with_one(ball, Glioma((30, 0, 20), (20, 20, 20), rim=6))
    assert at(ball, made, 30, 0, 20) < 0.65
    changed = np.abs(made - ball.t1) > 0.15
    assert made[changed].max() > 1.2
    # Oedema is darker than white matter, beyond the rim.
    assert 0.55 < at(ball, made, 2, 0, 20) < 0.95
    # The other half of the head is as it was.
    assert np.array_equal(made[:50], ball.t1[:50])


def test_a_meningioma_lies_on_the_dura_and_is_even(ball):
    lesion = Meningioma((66, -10, 20), (18, 18, 18), inward=10)
    made = with_one(ball, lesion)
    base = np.asarray(ball.on_skull(lesion.base))
    inside = base + (np.array([0, -18, 8]) - base) * 0.15
    middle = around(ball, made, inside, 4)
    assert middle.mean() == pytest.approx(lesion.enhancement, abs=0.1)
    assert middle.std() < 0.12
    # It reaches the dura, and bone and skin stay.
    assert at(ball, made, *(base + (inside - base) * 0.3), reach=0) > 1.1
    assert is_bone_kept(made, ball, -8)


def test_a_pituitary_tumour_fills_the_sella_and_rises_above_it(ball):
    made = with_one(ball, Pituitary((11, 9, 9), (12, 11, 11), rise=15))
    assert at(ball, made, 1, 6, -30, reach=4) > 1.08
    assert at(ball, made, 1, 4, -15, reach=4) > 1.08
    assert at(ball, made, 40, 6, -30) == pytest.approx(at(ball, ball.t1, 40, 6, -30), abs=0.02)


def test_the_brain_is_pushed_aside_and_the_bone_is_not(ball):
    marked = dataclasses.replace(ball, t1=ball.t1.copy())
    i, j, k = np.rint(np.subtract((8, 0, 20), ball.origin)).astype(int)
    marked.t1[i - 1 : i + 2, j - 3 : j + 4, k - 3 : k + 4] = 0.3
    made = with_one(marked, Glioma((36, 0, 20), (18, 18, 18), oedema=0, push=6))
    row = made[: i + 8, j - 1 : j + 2, k - 1 : k + 2].mean(axis=(1, 2))
    assert row[i - 12 : i - 1].min() < 0.6, "the mark moved away from the lesion"
    assert is_bone_kept(made, ball, -1)


def test_slices_have_the_size_brightness_and_noise_asked_for(ball):
    random = np.random.default_rng(5)
    protocol = Protocol("axial", (8.0,), noise=0.05, shading=0.0)
    (one,) = scanned(ball.t1, ball, somebody(random), protocol, random)
    assert one.shape == protocol.size == (320, 320)
    centre = one[130:190, 130:190]
    assert centre.mean() == pytest.approx(1, abs=0.03)
    assert centre.std() == pytest.approx(0.05, rel=0.25)
    # In air the magnitude of complex noise follows Rayleigh's law: mean 1.25 deviations.
    assert one[:20, :20].mean() == pytest.approx(1.25 * 0.05, rel=0.2)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes(ball, tmp_path):
    small = Protocol("axial", (20.0, 26.0), pixel=1.8, resolution=1.8)
    case = dataclasses.replace(CASES[0], protocol=small)
    for name in ("first", "second"):
        write_cases(ball, [case], tmp_path / name, seed=3)
    files = sorted(path for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert len(files) == 3
    for path in files:
        other = tmp_path / "second" / path.relative_to(tmp_path / "first")
        assert path.read_bytes() == other.read_bytes()
    entries = json.loads((tmp_path / "first" / "samples.json").read_text())["cases"]
    assert [entry["scans"] for entry in entries] == [2]
    first = [tmp_path / "first" / "cases" / name for name in entries[0]["files"]]
    other = simulated(ball, case, seed=4)
    assert all(other[path.name] != path.read_bytes() for path in first)


def test_volume_and_series_say_where_their_slices_lie(ball):
    """A bright mark at a known place is found at that place through each file's own geometry."""
    place = np.array([30.0, 20.0, 12.0])
    case = dataclasses.replace(
        CASES[2],
        protocol=Protocol("axial", tuple(-12 + 4.0 * n for n in range(12)), pixel=2.0,
                          field=(240, 220), thickness=4.0),
    )  # fmt: skip
    height, width = case.protocol.size
    slices = np.full((12, height, width), 0.1, np.float32)
    column = (case.protocol.centre[0] - place[0]) / 2 + (width - 1) / 2
    row = (case.protocol.centre[1] - place[1]) / 2 + (height - 1) / 2
    slices[6, round(row), round(column)] = 2

    (data,) = nifti_file(case, slices).values()
    image = nibabel.Nifti1Image.from_bytes(gzip.decompress(data))
    peak = np.unravel_index(np.asarray(image.dataobj).argmax(), image.shape)
    assert np.abs(image.affine @ (*peak, 1) - (*place, 1)).max() <= 1.01
    assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")

    objects = [pydicom.dcmread(io.BytesIO(one)) for one in dicom_files(case, slices).values()]
    brightest = max(objects, key=lambda one: int(one.pixel_array.max()))
    r, c = np.unravel_index(brightest.pixel_array.argmax(), brightest.pixel_array.shape)
    along = np.array(brightest.ImageOrientationPatient, float).reshape(2, 3)
    found = np.array(brightest.ImagePositionPatient, float)
    found = found + along[0] * 2.0 * c + along[1] * 2.0 * r
    assert np.abs(found - place * (-1, -1, 1)).max() <= 1.01


@pytest.mark.slow
def test_the_template_is_a_head_and_takes_up_contrast(template):
    assert template.t1.shape == (181, 217, 181)
    assert at(template, template.t1, 28, 0, 28) == pytest.approx(1, abs=0.1), "white matter"
    assert at(template, template.t1, 14, -20, 20) < 0.6, "ventricle"
    assert template.white[template.brain].mean() > 0.2
    bright = with_contrast(template, np.random.default_rng(1))
    assert (bright >= template.t1).all()
    assert at(template, bright, 1, 6, -29) > at(template, template.t1, 1, 6, -29), "pituitary"
    # White matter takes up nothing.
    assert at(template, bright, 28, 0, 28) == pytest.approx(at(template, template.t1, 28, 0, 28))


@pytest.mark.slow
def test_the_files_of_the_repository_come_from_the_script(template):
    """Up to a gray value or two: versions of NumPy and SciPy may round otherwise."""
    case = CASES[3]
    for name, data in simulated(template, case).items():
        made = np.asarray(Image.open(io.BytesIO(data)), int)
        kept = np.asarray(Image.open(HERE / "cases" / name), int)
        assert made.shape == kept.shape
        assert np.abs(made - kept).mean() < 1
