"""A validation policy judges every figure by a number with a source, and one that leaves a check out is refused."""

from __future__ import annotations

import pytest

from features.errors import ConfigurationRefused
from features.words import Text
from training.validation.findings import Figure, Finding, Table, Threshold, Verdict, worst
from training.validation.policy import Asked, policy_from

ASKED = (Asked("calibration.slope", "slope"), Asked("stability.psi", "psi", ("bins",)))
WHOLE = """
format = 1
version = "1"
[calibration.slope]
warn = { outside = [0.95, 1.05] }
refuse = { outside = [0.95, 1.05], when = "surely" }
source = "a rule of ours"
[stability.psi]
bins = 10
warn = { above = 0.1 }
refuse = { above = 0.25 }
not_judged = "warn"
source = "a rule of thumb"
"""


def rules(text: str = WHOLE):
    return policy_from(text.encode(), ASKED, where="policy").rules


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (1.0, 0.9, 1.1, Verdict.PASS),
        (1.06, 1.04, 1.08, Verdict.WARN),
        (1.06, 1.051, 1.07, Verdict.REFUSE),
        (0.9, 0.8, 0.949, Verdict.REFUSE),
        (0.94, 0.9, 0.98, Verdict.WARN),
        (float("nan"), None, None, Verdict.REFUSE),
        (None, None, None, Verdict.REFUSE),
    ],
)
def test_a_sure_breach_needs_the_whole_interval_and_what_cannot_be_computed_passes_nothing(value, low, high, verdict):
    assert rules()["calibration.slope"].verdict(Figure("slope", value, low, high)) is verdict


@pytest.mark.parametrize(
    ("bound", "breaks", "keeps"),
    [
        ("{ above = 0.1 }", 0.11, 0.1),
        ("{ at_least = 0.1 }", 0.1, 0.09),
        ("{ below = 0.1 }", 0.09, 0.1),
        ("{ at_most = 0.1 }", 0.1, 0.11),
    ],
)
def test_each_bound_holds_up_to_the_number_it_names(bound, breaks, keeps):
    rule = rules(WHOLE.replace("{ above = 0.25 }", bound).replace("warn = { above = 0.1 }\n", ""))["stability.psi"]
    assert rule.verdict(Figure("psi", breaks)) is Verdict.REFUSE
    assert rule.verdict(Figure("psi", keeps)) is Verdict.PASS


def test_a_possible_breach_needs_one_end_of_the_interval():
    rule = rules(WHOLE.replace("warn = { above = 0.1 }", 'warn = { at_most = 0.0, when = "possibly" }'))
    told = rule["stability.psi"]
    assert told.verdict(Figure("psi", 0.02, -0.01, 0.05)) is Verdict.WARN
    assert told.verdict(Figure("psi", 0.02, 0.01, 0.05)) is Verdict.PASS


def test_of_several_figures_the_furthest_out_is_named():
    verdict, figure = rules()["stability.psi"].worst([Figure("psi", 0.12), Figure("psi", 0.2), Figure("psi", 0.02)])
    assert (verdict, figure.value) == (Verdict.WARN, 0.2)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[stability.psi]", "[stability.csi]", "section 'stability.psi' is missing"),
        ("[stability.psi]", "[stability.csi]", "section 'stability.csi': no check has this name"),
        ("bins = 10\n", "", "'bins' is a number"),
        ("bins = 10", "bins = true", "'bins' is a number"),
        ("bins = 10", "bins = nan", "'bins' is a number"),
        ("bins = 10", "bins = 10\nbands = 3", "unknown 'bands'"),
        ('source = "a rule of ours"', 'source = " "', "'source' says where"),
        ("above = 0.25", "above = inf", "a finite bound"),
        ("above = 0.25", "over = 0.25", "unknown field"),
        ("above = 0.25", "above = 0.25, below = 0.1", "one of above"),
        ("above = 0.25", 'above = 0.25, when = "never"', "Invalid enum value"),
        ("[0.95, 1.05] }\nrefuse", "[1.05, 0.95] }\nrefuse", "lower end first"),
        ("warn = { above = 0.1 }\nrefuse = { above = 0.25 }\n", "", "it neither warns nor refuses"),
        ('not_judged = "warn"', 'not_judged = "pass"', "'not_judged' is one of"),
        ("format = 1", "format = 2", "'format'"),
        ('version = "1"', 'version = ""', "'version'"),
        ("format = 1", "format = ", "Invalid value"),
        ("[stability.psi]", "[loose]\nx = 1\n[stability.psi]", "section 'loose.x': no check has this name"),
    ],
)
def test_a_policy_that_leaves_something_out_or_adds_something_is_refused_with_the_place(old, new, fault):
    assert old in WHOLE
    with pytest.raises(ConfigurationRefused) as refused:
        rules(WHOLE.replace(old, new, 1))
    assert fault in refused.value.found


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigurationRefused) as refused:
        rules(WHOLE.replace("bins = 10\n", "").replace('source = "a rule of ours"\n', ""))
    assert "'bins'" in refused.value.found
    assert "'source'" in refused.value.found


def test_a_finding_written_as_plain_data_is_read_back_the_same():
    told = Finding(
        check="stability.psi",
        verdict=Verdict.WARN,
        words=Text(en="scores moved", zh="评分有偏移"),
        figures=(Figure("psi", 0.12, 0.1, 0.14, "2026-01"), Figure("none", None)),
        threshold=Threshold("psi", "above 0.1", "", "a rule of thumb"),
        tables=(Table.of("months", Text(en="By month", zh="按月"), ("month", "psi"), [("2026-01", float("nan"))]),),
    )
    assert Finding.from_dict(told.as_dict()) == told
    assert told.tables[0].rows == (("2026-01", None),)


def test_the_worst_of_several_verdicts_counts_and_what_was_not_judged_does_not():
    assert worst([Verdict.PASS, Verdict.NOT_JUDGED]) is Verdict.PASS
    assert worst([Verdict.PASS, Verdict.REFUSE, Verdict.WARN]) is Verdict.REFUSE
    assert worst([]) is Verdict.NOT_JUDGED
