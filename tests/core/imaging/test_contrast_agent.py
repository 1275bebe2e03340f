"""Whether a contrast agent was given is told alike before and after de-identification."""

from __future__ import annotations

import pytest

from core.imaging import Privacy, Pseudonyms, open_image, without_identity
from tests import dicoms

PRIVACY = Privacy(Pseudonyms(b"a key of the tests alone"))


@pytest.mark.parametrize(
    ("agent", "sequence"),
    [
        *[
            (word, "T1")
            for word in ("", "0", "N", "n/a", "NA", "No", "NONE", "not given", "NULL", "ohne",
                         "sans", "UNENHANCED", "Without")
        ],
        ("Gd-DOTA", "T1 with contrast"),
        ("GADOVIST 7.5 ml", "T1 with contrast"),
        ("yes", "T1 with contrast"),
    ],
)  # fmt: skip
def test_the_words_of_scanners_mean_the_same_before_and_after(agent: str, sequence: str) -> None:
    data = dicoms.to_bytes(dicoms.mr_dataset(ContrastBolusAgent=agent))
    for read in (data, without_identity(data, PRIVACY)):
        facts = open_image(read).series
        assert facts is not None and facts.sequence == sequence
