"""How good the scores are on loans whose outcome is known, and what drives them."""

from __future__ import annotations

import numpy as np

from features.declaration import Group
from features.words import Text
from models.assessment import Assessment
from models.policy import QUADRANTS
from training import report_words as words
from training.markup import Markup, both, element
from training.picture import pictured
from training.plot_style import svg
from training.plot_words import in_words
from training.plots_explanation import (
    MOST_FEATURES,
    MOST_POINTS,
    legend_of_groups,
    quadrant_plot,
    shap_summary,
    summed_up,
)
from training.plots_performance import calibration_by_decile, captured_money_by_decile, lift_by_decile, roc_and_ks
from training.report_layout import caption, drawing, rounded, section, suggested, table
from training.report_summary import TENTH
from training.statistics.deciles import Decile, decile_table
from training.statistics.intervals import CONFIDENCE
from training.statistics.metrics import Bools
from training.statistics.worked import captured_money


def has_both_outcomes(bad: Bools | None) -> bool:
    """Return whether outcomes are known and not all alike: what curves of separation need."""
    return bad is not None and bool(bad.any()) and not bool(bad.all())


def evidence(assessment: Assessment, bad: Bools | None) -> Markup:
    """Return separation, calibration, lift and captured money, or the sentence why they are not shown."""
    if bad is None or not has_both_outcomes(bad):
        return section(words.EVIDENCE, both(words.NO_OUTCOMES if bad is None else words.ALIKE_OUTCOMES, "p"))
    ledger, log_odds = assessment.ledger, assessment.attribution.log_odds
    tenths = decile_table(bad, assessment.probability, ledger.exposure_minor)
    pictures = (
        ("roc", roc_and_ks(bad, log_odds), words.ROC_CAPTION),
        (
            "calibration",
            calibration_by_decile(bad, assessment.probability),
            words.CALIBRATION_CAPTION.filled(confidence=f"{CONFIDENCE:.0%}"),
        ),
        (
            "lift",
            lift_by_decile(bad, log_odds),
            words.LIFT_CAPTION.filled(most=f"{tenths[0].lift:.2f}", least=f"{tenths[-1].lift:.2f}"),
        ),
        (
            "captured",
            captured_money_by_decile(bad, ledger.priority, ledger.exposure_minor, assessment.probability),
            _captured(assessment, bad),
        ),
    )
    return section(
        words.EVIDENCE,
        element("div", [pictured(name, picture, said) for name, picture, said in pictures], class_="pair"),
        element("figure", _tenths_table(tenths, assessment.currency), caption(words.TENTHS_CAPTION)),
    )


def _captured(assessment: Assessment, bad: Bools) -> Text:
    money, tenth = assessment.ledger.exposure_minor, np.array([TENTH])
    rankings = {
        "held": assessment.ledger.priority,
        "by_amount": money.astype(np.float64),
        "by_chance": assessment.probability,
    }
    held = {name: f"{captured_money(bad, ranking, money, tenth)[0]:.0%}" for name, ranking in rankings.items()}
    return words.CAPTURED_CAPTION.filled(**held, tenth=f"{TENTH:.0%}")


def _tenths_table(tenths: list[Decile], currency: str) -> Markup:
    heads = (
        words.TENTH, words.LOANS, words.PREDICTED, words.OBSERVED, words.LIFT, words.FOUND, words.AMOUNT,
        words.MONEY_BAD,
    )  # fmt: skip
    rows = [
        _numbers(
            one.number, f"{one.loans:,}", f"{one.predicted:.1%}", f"{one.observed:.1%}", f"{one.lift:.2f}",
            f"{one.found:.0%}", rounded(one.exposure_minor, ""), rounded(one.bad_minor, ""),
        )
        for one in tenths
    ]  # fmt: skip
    named = tuple(head.filled(currency=currency) for head in heads)
    return table(named, rows, class_="figures", plain=("",) + ("number",) * (len(heads) - 1))


def _numbers(place: int, *figures: str) -> Markup:
    return element("tr", element("td", str(place)), [element("td", figure, class_="number") for figure in figures])


def drivers(assessment: Assessment, bad: Bools | None) -> Markup:
    """Return what moves scores most, and where the borrowers stand in ability and willingness."""
    loans, features = len(assessment), len(assessment.catalog)
    drawn = [words.SHOWN_OF.filled(shown=f"{MOST_POINTS:,}", all=f"{loans:,}")] if loans > MOST_POINTS else []
    few = [words.SHOWN_FEATURES.filled(shown=MOST_FEATURES, all=features)] if features > MOST_FEATURES else []
    ability, willingness = assessment.part(Group.ABILITY), assessment.part(Group.WILLINGNESS)
    legend = element(
        "ul",
        [
            element("li", element("i", style=f"background:{colour}"), both(group.text))
            for group, colour in legend_of_groups().items()
        ],
        class_="legend",
    )
    summary, names = shap_summary(assessment), _names(assessment)
    named = in_words(summary, rows=[feature.label for feature in summed_up(assessment)])
    return section(
        words.DRIVERS,
        element(
            "figure",
            drawing(svg(summary, "shap"), words.SHAP_CAPTION),
            element("div", legend, caption(words.SHAP_CAPTION, *few, *drawn, in_picture=named)),
            class_="beside",
        ),
        element(
            "div",
            pictured(
                "quadrants",
                quadrant_plot(
                    ability,
                    willingness,
                    bad,
                    assessment.policy.quadrants,
                    {quadrant: name.en for quadrant, name in names.items()},
                ),
                words.QUADRANT_CAPTION,
                *drawn,
                names=names.values(),
            ),
            element("figure", _quadrant_table(assessment, bad), caption(words.QUADRANT_TABLE_CAPTION)),
            class_="pair",
        ),
    )  # fmt: skip


def _names(assessment: Assessment) -> dict[str, Text]:
    card = assessment.model.card.name
    return {quadrant: assessment.policy.treatment(card, quadrant).name for quadrant in QUADRANTS}


def _quadrant_table(assessment: Assessment, bad: Bools | None) -> Markup:
    names, money = np.array(assessment.quadrants), assessment.ledger.exposure_minor
    heads = [words.WHERE, words.SHARE_OF_LOANS, words.AMOUNT.filled(currency=assessment.currency)]
    if bad is not None:
        heads.append(words.WENT_BAD_SHARE)
    rows = []
    for quadrant in QUADRANTS:
        members = names == quadrant
        figures = [f"{members.mean():.1%}", rounded(int(money[members].sum()), "")]
        if bad is not None:
            figures.append(f"{bad[members].mean():.1%}" if members.any() else "–")
        rows.append(
            element(
                "tr",
                element("td", both(suggested(assessment, quadrant)), class_="words"),
                [element("td", figure, class_="number") for figure in figures],
            )
        )
    plain = ("", *("number",) * (len(heads) - 1))
    return table(tuple(heads), rows, class_="figures quadrants", plain=plain)
