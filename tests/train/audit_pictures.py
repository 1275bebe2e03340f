"""Drawn heads for the tests of the audit: as different from one another as patients are."""

import cv2
import numpy as np


def head(seed, height=180, width=150):
    """A gray head, uint8 (height, width): bright rim, folds inside, all of them the seed's own."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    v, u = (y / height - 0.5) / 0.42, (x / width - 0.5) / 0.40
    bumps = 1 + 0.05 * np.sin(3 * np.arctan2(v, u) + rng.uniform(0, 6))
    radius = np.hypot(u, v) / bumps
    folds = sum(
        share
        * cv2.resize(
            rng.normal(size=(n, n)).astype(np.float32),
            (width, height),
            interpolation=cv2.INTER_CUBIC,
        )
        for n, share in ((5, 18), (10, 16), (22, 12))
    )
    picture = np.where(radius < 1, 105 + folds, 3)
    picture = np.where((radius > 0.9) & (radius < 1), 205, picture)
    return np.clip(picture, 0, 255).astype(np.uint8)


def turned(picture, degrees):
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(picture, matrix, (width, height))


def padded(picture, border=40):
    return np.pad(picture, border)


def cut(picture, share):
    """A share of the picture cut off at the left and at the top; both run through the head."""
    height, width = picture.shape
    return picture[int(share * height) :, int(share * width) :]


def gamma(picture, exponent):
    return np.rint(255 * (picture / 255.0) ** exponent).astype(np.uint8)


def sharpened(picture, strength=1.5):
    values = picture.astype(np.float32)
    values += strength * (values - cv2.GaussianBlur(values, (0, 0), 1.5))
    return np.clip(values, 0, 255).astype(np.uint8)


def resized(picture, x, y):
    return cv2.resize(picture, None, fx=x, fy=y, interpolation=cv2.INTER_AREA)


def save(path, picture, quality=92):
    path.parent.mkdir(parents=True, exist_ok=True)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix == ".jpg" else []
    ok, data = cv2.imencode(path.suffix, np.ascontiguousarray(picture), options)
    assert ok
    path.write_bytes(data.tobytes())
