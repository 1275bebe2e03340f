"""Functional groups as makers write them for each frame of an Enhanced MR object (PS3.3 A.36)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydicom.dataset import Dataset

from tests.dicom_elements import code_of, item_of


def fill_groups(dataset: Dataset) -> None:
    """Write every functional group of the standard for MR into each frame."""
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        content = frame.FrameContentSequence[0]
        content.FrameReferenceDateTime = content.FrameAcquisitionDateTime = "20200101120000"
        content.FrameAcquisitionDuration, content.FrameAcquisitionNumber = 1.5, number
        content.DimensionIndexValues, content.TemporalPositionIndex = [1, number], 1
        frame.ReferencedImageSequence = [
            item_of(
                ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.4",
                ReferencedSOPInstanceUID=f"1.2.3.{number}",
                PurposeOfReferenceCodeSequence=[code_of("121311", "Localizer")],
            )
        ]
        for keyword, item in _groups():
            setattr(frame, keyword, [item])


def _groups() -> Iterator[tuple[str, Dataset]]:
    """Those that are the same in every frame."""
    for keyword, attributes in _SAME.items():
        yield keyword, item_of(**attributes)


_REGION = [code_of("69536005", "Head")]
_UNITS = [code_of("1", "no units")]
_SAR = [item_of(SpecificAbsorptionRateDefinition="IEC_HEAD", SpecificAbsorptionRateValue=0.1)]
_COIL = [item_of(MultiCoilElementName="H1", MultiCoilElementUsed="YES")]
_DIRECTION = [item_of(DiffusionGradientOrientation=[1.0, 0.0, 0.0])]
_NO = {
    "InversionRecovery": "NO", "FlowCompensation": "NONE", "Spoiling": "NONE",
    "T2Preparation": "NO", "SpectrallySelectedExcitation": "NONE", "PartialFourier": "NO",
    "SpatialPresaturation": "NONE", "ParallelAcquisition": "NO",
    "SpectrallySelectedSuppression": "NONE",
}  # fmt: skip
_SAME: dict[str, dict[str, Any]] = {
    "PixelMeasuresSequence": {
        "PixelSpacing": [1, 1], "SliceThickness": 5, "SpacingBetweenSlices": 5,
    },
    "PlaneOrientationSequence": {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]},
    "PixelValueTransformationSequence": {
        "RescaleIntercept": 0, "RescaleSlope": 1.5, "RescaleType": "US",
    },
    "FrameVOILUTSequence": {"WindowCenter": 100, "WindowWidth": 200},
    "FrameAnatomySequence": {"FrameLaterality": "U", "AnatomicRegionSequence": _REGION},
    "MRImageFrameTypeSequence": {
        "FrameType": ["ORIGINAL", "PRIMARY", "M", "NONE"], "PixelPresentation": "MONOCHROME",
        "VolumetricProperties": "VOLUME", "VolumeBasedCalculationTechnique": "NONE",
        "ComplexImageComponent": "MAGNITUDE", "AcquisitionContrast": "T1",
    },
    "MRTimingAndRelatedParametersSequence": {
        "RepetitionTime": 550.0, "FlipAngle": 90.0, "EchoTrainLength": 1, "RFEchoTrainLength": 1,
        "GradientEchoTrainLength": 0, "SpecificAbsorptionRateSequence": _SAR,
    },
    "MREchoSequence": {"EffectiveEchoTime": 12.0},
    "MRFOVGeometrySequence": {
        "InPlanePhaseEncodingDirection": "ROW", "MRAcquisitionFrequencyEncodingSteps": 256,
        "MRAcquisitionPhaseEncodingStepsInPlane": 200, "PercentSampling": 100.0,
        "PercentPhaseFieldOfView": 100.0,
    },
    "MRModifierSequence": _NO,
    "MRImagingModifierSequence": {
        "MagnetizationTransfer": "NONE", "BloodSignalNulling": "NO", "Tagging": "NONE",
        "TransmitterFrequency": 63.8, "PixelBandwidth": 200.0,
    },
    "MRReceiveCoilSequence": {
        "ReceiveCoilName": "HEAD", "ReceiveCoilType": "MULTICOIL",
        "QuadratureReceiveCoil": "NO", "MultiCoilDefinitionSequence": _COIL,
    },
    "MRTransmitCoilSequence": {"TransmitCoilName": "BODY", "TransmitCoilType": "BODY"},
    "MRAveragesSequence": {"NumberOfAverages": 1.0},
    "MRDiffusionSequence": {
        "DiffusionBValue": 1000.0, "DiffusionDirectionality": "DIRECTIONAL",
        "DiffusionGradientDirectionSequence": _DIRECTION,
    },
    "RealWorldValueMappingSequence": {
        "RealWorldValueFirstValueMapped": 0, "RealWorldValueLastValueMapped": 4095,
        "RealWorldValueIntercept": 0.0, "RealWorldValueSlope": 1.0, "LUTLabel": "US",
        "MeasurementUnitsCodeSequence": _UNITS,
    },
}  # fmt: skip
