"""Results of stored series, read again from their files."""

import io

import highdicom
from pydicom import dcmread

from core.imaging import open_image
from tests.core.services.stored_series import masks_of


def outlined(files):
    return masks_of([open_image(data).scan(0) for data in files])


def read_seg(results):
    (data,) = [file.data for file in results if file.name.endswith("-seg.dcm")]
    return highdicom.seg.segread(io.BytesIO(data))


def read_sr(results):
    (data,) = [file.data for file in results if file.name.endswith("-sr.dcm")]
    return highdicom.sr.srread(io.BytesIO(data))


def sizes(report):
    groups = report.content.get_image_measurement_groups()
    groups += report.content.get_planar_roi_measurement_groups()
    groups += report.content.get_volumetric_roi_measurement_groups()
    return {
        item.name.value: (float(item.value), item.unit.value)
        for group in groups
        for item in group[0].ContentSequence
        if item.ValueType == "NUM"
    }


def object_uids(files) -> set[str]:
    return {str(dcmread(io.BytesIO(file.data)).SOPInstanceUID) for file in files}
