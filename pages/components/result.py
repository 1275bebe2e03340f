"""One scan's result: pictures on the left, figures on the right."""

from dataclasses import dataclass

import streamlit as st

from core.services import words
from core.services.analyse import Failure, ModelFacts
from core.services.pictures import MaskStyle, Preview, overlay_heat_map, overlay_mask
from pages.components.probability_chart import probability_chart


@dataclass(frozen=True)
class DisplayChoice:
    """How the reader wants the overlays; opacities in percent."""

    mask_style: MaskStyle
    mask_opacity: int
    heat_map_opacity: int


def show_failure(failure: Failure) -> None:
    with st.container(border=True):
        st.subheader(failure.name, anchor=False)
        st.error(failure.error, icon=":material/error:")


def show_result(number: int, result: Preview, facts: ModelFacts, choice: DisplayChoice) -> None:
    analysis = result.analysis
    with st.container(border=True):
        st.subheader(result.name, anchor=False)
        warning = words.distribution_warning(analysis)
        if warning:
            st.warning(warning, icon=":material/warning:")
        mask, heat_map, figures = st.columns([3, 3, 4], gap="medium")
        with mask:
            st.image(
                overlay_mask(
                    result.picture, analysis.mask, choice.mask_style, choice.mask_opacity / 100
                ),
                width="stretch",
                alt=f"{result.name} with the mask",
            )
            st.caption(words.mask_meaning(analysis))
        with heat_map:
            st.image(
                overlay_heat_map(result.picture, analysis.heat_map, choice.heat_map_opacity / 100),
                width="stretch",
                alt=f"{result.name} with the heat map",
            )
            st.caption(words.heat_map_meaning(analysis.heat_map_class))
        with figures:
            st.markdown(f"#### {words.headline(analysis)}")
            st.plotly_chart(
                probability_chart(analysis, facts.decision_threshold),
                key=f"probabilities-{number}",
                config={"displayModeBar": False},
                alt=words.explanation(analysis, facts.decision_threshold),
            )
            st.caption(words.explanation(analysis, facts.decision_threshold))
            st.caption(
                f"Model {analysis.model_version} · {result.size[1]} × {result.size[0]} pixels"
            )
