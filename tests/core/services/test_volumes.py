"""Series of a case: in order, measured, drawn slice by slice, in three planes and in the report."""

import io
from dataclasses import replace

import numpy as np
import pypdf
import pytest

from core.errors import InputError, StoreError
from core.services.readers import add_reader
from core.services.report import case_pdf
from core.services.review import look_again
from core.services.review_layers import series_display, slice_layers
from core.services.scoring import score_waiting
from core.services.submit import Upload, batch_items, submit
from core.services.volumes import case_series, edge_letters, measure_series, volume_layers
from core.types import Band, ScoringState, StudyDetails
from tests.dicoms import (
    CORONAL,
    head_volume,
    mr_dataset,
    mr_series,
    multi_frame_dataset,
    nifti,
    to_bytes,
)
from tests.fakes import FakeEngine, scan_png

SLICES, LESION = 14, range(8, 11)
SPACING, STEP = (0.5, 0.8), 4.0
WINDOW = (0.0, 255.0)


@pytest.fixture
def ada(installation):
    return add_reader(installation, "Ada")


@pytest.fixture
def send(installation, ada):
    """Upload files as one case and have them scored; what its page would show."""

    def sent(*files, score=True, **details):
        uploads = [Upload(f"{number}", data) for number, data in enumerate(files)]
        batch = submit(installation, ada, uploads, StudyDetails(**details))
        if score:
            score_waiting(installation, FakeEngine())
        case = batch_items(installation, ada, batch.batch_id)[0].case_id
        view = look_again(installation, ada, case)
        return view, case_series(installation, view)

    return sent


def files_of(slices=SLICES, **options):
    volume = head_volume(slices, lesion=LESION)
    return mr_series(volume, **{"spacing": SPACING, "step": STEP} | options)


def text_of(data):
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).split())


def test_a_thin_slice_that_stands_out_is_opened_first_and_said(installation, ada, send):
    files = mr_series(head_volume(SLICES, lesion=range(5, 6)), step=1.0)
    calm = mr_series(head_volume(SLICES, lesion=range(0)), series="calm", SeriesNumber=9)
    view, found = send(*calm, *files)
    odd = next(one for one in found.series if one.odd is not None)
    assert found.series[found.opens_with] is odd
    assert (odd.opens_at, odd.odd) == (5, 5) and odd.leading != 5
    assert odd.stands_out.startswith(
        "Slice 6 stands out: Glioma suspected, tumour probability 97.0 %. The series as a whole"
    )
    [other] = [one for one in found.series if one is not odd]
    assert (other.odd, other.stands_out, other.opens_at) == (None, None, other.leading)
    assert view.summary.band is Band.SOON
    report = text_of(case_pdf(installation, ada, view.summary.id))
    assert "Slice 6 stands out: Glioma suspected" in report


def test_a_series_with_a_suspicious_voice_opens_with_it(send):
    _, found = send(*mr_series(head_volume(SLICES, lesion=range(5, 6)), step=6.0))
    [one] = found.series
    assert (one.leading, one.odd, one.opens_at, one.stands_out) == (5, None, 5, None)


def test_slices_are_in_the_order_of_their_positions_and_open_at_the_suspicious_one(send):
    files = files_of()
    shuffled = [files[index] for index in np.random.default_rng(1).permutation(SLICES)]
    _, found = send(*shuffled)
    [one] = found.series
    assert found.leading == 0
    assert found.pictures == ()
    positions = [scan.place.position_mm for scan in one.slices]
    assert positions == sorted(positions)
    assert one.leading in LESION
    suspected = [scan.analysis.finding.suspected for scan in one.slices]
    assert [index for index, yes in enumerate(suspected) if yes] == list(LESION)
    assert one.name == f"T1 with contrast, axial, series 1, {SLICES} slices"
    assert one.geometry == ("80 × 96 pixels of 0.8 × 0.5 mm, slices 4 mm apart, 4 mm thick. DICOM.")
    assert one.caption(0) == f"Slice 1 of {SLICES} · F 30.0 mm"
    assert one.caption(SLICES - 1).endswith("H 22.0 mm")
    assert one.finding(one.leading) == "Glioma suspected, tumour probability 97.0 %"
    assert one.states is None
    assert len(set(one.versions)) == SLICES


