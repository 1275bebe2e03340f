"""What the viewer is given of a scan: pixels, windows, mask and heat maps."""

import io

import numpy as np
from PIL import Image

from core.services.review import look_again
from core.services.review_layers import scan_layers
from core.types import TumourClass
from tests.core.services.read_cases import GLIOMA, case_of
from tests.fakes import scan_png


def png(array):
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    return out.getvalue()


def layers_of(installation, reader, data):
    case = case_of(installation, reader, data)
    return scan_layers(installation, look_again(installation, reader, case).scans[0].id)


def test_sixteen_bits_stay_sixteen_for_the_viewer(installation, ada):
    values = (np.add.outer(np.arange(64), np.arange(50)) * 500).astype(np.uint16)
    layers = layers_of(installation, ada, png(values))
    assert layers.pixels.dtype == np.uint16
    assert (layers.offset, layers.scale, layers.bits) == (0, 1, 16)
    np.testing.assert_array_equal(layers.pixels, values)
    assert layers.value_range == (0, values.max())
    start, whole, *_ = layers.windows["all"]
    assert (whole.low, whole.high) == (0, values.max())
    assert 0 < start.low < start.high < values.max()


def test_a_large_scan_is_sent_smaller_with_its_mask_and_all_heat_maps(installation, ada):
    layers = layers_of(installation, ada, scan_png(1600, 1200))
    assert layers.pixels.shape == layers.mask.shape == (1024, 768)
    assert layers.pixels.dtype == np.uint8
    assert layers.source_size == (1600, 1200)
    assert set(np.unique(layers.mask)) == {0, 255}
    assert set(layers.heat_maps) == set(TumourClass)
    assert max(layers.heat_maps[GLIOMA].shape) <= 384
    assert layers.heat_maps[GLIOMA].max() > 200


def test_a_composite_brings_three_channels_and_windows_for_each(installation, ada):
    colour = np.zeros((60, 50, 3), np.uint8)
    colour[10:50, 10:40] = (200, 90, 30)
    colour[20:30, 15:25] = (40, 220, 120)
    layers = layers_of(installation, ada, png(colour))
    np.testing.assert_array_equal(layers.pixels, colour)
    assert set(layers.windows) == {"all", "0", "1", "2"}
    assert layers.windows["2"][1].high == 120


def test_a_scan_that_waits_is_there_without_overlays(installation, ada):
    case = case_of(installation, ada, score=False)
    layers = scan_layers(installation, look_again(installation, ada, case).scans[0].id)
    assert layers.pixels.shape == (120, 100)
    assert layers.mask is None
    assert layers.heat_maps == {}
