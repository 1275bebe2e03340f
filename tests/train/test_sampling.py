"""Draws: classes in their shares, scans and not copies, nothing from val or test."""

from collections import Counter

import numpy as np
import pytest

from core.types import CLASSES
from train.data.pack import Pack
from train.data.sampling import CLASS_SHARES, COMPOSITE_SHARE, LGG_SHARE, Draws
from train.data.splits import Sample

SIDE = 8


def pack(samples, channels, masked=()):
    count = len(samples)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, SIDE, SIDE, channels), dtype=np.uint8)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    has_mask = np.array([s.dataset in masked for s in samples])
    masks[has_mask, 2:5, 2:5] = 255
    return Pack(tuple(samples), images, masks, has_mask)


@pytest.fixture
def draws():
    four_class, lgg = [], []
    for split in ("train", "val", "test", "guard"):
        for label in CLASSES:
            for i in range(6):
                dataset = "br35h" if label == "no_tumor" else "figshare"
                group = f"{split}-{label}-{i}"
                # One scan of each class has twenty copies, which must not count twenty times.
                for copy in range(20 if i == 0 else 1):
                    name = f"{group}-{copy}"
                    four_class.append(Sample(dataset, name, label, split, group, group))
        if split != "guard":
            for i in range(10):
                label = "glioma" if i % 2 else "no_tumor"
                lgg.append(Sample("lgg", f"{split}-{i}", label, split, f"{split}-{i}", split))
    return Draws(pack(four_class, 1, {"figshare"}), pack(lgg, 3, {"lgg"}))


def sample_of(draws, draw):
    source = draws.four_class if draw.source == "four_class" else draws.lgg
    return source.samples[draw.position]


@pytest.mark.parametrize("kind", ["for_classifier", "for_segmenter"])
def test_only_training_scans_are_drawn(draws, kind):
    chosen = getattr(draws, kind)(2000, np.random.default_rng(1))
    assert {sample_of(draws, one).split for one in chosen} == {"train"}


def test_classes_come_in_their_shares_with_their_own_label(draws):
    chosen = draws.for_classifier(8000, np.random.default_rng(1))
    counts = Counter(one.label for one in chosen)
    for number, name in enumerate(CLASSES):
        assert counts[number] / 8000 == pytest.approx(CLASS_SHARES[name], abs=0.02)
    assert all(CLASSES[one.label] == sample_of(draws, one).label for one in chosen)


def test_a_scan_with_many_copies_is_drawn_like_any_other(draws):
    chosen = draws.for_classifier(8000, np.random.default_rng(2))
    groups = Counter(
        sample_of(draws, one).group for one in chosen if CLASSES[one.label] == "meningioma"
    )
    total = groups.total()
    assert groups["train-meningioma-0"] / total == pytest.approx(1 / 6, abs=0.04)


def test_the_sequence_says_nothing_of_the_class(draws):
    chosen = draws.for_classifier(20_000, np.random.default_rng(3))
    shares = {}
    for name in ("glioma", "no_tumor"):
        mine = [one for one in chosen if CLASSES[one.label] == name]
        lgg = [one for one in mine if one.source == "lgg"]
        assert len(lgg) / len(mine) == pytest.approx(LGG_SHARE, abs=0.03)
        channels = Counter(one.channel for one in lgg)
        shares[name] = [channels[c] / len(lgg) for c in (-1, 0, 1, 2)]
        assert shares[name][0] == pytest.approx(COMPOSITE_SHARE, abs=0.03)
    assert np.allclose(shares["glioma"], shares["no_tumor"], atol=0.04)
    rest = [one for one in chosen if CLASSES[one.label] in ("meningioma", "pituitary")]
    assert {one.source for one in rest} == {"four_class"}


def test_the_segmenter_draws_masked_and_tumour_free_scans(draws):
    for one in draws.for_segmenter(2000, np.random.default_rng(4)):
        sample = sample_of(draws, one)
        assert sample.dataset in ("figshare", "lgg") or sample.label == "no_tumor"
        assert one.channel in (-1, 1)


def test_the_same_generator_draws_the_same(draws):
    first, second = (draws.for_classifier(50, np.random.default_rng(5)) for _ in range(2))
    assert first == second


def test_batches_hold_every_draw_with_three_channels(draws):
    chosen = draws.for_classifier(70, np.random.default_rng(6))
    batches = list(draws.batches(chosen, 32))
    assert [len(labels) for _, _, labels in batches] == [32, 32, 6]
    assert [int(v) for _, _, labels in batches for v in labels] == [one.label for one in chosen]
    for images, masks, _ in batches:
        assert images.shape[1:] == (3, SIDE, SIDE)
        assert masks.shape[1:] == (1, SIDE, SIDE)
        assert 0 <= images.min() <= images.max() <= 1
        assert set(masks.unique().tolist()) <= {0.0, 1.0}


def test_a_single_channel_is_shown_three_times(draws):
    chosen = [d for d in draws.for_classifier(200, np.random.default_rng(7)) if d.channel >= 0]
    images, _, _ = next(draws.batches(chosen, len(chosen)))
    for image, draw in zip(images, chosen, strict=True):
        expected = draws.lgg.images[draw.position][..., draw.channel] / np.float32(255)
        for channel in image:
            assert np.allclose(channel, expected)
