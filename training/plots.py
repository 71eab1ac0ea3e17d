"""Every picture of the report and of a training run, under one name: nouns go in, a matplotlib figure comes out."""

from __future__ import annotations

from training.plots_explanation import quadrant_plot, shap_summary
from training.plots_performance import (
    calibration_by_decile,
    captured_money_by_decile,
    lift_by_decile,
    roc_and_ks,
)
from training.plots_waterfall import waterfall

__all__ = [
    "calibration_by_decile",
    "captured_money_by_decile",
    "lift_by_decile",
    "quadrant_plot",
    "roc_and_ks",
    "shap_summary",
    "waterfall",
]
