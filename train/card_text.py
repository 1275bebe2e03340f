"""The fixed text of the model card, with fields for what is measured."""

# ruff: noqa: E501 - the text is Markdown, with fields longer than what stands for them.

TEXT = """\
# Model card

**Research and demonstration use; not a medical device.** The model orders and explains scans. It does
not find or rule out disease, and "none of the three suspected" does not mean normal.

Version `{version}`, preprocessing {preprocessing}. Made by:

{commands}

## Intended use

Research, teaching and demonstration: to put the brain MRI of a worklist in an order, to show why, and to
study where such a model fails. A reader looks at every scan, whatever the model says. It is not for
diagnosis, not for ruling disease out, not for bodies, sequences or diseases that it has not learnt, and not
for children.

## What it is

A ResNet50 with four outputs ({classes}), seen at {classifier_side} px on a picture{mirrored}; and a
ResUNet that draws the tumour mask at {segmenter_side} px. Class probabilities are scaled by the
temperature {temperature:.2f}; a tumour is suspected from a tumour probability of {decision:.3f}
({fitted_on}). The mask outlines what the training masks did: enhancing tumour on T1 with contrast for
gray scans (figshare), signal abnormality on FLAIR for composites (LGG).

## Data

{data}. Split: {split}. Test: {scans} distinct four-class scans ({per_class}) and {lgg_slices} slices
of {lgg_patients} LGG patients. No patient of LGG or figshare among them was seen in training, and no
copy of any scan. Of {nobodys} of the distinct scans, the tumour-free ones among them, nobody knows the patient:
a neighbouring slice of the same head may have been in the training.

## Figures on `test`

One vote per distinct scan; 95 % intervals in brackets, by resampling patients (figshare's as told by
eye; groups of copies where none is known), and exact ones, with a patient as one trial, where a
proportion of scans is 0 or 1. An AUC or a balanced accuracy of 1.000 keeps the resampled interval,
which is too narrow there. `python -m train evaluate` makes them.

| four classes (LGG apart) | |
|---|---|
{four_class}

{temperature_on_test}

On `val` the balanced accuracy is {val_accuracy}.{harder} What is served was fitted and chosen on `val`: training
steps, temperature, thresholds. Three rules of that fit were set after figures of earlier weights on
`test` had been seen: the threshold of suspicion is 0.5 at most, and for the temperature and the
prediction sets each patient weighs the same (`train/RESULTS.md` has the figures before). Either figure
alone says too little; a new hospital's scans may be harder than both.{by_construction}

| class | precision | recall | specificity | F1 | recall, mean over known patients | scans |
|---|---|---|---|---|---|---|
{per_class_rows}

| true \\ predicted | {classes_columns} |
|---|{dashes}|
{confusion}

| masks | |
|---|---|
{masks}

| LGG slices, lesion or not | AUC | sensitivity | specificity | calibration error | mirror agreement |
|---|---|---|---|---|---|
{lgg}

The calibration error is that of the tumour probability. {composites}

## How it fails

Counted on `test`, the worst first within each kind (`python -m train evaluate --pictures FOLDER` shows the
scans to whoever has them):

{failures}

## How far the figures can be trusted

**Prediction sets** (class-conditional conformal sets, fitted on `val`, each patient of a class weighing
the same, counted on `test`): the share of scans whose set holds the true class. What is promised is that
share for the scans of a new patient, so it is the mean over patients (groups of copies where none is
known) that has to reach it; counted by slice, patients with many slices decide. An empty set rules every
class out. A class with too few patients in `val` for the stated share is in every set.

| promised | found, mean over patients | lowest class | found by slice | lowest class | empty sets | mean classes a set | in every set |
|---|---|---|---|---|---|---|---|
{sets}

**Changed pictures**: the same scans as other viewers, exporters and scanners would have given them.

| change | balanced accuracy | same answer as unchanged | tumour sensitivity | specificity | rejected |
|---|---|---|---|---|---|
{robustness}

**Pictures that are no brain MRI** ({strangers} of them, damaged scans included), each score at a limit
that accepts {accepted} of `val`. "Served" is the one the application uses; at the application's own
limit it rejects {application_strangers} of them and {application_good} of the good scans.

| score | AUROC | good scans rejected | strangers rejected | rejected least |
|---|---|---|---|---|
{ood}

These figures are optimistic. The served score was picked, for earlier weights, among variants that were
compared on these same pictures, and some of the strangers it was fitted with are akin to those it is tested on: other
photographs from the same packages, and drawn or damaged pictures of related kinds.

**The modality shortcut**: in the public sets tumours were nearly all taken as T1 with contrast, the
tumour-free scans mostly not. A probe that sees only how brightness is spread within the head, not
where anything lies, reaches a balanced accuracy of {bright_accuracy} and a tumour AUC of
{bright_auc}, where chance is 0.25 and 0.5: so much of the class do brightness and contrast give
away. The sequence is in that, but also scanner and export, and a bright tumour's own pixels; a better
probe might find more. So the figures on tumour-free scans above are no proof that tumours are seen. What
the sequence cannot have helped with:

- LGG's channels alone, each one known sequence, lesion slices against lesion-free ones of the same
  patients. The last column is a probe of brightness within that sequence, on every third slice:
  brightness also goes with how high in the head a slice lies, and the lesions lie at some heights
  more than at others. Only what the first column has beyond the last needs a lesion to be seen.

| sequence | AUC | sensitivity | specificity | AUC by brightness alone |
|---|---|---|---|---|
{one_sequence}
{figshare_tumours}
{sources}{folds}
## How the weights came about

{history}

The commands above are the last ones; `train/RESULTS.md` has the whole story, and what each step gave.

## Limits

{sizes}
{specificity}
- Tumours and tumour-free scans of the public sets were mostly made with different sequences, and the
  classifier may use that: see the modality shortcut above.
- The public sets come from few hospitals and scanners. Elsewhere the figures will be lower.
- figshare gives no patient numbers in the copy used; its patients were told apart by eye in three planes
  (`train/splits/figshare_patients.csv`), with patients left out around each cut. A patient who came back
  later in another place would not have been noticed.
- Children, operated brains, metastases, other tumours and other diseases are not in the classes.
- LGG channels alone in gray: the mask was trained on FLAIR alone and on composites, not on T1 alone.
- The prediction sets' guarantee supposes patients like those of `val`, of whom there are few; another hospital's
  are not among them.

## Licence

{licence}.

What the licences of the training data ask for, and forbid:

| data | licence | what follows |
|---|---|---|
| TCGA-LGG (Buda 2019) | CC BY-NC-SA 4.0 | no commercial use; name the source; what is made from it goes on under the same licence |
| figshare (Cheng 2017) | CC BY 4.0 | name the source and say what was changed |
| sartaj (Bhuvaji 2020) | MIT or open, as its pages state | keep the notice; most of it is figshare's, whose terms go along |
| nickparvar | CC0 | nothing by itself; its tumours are figshare's, whose terms go along |
| Br35H | open, as its page states | no terms are given there |

The strictest of them binds the weights: **no commercial use, and what is made from the weights is
shared under the same terms**. The weights are not under the licence of the source code.
"""

SOURCES = """
**Sources**: how well a source is told that the training never saw (`python -m train sources`). The
networks are a small {arch} on a short schedule ({stages} px, {epoch_size} draws an epoch), not the
ones served; the difference counts, not the level. Answers by the most probable class; a source's
scans are its own, without those that it has from an earlier one.

{table}
"""

FOLDS = """
**Other cuts of the same patients** (`python -m train folds`): one split is luck. The same recipe trained
anew in folds of patients, each fold tested once by a network that saw none of it. These networks are not
the ones served: their schedule is the one named, their answers are the most probable class or a mask cut
at 0.5, and nothing was fitted. What counts is how far the folds lie apart.
"""
