"""The model's results on a series as a DICOM report (SR): TID 1500, Measurement Report.

It has one group of the whole series, taken from the slice that decides (class, probabilities,
threshold, likeness to the training), and one of the outlined region (volume, longest diameter),
which refers to the segmentation where there is one. The observer is the model; nobody has verified
the report. The codes stand in ``dicom_codes``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from highdicom.seg import Segmentation
from highdicom.sr import (
    ComprehensiveSR,
    DeviceObserverIdentifyingAttributes,
    FindingSite,
    MeasurementReport,
    MeasurementsAndQualitativeEvaluations,
    ObservationContext,
    ObserverContext,
    QualitativeEvaluation,
    ReferencedSegment,
    SourceImageForMeasurementGroup,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import ComprehensiveSRStorage

from core.imaging.dicom.values import made_uid
from core.inference.volume_measure import VolumeMeasures
from core.reports import dicom_codes
from core.reports.dicom_items import Group, algorithm, comment, count, percent, sizes
from core.reports.dicom_objects import (
    PRODUCT,
    Making,
    SourceSlice,
    copied,
    distinct_headers,
    said_in_words,
    series_attributes,
    settle,
)
from core.reports.dicom_seg import MEANINGS, TYPES, tracking_id
from core.triage import volume_words, words
from core.types import CLASSES, ScanFinding

_UNFIT = (
    "There is no DICOM report: the headers of the source images lack what it needs, or contradict "
    "each other."
)
_UNVERIFIED = (
    f"{words.DISCLAIMER} Made by a model; no reader has verified it. The model looks for glioma, "
    "meningioma and pituitary tumour only."
)
_DIAMETER = (
    "The diameter is the longest in the plane of the slices, of the largest connected region of a "
    "slice."
)


@dataclass(frozen=True, eq=False)
class SeriesFinding:
    """What is reported of a series.

    Attributes:
        slices: all slices, in the order of their positions.
        leading: index of the slice that speaks for the series, see ``core.triage.volumes``.
        finding: of that slice.
        decision_threshold: tumour probability from which a tumour is suspected.
        analysed: how many slices the model has looked at.
        standing_out: index and finding of a slice that is suspicious although the leading one is
            not; None where there is none.
        measures: of the outlined region; None where nothing is outlined.
        area_mm2: of the outlined region, where the series has one slice only and the pixel spacing
            is known.
    """

    slices: Sequence[SourceSlice]
    leading: int
    finding: ScanFinding
    decision_threshold: float
    analysed: int
    measures: VolumeMeasures | None
    area_mm2: float | None = None
    standing_out: tuple[int, ScanFinding] | None = None


def measurement_report(
    series: SeriesFinding, segmentation: Segmentation | None, making: Making
) -> ComprehensiveSR:
    """The results as a DICOM report.

    Args:
        series: what is reported.
        segmentation: the outlined region; None where there is no segmentation.
        making: how the results came about.

    Raises:
        InputError: the headers of the source images do not allow it.
    """
    sources = distinct_headers(series.slices)
    made = said_in_words(lambda: _report(series, sources, segmentation, making), _UNFIT)
    settle(made, sources[0], making)
    return made


def _report(
    series: SeriesFinding,
    sources: list[Dataset],
    segmentation: Segmentation | None,
    making: Making,
) -> ComprehensiveSR:
    groups: list[Group] = [_classification(series, making)]
    if series.measures is not None:
        groups.append(_region(series, series.measures, segmentation, making))
    observer = DeviceObserverIdentifyingAttributes(
        uid=made_uid(f"{PRODUCT}\0{making.model_version}".encode()),
        name=f"{PRODUCT} {making.model_version}",
        manufacturer_name=PRODUCT,
        model_name=PRODUCT,
        serial_number=making.model_version,
    )
    content = MeasurementReport(
        observation_context=ObservationContext(
            observer_device_context=ObserverContext(
                observer_type=codes.DCM.Device, observer_identifying_attributes=observer
            )
        ),
        procedure_reported=codes.cid100.MRIUnspecifiedBodyRegion,
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )
    return ComprehensiveSR(
        evidence=[copied(sources[0]), *sources[1:], *([segmentation] if segmentation else [])],
        content=content[0],
        # Complete is what holds all that there is to say: not so while slices are missing.
        is_complete=series.analysed == len(series.slices),
        is_final=False,
        is_verified=False,
        coding_schemes=[dicom_codes.PRIVATE_SCHEME],
        series_description=making.described("measurements"),
        previous_versions=_predecessors(sources[0], making),
        **series_attributes(sources[0], making, "SR", 2),
    )


def _predecessors(source: Dataset, making: Making) -> list[Dataset] | None:
    """The report that this one takes the place of; None where there is none."""
    if not making.earlier:
        return None
    one = Dataset()
    one.StudyInstanceUID = source.StudyInstanceUID
    one.SeriesInstanceUID = making.earlier[-1].series_uid
    one.SOPClassUID = ComprehensiveSRStorage
    one.SOPInstanceUID = making.earlier[-1].instance_uid
    return [one]


def _classification(series: SeriesFinding, making: Making) -> MeasurementsAndQualitativeEvaluations:
    finding = series.finding
    numbers = [percent(dicom_codes.PROBABILITIES[c], finding.probabilities[c]) for c in CLASSES]
    numbers += [
        percent(dicom_codes.TUMOUR_PROBABILITY, finding.tumour_probability),
        percent(dicom_codes.THRESHOLD, series.decision_threshold),
        count(dicom_codes.SLICES, len(series.slices)),
        count(dicom_codes.SLICES_ANALYSED, series.analysed),
        count(dicom_codes.SLICES_MASKED, series.measures.masked_slices if series.measures else 0),
    ]
    yes_or_no = codes.SCT.Yes if finding.suspected else codes.SCT.No
    likeness = dicom_codes.LIKE if finding.in_distribution else dicom_codes.UNLIKE
    leading = series.slices[series.leading]
    group = MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=making.uid("classification"), identifier=f"{PRODUCT} classification"
        ),
        algorithm_id=algorithm(making),
        finding_sites=[FindingSite(codes.SCT.Brain)],
        measurements=numbers,
        qualitative_evaluations=[
            QualitativeEvaluation(
                name=dicom_codes.CLASS, value=dicom_codes.CLASSES[finding.predicted]
            ),
            QualitativeEvaluation(name=dicom_codes.SUSPECTED, value=yes_or_no),
            QualitativeEvaluation(name=dicom_codes.LIKENESS, value=likeness),
        ],
        source_images=[
            SourceImageForMeasurementGroup(
                leading.header.SOPClassUID,
                leading.header.SOPInstanceUID,
                [leading.frame + 1] if "NumberOfFrames" in leading.header else None,
            )
        ],
    )
    said = [
        _UNVERIFIED,
        f"{words.headline(finding)}.",
        words.explanation(finding, series.decision_threshold),
        words.distribution_warning(finding),
    ]
    if len(series.slices) > 1:
        said.append(
            "The values are those of the slice that is referred to: the most suspicious one, where "
            "slices are thin one that its neighbours agree with."
        )
    if series.standing_out is not None:
        index, odd = series.standing_out
        header, frame = series.slices[index].header, series.slices[index].frame + 1
        frames = f", frame {frame}" if "NumberOfFrames" in header else ""
        said.append(
            f"{volume_words.standing_out(odd, index)} Its SOP Instance UID is "
            f"{header.SOPInstanceUID}{frames}."
        )
    if series.analysed < len(series.slices):
        said.append(
            f"Of {len(series.slices)} slices {len(series.slices) - series.analysed} could not be "
            "analysed."
        )
    comment(group, *said)
    return group


def _region(
    series: SeriesFinding,
    measures: VolumeMeasures,
    segmentation: Segmentation | None,
    making: Making,
) -> Group:
    kind = series.finding.kind
    shared = {
        "tracking_identifier": TrackingIdentifier(
            uid=making.uid("region"), identifier=tracking_id(making)
        ),
        "algorithm_id": algorithm(making),
        "finding_category": codes.SCT.MorphologicallyAbnormalStructure,
        "finding_type": TYPES[kind],
        "finding_sites": [FindingSite(codes.SCT.Brain)],
        "measurements": sizes(measures, series.area_mm2),
    }
    group: Group
    if segmentation is None:
        group = MeasurementsAndQualitativeEvaluations(**shared)
    else:
        group = VolumetricROIMeasurementsAndQualitativeEvaluations(
            referenced_segment=ReferencedSegment(
                sop_class_uid=segmentation.SOPClassUID,
                sop_instance_uid=segmentation.SOPInstanceUID,
                segment_number=1,
                source_series=SourceSeriesForSegmentation(
                    series.slices[0].header.SeriesInstanceUID
                ),
            ),
            **shared,
        )
    comment(group, MEANINGS[kind], _DIAMETER)
    return group
