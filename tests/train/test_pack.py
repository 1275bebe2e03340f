"""The cache of prepared scans."""

import shutil

import cv2
import numpy as np
import pytest

from core.errors import DataError
from train.data.pack import load_pack


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