@pytest.mark.parametrize("lost", ["PixelSpacing", "ImagePositionPatient"])
def test_slices_without_places_are_in_the_order_that_is_known(send, lost):
    files = files_of(**{lost: None})
    mixed = [files[index] for index in np.random.default_rng(1).permutation(SLICES)]
    _, found = send(*mixed)
    [one] = found.series
    assert [scan.taken[1] for scan in one.slices] == [n + 1 for n in range(SLICES)]
    assert one.leading in LESION
    assert {scan.place for scan in one.slices} == {None}


def test_the_outlined_region_is_measured_in_millimetres(installation, send):
    _, found = send(*files_of())
    [one] = found.series
    measures = measure_series(installation, one)
    areas = [
        scan.analysis.finding.lesion.area_px for scan in one.slices if scan.analysis.finding.lesion
    ]
    assert measures.volume_mm3 == pytest.approx(sum(areas) * 0.5 * 0.8 * STEP)
    longest = max(one.slices[index].analysis.finding.lesion.diameter_mm for index in LESION)
    assert measures.diameter_mm == pytest.approx(longest)
    assert measures.diameter_slice in LESION
    assert (measures.masked_slices, measures.regions) == (len(LESION), 1)


def test_slices_without_a_result_are_bridged_and_counted(installation, send):
    _, found = send(*files_of())
    [one] = found.series
    whole = measure_series(installation, one)
    gone = replace(one.slices[9], analysis=None, state=ScoringState.FAILED)
    waits = replace(one.slices[0], analysis=None, state=ScoringState.QUEUED)
    broken = replace(one, slices=(waits, *one.slices[1:9], gone, *one.slices[10:]))
    assert broken.states == (
        "1 of 14 slices wait for the model; 1 of 14 was not analysed because of an error."
    )
    assert broken.finding(9) == "The model could not analyse it"
    assert broken.finding(0) == "Waits for the model"
    measures = measure_series(installation, broken)
    # Its neighbours stand for its room; the slice of the diameter is counted within the series.
    assert measures.volume_mm3 == pytest.approx(whole.volume_mm3, rel=0.1)
    assert measures.diameter_slice in LESION
    assert broken.versions[9] != one.versions[9]


def test_nothing_is_measured_while_nothing_is_analysed(installation, send):
    _, found = send(*files_of(), score=False)
    assert measure_series(installation, found.series[0]) is None
    assert found.series[0].waiting == SLICES


def test_series_and_pictures_of_one_case_are_told_apart(send):
    series = files_of(series="axial", SeriesNumber=3)
    other = files_of(6, series="coronal", SeriesNumber=8, orientation=CORONAL)
    alone = to_bytes(mr_dataset(series="localiser", SeriesNumber=1))
    view, found = send(*series, *other, alone)
    assert [one.name for one in found.series] == [
        f"T1 with contrast, axial, series 3, {SLICES} slices",
        "T1 with contrast, coronal, series 8, 6 slices",
    ]
    # One slice is no volume.
    [picture] = found.pictures
    assert len(view.scans) == SLICES + 6 + 1
    assert view.scans[picture].series_id not in {one.series.id for one in found.series}
    assert found.leading == 0


def test_ordinary_pictures_make_no_series(send):
    _, found = send(scan_png(), scan_png(130), patient_reference="P-2")
    assert (found.series, found.pictures, found.leading) == ((), (0, 1), None)


@pytest.mark.parametrize("source", ["frames", "nifti"])
def test_frames_of_one_file_are_slices_too(installation, send, source):
    if source == "frames":
        volume = head_volume(SLICES, lesion=LESION)
        data = to_bytes(multi_frame_dataset(volume, spacing=SPACING, step=STEP))
    else:
        data = nifti(spacing=(0.8, 0.5, STEP))
    _, found = send(data)
    [one] = found.series
    assert len({scan.content_key for scan in one.slices}) == 1
    assert [scan.frame for scan in one.slices] == sorted(scan.frame for scan in one.slices)
    display = series_display(installation, one.slices)
    means = [layers.pixels.mean() for layers in slice_layers(installation, one.slices, display)]
    assert len(set(means)) > len(means) / 3, "every slice is the same frame"
    assert measure_series(installation, one).volume_mm3 > 0
    volume = volume_layers(installation, one, WINDOW)
    assert volume.mask.any()


