"""Of a volume the middle slice is compared; scanners' files are found without a suffix."""

import numpy as np

from tests.dicoms import dicomdir, mr_dataset, multi_frame_dataset, nifti, to_bytes
from tests.train.audit_pictures import gamma, head, save
from train.audit.fingerprints import read_picture
from train.audit.pictures import find_pictures
from train.audit.run import audit


def stack(middle, depth=5):
    """Slices of air with one in the middle, (depth, height, width)."""
    volume = np.zeros((depth, *middle.shape), np.uint16)
    volume[depth // 2] = middle
    return volume


def in_scanner_axes(volume):
    """Slices as `nifti` takes them: x, y, z."""
    return volume[:, ::-1, ::-1].transpose(2, 1, 0)


def groups_of(folder):
    found = audit([folder])
    assert found.damaged == ()
    groups = {}
    for member in found.members:
        groups.setdefault(member.group, set()).add(member.picture.path)
    return sorted(groups.values(), key=len)


def test_volumes_are_compared_by_their_middle_slice_not_by_air(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(nifti(in_scanner_axes(stack(head(1)))))
    dark = nifti(in_scanner_axes(stack(gamma(head(1), 1.5), depth=9)), packed=False)
    (tmp_path / "b.nii").write_bytes(dark)
    (tmp_path / "other.nii.gz").write_bytes(nifti(in_scanner_axes(stack(head(2)))))
    (tmp_path / "c.dcm").write_bytes(to_bytes(multi_frame_dataset(stack(head(1)))))
    save(tmp_path / "d.png", head(1))
    assert groups_of(tmp_path) == [{"other.nii.gz"}, {"a.nii.gz", "b.nii", "c.dcm", "d.png"}]


def test_of_several_volumes_in_a_file_the_first_counts(tmp_path):
    several = np.stack([in_scanner_axes(stack(head(seed))) for seed in (1, 2)], axis=3)
    (tmp_path / "set.nii.gz").write_bytes(nifti(several))
    (picture,) = find_pictures([tmp_path])
    assert np.array_equal(read_picture(picture).pixels[..., 0], head(1))


def test_frames_that_are_out_of_order_are_put_along_the_stack(tmp_path):
    dataset = multi_frame_dataset(stack(head(1))[[0, 1, 4, 3, 2]])
    # The head comes last in the file and lies in the middle.
    frames = dataset.PerFrameFunctionalGroupsSequence
    there, end = (frames[i].PlanePositionSequence for i in (2, 4))
    frames[2].PlanePositionSequence, frames[4].PlanePositionSequence = end, there
    (tmp_path / "set.dcm").write_bytes(to_bytes(dataset))
    (picture,) = find_pictures([tmp_path])
    assert np.array_equal(read_picture(picture).pixels[..., 0], head(1))


def test_masks_of_volumes_are_left_out(tmp_path):
    for name in ("a.nii.gz", "a_seg.nii.gz", "b-mask.nii", "c_SEG.NII.GZ"):
        (tmp_path / name).write_bytes(nifti(packed=name.lower().endswith("gz")))
    assert [picture.path for picture in find_pictures([tmp_path])] == ["a.nii.gz"]


def test_dicom_files_are_found_by_their_content(tmp_path):
    data = to_bytes(mr_dataset())
    for name in ("IM0001", "1.2.840.113619.7", "._IM0001"):
        (tmp_path / name).write_bytes(data)
    (tmp_path / "DICOMDIR").write_bytes(dicomdir([data]))
    (tmp_path / "README").write_text("The scans of a study.")
    (tmp_path / "empty").touch()
    assert [picture.path for picture in find_pictures([tmp_path])] == ["1.2.840.113619.7", "IM0001"]
