"""The coded terms of the DICOM report (SR).

Standard codes where one fits; for the rest the project's own scheme, ``99NEUROTRIAGE``:

=================  ===========  =========================================================
code               value        meaning
=================  ===========  =========================================================
PROB_GLIOMA        number, %    Calibrated probability of glioma in the deciding slice
PROB_MENINGIOMA    number, %    Calibrated probability of meningioma in the deciding slice
PROB_PITUITARY     number, %    Calibrated probability of pituitary tumour, likewise
PROB_NONE          number, %    Calibrated probability of none of the three, likewise
PROB_TUMOUR        number, %    Their sum over the three tumours: 100 % less PROB_NONE
THRESHOLD          number, %    PROB_TUMOUR from which a tumour is suspected
SLICES             number       Slices of the series
SLICES_ANALYSED    number       Slices that the model has looked at
SLICES_MASKED      number       Slices in which a region is outlined
CLASS              code         The most probable class in the deciding slice
SUSPECTED          code         Whether PROB_TUMOUR reaches THRESHOLD: SCT Yes or No
LIKENESS           code         Whether the deciding slice is like those of the training
NONE_OF_THREE      (a value)    Of CLASS: none of glioma, meningioma and pituitary tumour.
                                It does not mean a scan without disease
LIKE, UNLIKE       (a value)    Of LIKENESS; UNLIKE: do not rely on the other values
=================  ===========  =========================================================

The deciding slice is the one that the group's image reference (Source of Measurement) names.
"""

from __future__ import annotations

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.coding import Code

from core.types import TumourClass

SCHEME = "99NEUROTRIAGE"
PRIVATE_SCHEME = CodingSchemeIdentificationItem(
    designator=SCHEME,
    name="NeuroTriage: results of the triage of brain MRI",
    responsible_organization="NeuroTriage",
)

# SNOMED CT. The training's class is any tumour of the pituitary gland, hence no adenoma.
CLASSES = {
    TumourClass.GLIOMA: Code("393564001", "SCT", "Glioma"),
    TumourClass.MENINGIOMA: Code("302820008", "SCT", "Intracranial meningioma"),
    TumourClass.PITUITARY: Code("127024001", "SCT", "Neoplasm of pituitary gland"),
    TumourClass.NO_TUMOR: Code(
        "NONE_OF_THREE", SCHEME, "None of glioma, meningioma, pituitary tumour suspected"
    ),
}
PROBABILITIES = {
    TumourClass.GLIOMA: Code("PROB_GLIOMA", SCHEME, "Probability of glioma"),
    TumourClass.MENINGIOMA: Code("PROB_MENINGIOMA", SCHEME, "Probability of meningioma"),
    TumourClass.PITUITARY: Code("PROB_PITUITARY", SCHEME, "Probability of pituitary tumour"),
    TumourClass.NO_TUMOR: Code("PROB_NONE", SCHEME, "Probability of none of the three"),
}
TUMOUR_PROBABILITY = Code("PROB_TUMOUR", SCHEME, "Probability of any of the three tumours")
THRESHOLD = Code("THRESHOLD", SCHEME, "Decision threshold of the tumour probability")
SLICES = Code("SLICES", SCHEME, "Slices of the series")
SLICES_ANALYSED = Code("SLICES_ANALYSED", SCHEME, "Slices analysed")
SLICES_MASKED = Code("SLICES_MASKED", SCHEME, "Slices with an outlined region")
CLASS = Code("CLASS", SCHEME, "Most probable class")
SUSPECTED = Code("SUSPECTED", SCHEME, "Tumour suspected")
LIKENESS = Code("LIKENESS", SCHEME, "Likeness to the scans of the training")
LIKE = Code("LIKE", SCHEME, "Like the scans of the training")
UNLIKE = Code("UNLIKE", SCHEME, "Unlike the scans of the training: do not rely on the results")
COMMENT = Code("121106", "DCM", "Comment")