def test_all_slices_are_shown_alike_and_know_the_patients_sides(installation, send):
    _, found = send(*files_of(WindowCenter=100, WindowWidth=80))
    [one] = found.series
    display = series_display(installation, one.slices)
    assert [window.name for window in display.windows["all"]][:2] == ["Standard", "From the file"]
    of_the_file = display.windows["all"][1]
    assert of_the_file.high - of_the_file.low == pytest.approx(80, abs=1)
    drawn = list(slice_layers(installation, one.slices, display))
    assert {id(layers.windows) for layers in drawn} == {id(display.windows)}
    assert [layers.mask is not None for layers in drawn] == [i in LESION for i in range(SLICES)]
    assert max(max(heat.shape) for heat in drawn[8].heat_maps.values()) <= 112
    assert edge_letters(one.slices[0].place) == ("R", "L", "A", "P")


def test_the_three_planes_hold_the_mask_where_the_slices_do(installation, send):
    _, found = send(*files_of())
    [one] = found.series
    volume = volume_layers(installation, one, WINDOW)
    assert volume.stack_axis == 0
    lengths = np.array(volume.pixels.shape) * STEP / abs(np.diff(volume.slice_steps)[0])
    assert lengths == pytest.approx([SLICES * STEP, 96 * 0.5, 80 * 0.8], abs=STEP)
    at = round(volume.slice_steps[9])
    assert volume.mask[at].any()
    assert not volume.mask[round(volume.slice_steps[2])].any()
    assert volume.mask[volume.start]


def test_a_series_that_is_no_volume_says_why(installation, send):
    _, found = send(*files_of(3))
    [one] = found.series
    lost = replace(one, slices=tuple(replace(scan, place=None) for scan in one.slices))
    with pytest.raises(InputError, match="does not say where"):
        volume_layers(installation, lost, WINDOW)
    assert lost.caption(0) == "Slice 1 of 3"
    assert "do not say where the slices lie" in lost.geometry
    assert measure_series(installation, lost) is None or (
        measure_series(installation, lost).volume_mm3 is None
    )


def test_a_lost_file_is_a_store_error(installation, send):
    _, found = send(*files_of())
    [one] = found.series
    gone = replace(one, slices=tuple(replace(s, content_key="0" * 64) for s in one.slices))
    with pytest.raises(StoreError):
        volume_layers(installation, gone, WINDOW)


def test_the_report_shows_a_series_as_one_volume(installation, ada, send):
    view, found = send(*files_of())
    [one] = found.series
    data = case_pdf(installation, ada, view.summary.id)
    text = text_of(data)
    measures = measure_series(installation, one)
    for part in (
        f"Series: T1 with contrast, axial, series 1, {SLICES} slices",
        "slices 4 mm apart",
        f"Decisive slice: Slice {one.leading + 1} of {SLICES}",
        "3 of 14 slices reach the threshold: 9–11.",
        f"{measures.diameter_mm:.1f} mm in slice {measures.diameter_slice + 1}.",
        "cm³ in one region, outlined in 3 slices",
        "Model fake-1",
        "0.5 mm between rows and 0.8 mm between columns",
        "Research and demonstration use, not a medical device.",
    ):
        assert part in text, part
    pages = pypdf.PdfReader(io.BytesIO(data)).pages
    assert len(pages) <= 4
    assert sum(len(page.images) for page in pages) == 3, "the leading slice alone is pictured"


def test_a_series_that_waits_is_reported_as_such(installation, ada, send):
    view, _ = send(*files_of(), score=False)
    text = text_of(case_pdf(installation, ada, view.summary.id))
    assert "14 of 14 slices wait for the model." in text
    assert "Tumour probability by slice" not in text
