"""Words that attributes of coded strings may keep: the standard's own, which name nobody.

A name fits into a coded string as well as ``HEAD_FIRST`` does; so what is none of these goes.
Taken from the modules of MR and Enhanced MR images in PS3.3 (C.7, C.8.3, C.8.13).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from core.imaging.dicom.body_parts import body_part_words


def _terms(text: str) -> frozenset[str]:
    return frozenset(text.split())


# PS3.3 C.7.3.1.1.1. A modality of its own rule, so that what is no MR can be refused by its name.
MODALITIES = _terms(
    """
    ANN AR ASMT AU BDUS BI BMD CFM CR CT CTPROTOCOL DMS DG DOC DX ECG EEG EMG EOG EPS ES FID GM
    HC HD IO IOL IVOCT IVUS KER KO LEN LS MG MR M3D NM OAM OCT OP OPM OPT OPTBSV OPTENF OPV OSS
    OT PA PLAN POS PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTINTENT RTPLAN RTRAD RTRECORD
    RTSEGANN RTSTRUCT RWV SEG SM SMR SR SRF STAIN TEXTUREMAP TG US VA XA XAPROTOCOL XC
    """
)

# Enumerated values and defined terms of everything else.
_WORDS = _terms(
    """
    YES NO Y N NONE UNKNOWN OTHER MIXED ORIGINAL DERIVED PRIMARY SECONDARY AXIAL CORONAL
    SAGITTAL OBLIQUE LOCALIZER PROJECTION VOLUME SAMPLED DISTORTED CORRECTED PROJECTION_IMAGE
    MPR MIP MAX_IP MIN_IP MEAN CSA CSAPARALLEL FILTERED MEDIAN REFORMATTED REALIGN MAGNITUDE
    PHASE REAL IMAGINARY COMPLEX M P R I M_SE M_IR M_FFE M_SPGR R_SE I_SE P_SE R_IR I_IR P_IR
    M_B0 M_B1 M_PCA P_PCA SE IR FFE B0 B1 PCA T1MAP T2MAP NORM DIS2D DIS3D ND MFSPLIT FM ADC ADD
    ANISO FA TRACEW TRACE EADC DIFFUSION PERFUSION SWI SW FSW MNIP TENSOR COLFA T1 T2 T2_STAR
    T2STAR PROTON_DENSITY PD FLAIR FLOW_ENCODED FLUID_ATTENUATED STIR TAGGING TEMPERATURE CASL
    PASL PCASL ASL TOF ISOTROPIC DIRECTIONAL BOLD SPECTROSCOPY SUBTRACTION SUBTRACT ADDITION
    DIVISION MULTIPLICATION NONPARALLEL T1_MAP T2_MAP T2_STAR_MAP PROTON_DENSITY_MAP
    DIFFUSION_ANISO RESAMPLED RCBF RCBV MTT TTP RELCBF RELCBV RELMTT ISODIFFUSION WATER FAT
    IN_PHASE OUT_PHASE IN_OPP_PHASE OUT_OF_PHASE SCREEN SAVE IMAGE REFERENCE WHOLE_BODY ANGIO
    ANGIO_TIME CINE CARDIAC FOUR_CHAMBER MULTIECHO DIXON DYNAMIC FUNCTIONAL METABOLITE_MAP REST
    STRESS T1_WEIGHTED T2_WEIGHTED FREE_BREATHING MAXIMUM MINIMUM COLOR MONOCHROME COMPOSED
    MOSAIC EP GR RM SE_EP GR_EP SK MTC SS TRSS SP MP OSP PER RG CG PPG FC PFF PFP FS CT FPF FPP
    SFS SAT SAT1 SAT2 IR_PREP DB DIXON_TECHNIQUE 2D 3D 2D_EPI ALONG ACROSS LINEAR CENTRIC
    REVERSE_LINEAR REVERSE_CENTRIC SEGMENTED SPIRAL RADIAL RECTILINEAR TRANSVERSE SINGLE
    SINGLE_ECHO MULTIPLE PARTIAL_SPOILED SPOILED REFOCUSED UNSPOILED RF GRADIENT RF_AND_GRADIENT
    GRADIENT_AND_RF FREE_PRECESSION TRANSVERSE_STEADY_STATE LONGITUDINAL BALANCED STEADY_STATE
    SPECTRAL SPATIAL SPECTRAL_SPATIAL SLAB ON_RESONANCE OFF_RESONANCE FLUID FAT_AND_WATER
    SPIN SPIN_ECHO GRADIENT_ECHO BOTH ACTIVE PASSIVE IMPLICIT BREATH_HOLD REALTIME GATING TRACKING
    REORDERING RETROSPECTIVE PROSPECTIVE TRIGGERED HALF_FOURIER VIEW_SHARING PILS SENSE SMASH
    GRAPPA SLICE COMBINATION FREQUENCY BODY VOLUME_COIL SURFACE MULTICOIL HEAD EXTREMITY ARRAY
    QUADRATURE STANDARD SUPINE PRONE RECUMBENT DECUBITUS HFP HFS HFDR HFDL FFDR FFDL FFP FFS LFP
    LFS RFP RFS AFDR AFDL PFDR PFDL L A H F LP RP LA RA LH RH LF PH PF AH AF U B ROW COL COLUMN
    IEC SCANNER SCAN FAST_FIELD_ECHO ELLIPTIC CARDIAC_RESPIRATORY RESPIRATORY EXPIRATION
    MONOCHROME1 MONOCHROME2 PALETTE RGB YBR_FULL YBR_FULL_422 YBR_PARTIAL_420 YBR_PARTIAL_422
    YBR_ICT YBR_RCT CMYK HSV ARGB ISO_2436_1 ISO_10918_1 ISO_14495_1 ISO_15444_1 ISO_15444_15
    ISO_13818_2 ISO_14496_10 LOSSLESS LOSSY LINEAR_EXACT SIGMOID IDENTITY INVERSE DV DI SD WSD
    DF SI DRW SYN QUAL QUANTITATIVE FIRST_ORDER SECOND_ORDER REMOVED MODIFIED UNMODIFIED
    ASCENDING DESCENDING RR NORMAL HIGH LOW FIRST_LEVEL SECOND_LEVEL IEC_NORMAL IEC_FIRST_LEVEL
    IEC_SECOND_LEVEL DB_DT BRAIN_HEART STIMULATION 1_NORMAL 00 BILINEAR BICUBIC NEAREST
    REPLICATE CUBIC HARD SOFT IMAGE_POSITION ACQUISITION DISPLAY BODY_PART CBF CBV
    """
)
_DIRECTIONS = re.compile(r"[LRAPHF]{1,3}")
# Image types that scanners number, such as TE2, B1000 or ECHO3: too short to name anybody.
_NUMBERED = re.compile(r"(TE|TI|TR|B|ECHO|PHASE|COIL|SAT|T)[0-9]{1,4}")
_LONGEST_TERM = 16
# Stands for a body part in words of one's own, so that a reader is told that there was one.
_OTHER_PART = "OTHER"

MODALITY, BODY_PART, IMAGE_TYPE, FRAME_TYPE = 0x00080060, 0x00180015, 0x00080008, 0x00089007


def kept_terms(tag: int, values: list[str], stand_in: Callable[[str], str]) -> list[str]:
    """Those of an attribute's coded strings that may stay, in their order.

    Args:
        tag: the attribute.
        values: its values.
        stand_in: what to write instead of a strange word in image and frame types, whose words mean
            something by their position and tell the parts of a series apart. Of other attributes
            strange words go; of body parts the known words are kept, or OTHER where there is none.
    """
    values = [value.upper() for value in values]
    if tag == MODALITY:
        return [value for value in values if value in MODALITIES]
    if tag == BODY_PART:
        return _body_part(values)
    if tag in (IMAGE_TYPE, FRAME_TYPE):
        return [value if not value or _is_word(value) else stand_in(value) for value in values]
    return [value for value in values if _is_word(value)]


def _body_part(values: list[str]) -> list[str]:
    text = " ".join(values).strip()
    words = body_part_words(text)
    while len(" ".join(words)) > _LONGEST_TERM:
        words.pop()
    words = body_part_words(" ".join(words))  # in their new order they may be one term
    if text and not words:
        return [_OTHER_PART]
    return [" ".join(words)] if words else []


def _is_word(value: str) -> bool:
    if value in _WORDS or _DIRECTIONS.fullmatch(value) or _NUMBERED.fullmatch(value):
        return True
    # Words of several words, such as PALETTE COLOR.
    parts = value.replace("_", " ").split()
    return len(parts) > 1 and all(part in _WORDS for part in parts)
