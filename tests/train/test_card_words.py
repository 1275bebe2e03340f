"""What the model card says in words: failures, and how the weights came about."""

import pytest

pytest.importorskip("sklearn")

from train.card_words import failures, history


def measured():
    """What the sentences on failure read, with figures made up."""
    return {
        "counts": {
            "four_class_distinct_scans": {
                "glioma": 20, "meningioma": 10, "no_tumor": 8, "pituitary": 10,
            },
            "lgg_slices": 30, "lgg_lesion_slices": 10,
        },
        "four_class": {
            "confusion_matrix": {
                "rows_true_columns_predicted": [
                    [15, 2, 3, 0], [0, 9, 0, 1], [1, 0, 7, 0], [0, 0, 2, 8],
                ],
            },
            "per_patient": [
                {"class": "glioma", "called": {"meningioma": 1, "no_tumor": 2}},
                {"class": "glioma", "called": {"no_tumor": 1}},
                {"class": "glioma", "called": {}},
                {"class": "pituitary", "called": {"no_tumor": 2}},
            ],
            "tumour_sensitivity": {"value": 0.9}, "tumour_specificity": {"value": 0.75},
        },
        "lgg": {
            "composite": {"sensitivity": {"value": 0.8}, "specificity": {"value": 0.95}},
            "flair": {"sensitivity": {"value": None}, "specificity": {"value": 1.0}},
        },
        "segmentation": {
            "figshare": {
                "slices": 40, "missed_share": {"value": 0.1}, "dice": {"value": 0.6},
                "dice_glioma": {"value": 0.5}, "dice_pituitary": {"value": 0.7},
            },
            "lgg_composites": {
                "lesion_slices": 10, "lesion_free_slices": 20,
                "slice_missed_share": {"value": 0.2}, "lesion_free_masked_share": {"value": 0.05},
            },
        },
        "trust": {
            "robustness": {
                name: {"balanced_accuracy": {"value": value}, "agreement": value, "rejected": 0.02}
                for name, value in {
                    "unchanged": 0.95, "mirrored": 0.95, "rotated by 90 degrees": 0.9,
                    "blurred": 0.5, "noise": 0.6, "JPEG": 0.7, "cropped": 0.8,
                }.items()
            },
            "out_of_distribution": {
                "pictures": {"blank": 4, "tiles shuffled": 50, "noise": 6},
                "application": {
                    "rejected": {"all": 0.6, "blank": 1.0, "tiles shuffled": 0.5, "noise": 0.5},
                },
            },
        },
    }  # fmt: skip


def test_the_failures_are_counted():
    text = " ".join(failures(measured()).split())
    for said in (
        "no_tumor: 2 of 10 pituitary (2 slices of 1 patient), 3 of 20 glioma (3 slices of 2 "
        "patients), 0 of 10 meningioma scans.",
        "kind: 2 of 20 glioma called meningioma (1 slice of 1 patient, 1 of no known patient),"
        " 1 of 10 meningioma called pituitary (1 of no known patient).",
        "called a tumour: 1 of 8.",
        "4 of 40 tumours are not suspected, and 2 of 8 tumour-free scans are.",
        "as composites: 2 of 10 with a lesion are not suspected, and 1 of 20 without one are.",
        "flair alone: 0 of 10",
        "4 of 40 figshare lesions get no mask that overlaps; the mean Dice is lowest for glioma,",
        "2 of 10 LGG lesion slices are missed, and 1 of 20 slices without a lesion get a mask.",
        "“blurred”: the balanced accuracy falls from 0.950 to 0.500; 50.0% of the answers change",
        "“rotated by 90 degrees”: the balanced accuracy falls from 0.950 to 0.900",
        "without a warning: 25 of 50 “tiles shuffled”, 3 of 6 “noise”.",
    ):
        assert said in text
    assert "cropped" not in text
    assert "tumour-free scans get one" not in text


CLASSIFIER, EXPORT = (
    "python -m train classifier --run runs/c",
    "python -m train export --classifier runs/c",
)


SEGMENTER = "python -m train segmenter --run runs/segmenter"


@pytest.mark.parametrize(
    ("commands", "said", "unsaid"),
    [
        (
            [f"{CLASSIFIER} --init augnet --stages 8x128", SEGMENTER, EXPORT],
            ["ResNet50 began from AugNet's weights", "from the labels alone",
             "The ResUNet began from random weights"],
            ["distillation", "earlier training"],
        ),
        (
            ["python -m train classifier --run runs/t --arch efficientnet_lite0 --init imagenet",
             f"{CLASSIFIER} --init runs/first/weights.safetensors --teacher runs/t/",
             f"{SEGMENTER} --init=weights/segmenter.safetensors", EXPORT],
            ["ResNet50 began from those of an earlier training (`runs/first/weights.safetensors`)",
             "by distillation, from the answers of a teacher (efficientnet_lite0)",
             "ResUNet began from those of an earlier training (`weights/segmenter.safetensors`)"],
            ["AugNet", "labels alone"],
        ),
        # The teacher's beginning is not the classifier's; a default is told as what it is.
        (
            ["python -m train classifier --run runs/t --init augnet",
             f"{CLASSIFIER} --teacher runs/t", SEGMENTER, EXPORT],
            ["ResNet50 began from torchvision's ImageNet weights", "a teacher (resnet50)"],
            ["AugNet"],
        ),
        (
            [f"{CLASSIFIER} --init augnet", "python -m train classifier --run runs/d --init old.pt",
             SEGMENTER, f"{SEGMENTER}2 --init runs/segmenter/weights.safetensors",
             "python -m train export --classifier runs/d --segmenter runs/segmenter2"],
            ["ResNet50 went on from what its earlier training had come to (`old.pt`), and that "
             "began from AugNet's weights",
             "ResUNet went on from what its earlier training had come to "
             "(`runs/segmenter/weights.safetensors`), and that began from random weights"],
            ["distillation"],
        ),
        # The classifier was kept when another segmenter was exported beside it.
        (
            [f"{CLASSIFIER} --init augnet",
             "python -m train average runs/c old --out runs/m  # the share taken: 0.5", SEGMENTER,
             "python -m train export --classifier runs/m",
             f"{SEGMENTER}50 --arch resunet50 --init weights/classifier.safetensors",
             "python -m train export --classifier weights --segmenter runs/segmenter50"],
            ["AugNet's weights", "mean of its last training's weights and of earlier ones (share "
             "of the last: 0.5", "The ResUNet began from the classifier's weights in its encoder"],
            ["random weights", "earlier training had come to"],
        ),
        (
            [SEGMENTER, f"{SEGMENTER}50 --arch resunet50 --init weights/classifier.safetensors",
             f"{SEGMENTER}51 --arch resunet50 --init weights/segmenter.safetensors",
             "python -m train export --segmenter runs/segmenter51"],
            ["earlier training had come to (`weights/segmenter.safetensors`), and that began from "
             "the classifier's weights in its encoder"],
            [],
        ),
        (
            [CLASSIFIER, f"{SEGMENTER} --arch resunet50 --init runs/c/weights.safetensors", EXPORT],
            ["The ResUNet began from the classifier's weights in its encoder"],
            [],
        ),
        (["something else"], [], ["AugNet", "distillation"]),
    ],
)  # fmt: skip
def test_the_story_of_the_weights_follows_from_their_commands(commands, said, unsaid):
    text = " ".join(history(commands).split())
    assert all(one in text for one in said), text
    assert not any(one in text for one in unsaid), text
