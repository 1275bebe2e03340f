"""What the groups of a DICOM report are made of: figures with their units, and words."""

from __future__ import annotations

from highdicom.sr import (
    AlgorithmIdentification,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    RelationshipTypeValues,
    TextContentItem,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from core.inference.volume_measure import VolumeMeasures
from core.reports import dicom_codes
from core.reports.dicom_objects import PRODUCT, Making

_CM3 = Code("cm3", "UCUM", "cubic centimeter")
_MM2 = Code("mm2", "UCUM", "square millimeter")

Group = MeasurementsAndQualitativeEvaluations | VolumetricROIMeasurementsAndQualitativeEvaluations


def sizes(measures: VolumeMeasures, area_mm2: float | None) -> list[Measurement]:
    """How large the outlined region is, as far as that is known."""
    found = []
    if measures.volume_mm3 is not None:
        found.append(
            Measurement(
                name=codes.SCT.Volume, value=_rounded(measures.volume_mm3 / 1000, 4), unit=_CM3
            )
        )
    if area_mm2 is not None:
        found.append(Measurement(name=codes.SCT.Area, value=_rounded(area_mm2, 2), unit=_MM2))
    if measures.diameter_mm is not None:
        found.append(
            Measurement(
                name=codes.SCT.Diameter,
                value=_rounded(measures.diameter_mm, 2),
                unit=codes.UCUM.Millimeter,
                derivation=codes.SCT.Maximum,
            )
        )
    return found


def algorithm(making: Making) -> AlgorithmIdentification:
    """What made the figures of a group."""
    return AlgorithmIdentification(
        name=PRODUCT, version=making.model_version, family=codes.DCM.ArtificialIntelligence
    )


def percent(name: Code, share: float) -> Measurement:
    """A share of 0 to 1 in percent."""
    return Measurement(name=name, value=_rounded(share * 100, 3), unit=codes.UCUM.Percent)


def count(name: Code, number: int) -> Measurement:
    """A number of things."""
    return Measurement(name=name, value=number, unit=codes.UCUM.NoUnits)


def comment(group: Group, *sentences: str | None) -> None:
    """Add sentences to a group; None is left out."""
    group[0].ContentSequence.append(
        TextContentItem(
            name=dicom_codes.COMMENT,
            value=" ".join(one for one in sentences if one),
            relationship_type=RelationshipTypeValues.CONTAINS,
        )
    )


def _rounded(value: float, digits: int) -> float:
    """A decimal string (DS) has 16 characters at most."""
    return round(float(value), digits)
