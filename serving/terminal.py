"""The head of the work list as a team leader reads it in a terminal."""

from __future__ import annotations

from rich.box import HORIZONTALS
from rich.table import Table

from features.declaration import Group
from features.words import written_money
from models.assessment import Assessment

FIRST = 10
REASONS = 3


def work_list(assessment: Assessment, *, first: int = FIRST) -> Table:
    """Return the first loans in order of work: what is at risk, how likely, why, and what the policy suggests."""
    table = Table(
        title=f"The first {min(first, len(assessment))} of {len(assessment):,} overdue loans",
        caption="ability and willingness: contributions to the log-odds of default; above 0 raises the risk",
        title_justify="left",
        caption_justify="left",
        box=HORIZONTALS,
        show_lines=True,
    )
    for name, justify in (
        ("#", "right"),
        ("customer", "left"),
        ("at risk", "right"),
        ("default", "right"),
        ("ability", "right"),
        ("willing-\nness", "right"),
    ):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("quadrant: suggested", width=20)
    table.add_column("because", min_width=20, ratio=1)
    for place, case in enumerate(assessment.order[:first], start=1):
        suggested = assessment.treatment(int(case))
        table.add_row(
            str(place),
            assessment.loan_ids[case],
            written_money(int(assessment.ledger.exposure_minor[case]), assessment.currencies[case]),
            f"{assessment.probability[case]:.0%}",
            f"{assessment.part(Group.ABILITY)[case]:+.2f}",
            f"{assessment.part(Group.WILLINGNESS)[case]:+.2f}",
            f"{suggested.name.en}:\n{suggested.en}",
            "\n".join(f"- {reason.text.en}" for reason in assessment.reasons(int(case))[:REASONS]),
        )
    return table
