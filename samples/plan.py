"""The twelve sample cases: which lesion, where, and how it is scanned.

The list and its seeds were fixed before a model saw any of the pictures. A case that a model gets
wrong stays as it is: the demonstration shows that too.
"""

from __future__ import annotations

from dataclasses import dataclass

from samples.lesions import Glioma, Lesion, Meningioma, Pituitary
from samples.scanner import Protocol

SEED = 20260101


@dataclass(frozen=True)
class Case:
    """One simulated case.

    Attributes:
        number: from 1; also the seed of everything random in it.
        meant: the class that it shows: glioma, meningioma, pituitary or no_tumor.
        lesion: what is written into the head; None for a head without a tumour.
        kind: ``PNG`` (a picture a slice), ``DICOM`` (a series) or ``NIfTI`` (one volume).
        protocol: how it is scanned.
        words: the case in a sentence, for people.
    """

    number: int
    meant: str
    lesion: Lesion | None
    kind: str
    protocol: Protocol
    words: str

    @property
    def reference(self) -> str:
        """What stands for the patient."""
        return f"SIMULATED-{self.number:02d}"

    @property
    def stem(self) -> str:
        """Start of the names of its files."""
        return f"simulated-{self.number:02d}-{self.meant}-{self.protocol.plane}"


def _axial(*positions: float, **changes: float) -> Protocol:
    return Protocol("axial", positions, field=(230, 194), **changes)


def _coronal(*positions: float, **changes: float) -> Protocol:
    return Protocol("coronal", positions, (0, 0, 22), (178, 194), **changes)


def _sagittal(*positions: float, **changes: float) -> Protocol:
    return Protocol("sagittal", positions, (0, -12, 22), (178, 240), **changes)


CASES: tuple[Case, ...] = (
    Case(
        1, "glioma", Glioma((32, 24, 26), (20, 24, 18), rim=5.0, oedema=15, push=6), "PNG",
        _axial(22, 29),
        "Glioma of the frontal lobe: an irregular rim enhances around a dead core, with oedema.",
    ),
    Case(
        2, "glioma", Glioma((47, -18, -12), (14, 20, 14), rim=6.0, oedema=11, push=4), "PNG",
        _coronal(-20, noise=0.035),
        "Glioma of the temporal lobe: a thick, uneven rim enhances around a small dead core.",
    ),
    Case(
        3, "glioma", Glioma((29, -56, 26), (20, 23, 20), rim=5.5, oedema=16, push=6), "DICOM",
        Protocol("axial", tuple(-46 + 5.4 * i for i in range(24)), field=(230, 230),
                 pixel=230 / 256, resolution=230 / 256, thickness=4.9, noise=0.03),
        "Glioma of parietal and occipital lobe, as a series of 24 axial slices: an irregular rim "
        "enhances around a dead core, with oedema.",
    ),
    Case(
        4, "meningioma", Meningioma((64, 8, 30), (18, 22, 20), inward=11, push=8), "PNG",
        _axial(30),
        "Meningioma of the convexity: broad-based on the dura, enhances evenly, pushes the brain.",
    ),
    Case(
        5, "meningioma", Meningioma((8, -20, 84), (17, 20, 18), inward=11, push=7, oedema=6),
        "PNG", _coronal(-24, -17, shading=0.14),
        "Parasagittal meningioma below the vertex: enhances evenly, with a dural tail and a "
        "little oedema.",
    ),
    Case(
        6, "meningioma", Meningioma((3, 38, -22), (21, 20, 17), inward=12, push=8), "NIfTI",
        Protocol("axial", tuple(-50 + 3.4 * i for i in range(40)), field=(230.4, 230.4),
                 pixel=1.8, resolution=1.8, thickness=3.4, noise=0.025),
        "Meningioma of the olfactory groove, as a volume of 40 axial slices: enhances evenly and "
        "lifts the frontal lobes.",
    ),
    Case(
        7, "pituitary", Pituitary((10, 9, 8), (11, 10, 11), rise=15, push=5), "PNG",
        _sagittal(-1),
        "Macroadenoma of the pituitary: fills the sella, rises above it, enhances evenly.",
    ),
    Case(
        8, "pituitary", Pituitary((12, 9, 9), (13, 11, 12), rise=16, shift=2, push=6), "PNG",
        _coronal(3, 9, noise=0.035),
        "Macroadenoma of the pituitary, waisted at the diaphragm of the sella.",
    ),
    Case(
        9, "pituitary", Pituitary((11, 10, 9), (14, 12, 11), rise=14, push=5), "PNG",
        _axial(-20, shading=0.14),
        "Macroadenoma of the pituitary: its part above the sella, between the optic tracts.",
    ),
    Case(
        10, "no_tumor", None, "PNG", _axial(8, 28),
        "A head without a tumour, at the height of the basal ganglia and of the ventricles.",
    ),
    Case(
        11, "no_tumor", None, "PNG", _sagittal(-4, noise=0.035),
        "A head without a tumour, near the midline.",
    ),
    Case(
        12, "no_tumor", None, "PNG", _coronal(-14, shading=0.14),
        "A head without a tumour, through the third ventricle.",
    ),
)  # fmt: skip
