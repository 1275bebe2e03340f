"""The cache of prepared scans."""

import shutil

import cv2
import numpy as np
import pytest

from core.errors import DataError
from train.data import pack as packing
from train.data.pack import load_pack
from train.experiments import data as resizing
from train.experiments.config import Input


def test_a_pack_is_of_one_data_folder_and_of_its_files_as_they_are(tiny_data, tmp_path):
    samples = [s for s in tiny_data.four_class if s.dataset == "figshare"][:3]
    cache, root = tmp_path / "cache", tmp_path / "data"
    shutil.copytree(tiny_data.root / "figshare", root / "figshare")
    here = load_pack(samples, root, cache, channels=1)
    assert len(list(cache.iterdir())) == 1
    (tmp_path / "link").symlink_to(root)
    load_pack(samples, tmp_path / "link", cache, channels=1)
    assert len(list(cache.iterdir())) == 1, "the same folder by another way"

    empty = np.zeros((64, 64), np.uint8)
    assert cv2.imwrite(str(samples[0].mask_file(root)), empty)
    changed = load_pack(samples, root, cache, channels=1)
    assert here.masks[0].any() and not changed.masks[0].any()
    elsewhere = load_pack(samples, tiny_data.root, cache, channels=1)
    assert np.array_equal(elsewhere.masks, here.masks)
    assert len(list(cache.iterdir())) == 3

    samples[1].file(root).unlink()
    with pytest.raises(DataError, match="is missing"):
        load_pack(samples, root, cache, channels=1)


class Stopped(Exception):
    pass


def write_pack(samples, folder):
    packing.fill_once(folder, lambda own: packing._make(samples, None, own, 1))


def write_resized(samples, folder):
    packing.fill_once(
        folder, lambda own: resizing._make(samples, None, own, Input(side=32), 1, False)
    )


@pytest.mark.parametrize(
    ("module", "write"), [(packing, write_pack), (resizing, write_resized)], ids=["pack", "resized"]
)
@pytest.mark.parametrize("other_ends", [False, True])
def test_a_run_that_starts_beside_another_blackens_none_of_its_pictures(
    tiny_data, tmp_path, monkeypatch, module, write, other_ends
):
    """The other starts when the first is half through, and ends before it or is stopped."""
    samples, read = tiny_data.four_class[:6], module.read_scan
    begun = []

    def read_scan(sample, root):
        number = samples.index(sample)
        if number == 4 and not begun:
            begun.append("the other")
            if other_ends:
                write(samples, tmp_path / "cache")
            else:
                with pytest.raises(Stopped):
                    write(samples, tmp_path / "cache")
        elif number == 2 and begun and not other_ends:
            raise Stopped
        return read(sample, tiny_data.root)

    monkeypatch.setattr(module, "read_scan", read_scan)
    monkeypatch.setattr(module, "read_mask", lambda sample, root: None)
    write(samples, tmp_path / "cache")
    assert np.load(tmp_path / "cache" / "images.npy").any(axis=(1, 2, 3)).all()
    assert [path.name for path in tmp_path.iterdir()] == ["cache"], "nothing is left half made"
