"""What docs/access.md says of tables, settings and forms is so."""

from __future__ import annotations

import re
from pathlib import Path

from access_kit import House, Key, bearing, claims, key

from serving.access import door
from serving.access.limits import Limits
from serving.access.roles import BEGINS, ENDS, HOLDERS, default_matrix
from serving.access.rules import ALGORITHMS, MOST_LEEWAY_SECONDS, Issuer, rules_of
from serving.access.token_text import Token
from serving.access.tokens import DAYS, MOST_DAYS
from serving.refusals import refusal_of
from serving.subjects.reasons import NamesSomebody

PAGE = (Path(__file__).parents[2] / "docs" / "access.md").read_text()


def test_the_matrix_stands_in_the_page_as_it_is() -> None:
    _, _, rest = PAGE.partition(BEGINS)
    assert rest.partition(ENDS)[0].strip() == default_matrix().reference(), (
        "docs/access.md is behind serving/access/matrix.toml; write it again with: .venv/bin/python -c "
        "'from pathlib import Path; from serving.access.roles import default_matrix; "
        'default_matrix().rewrite(Path("docs/access.md"))\''
    )


def test_the_limits_and_days_are_those_of_the_release() -> None:
    rates = {**Limits().by_role(), "failed": Limits().failed}
    shown = re.findall(r"^\| `(\w+)` \| ([\d,]+) \| ([\d,]+) \|$", PAGE, flags=re.MULTILINE)
    assert shown == [(name, f"{rate.per_second:,}", f"{rate.burst:,}") for name, rate in rates.items()]
    assert f"after {DAYS} days, or `--days` ({MOST_DAYS} at most)" in PAGE


def test_the_settings_shown_are_read_as_they_stand(tmp_path: Path) -> None:
    examples = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(examples) == 2
    rules = rules_of(House(tmp_path, limits="\n".join(examples)).home)
    assert rules.issuer is not None
    assert rules.limits.engine.per_second == 200
    defaults = Issuer("", "", "")
    for name in ("role_claim", "leeway_seconds", "longest_seconds"):
        assert getattr(rules.issuer, name) == getattr(defaults, name), name
    assert f"of {', '.join(ALGORITHMS)}" in examples[0]
    assert rules.issuer.leeway_seconds <= MOST_LEEWAY_SECONDS


def test_a_provider_set_up_as_shown_is_believed(tmp_path: Path) -> None:
    example = re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL)[0]
    signer: Key = key("ES256", "one")
    house = House(tmp_path, limits=example)
    house.publish(signer)
    token = signer.signed(claims("reviewer", iss="https://login.example.com/", aud="repayrank"))
    assert house.door().caller(bearing(token)).role == "reviewer"


def test_the_pattern_for_scanners_finds_a_token_and_nothing_else_in_the_page() -> None:
    (pattern,) = re.findall(r"^    (rr_\[.*\})$", PAGE, flags=re.MULTILINE)
    text = Token.new().text()
    assert re.findall(pattern, f"TOKEN={text}; ") == [text]
    assert not re.findall(pattern, PAGE)


def test_every_refusal_of_the_door_and_of_a_reason_and_every_role_stands_in_the_page() -> None:
    named = refusal_of(NamesSomebody("found", where="where", expected="expected", do="do"))
    refusals = [door.UNKNOWN, door.NOT_FOR_YOU, door.NO_REASON, named, door._too_often(1), door.CLOSED]
    shown = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", PAGE, flags=re.MULTILINE)
    assert shown == [(str(int(one.status)), one.code) for one in refusals]
    assert set(re.findall(r"^\| `(\w+)` \| [a-z]", PAGE, flags=re.MULTILINE)) == {*HOLDERS, "nobody"}
    assert door.REASON.decode() in PAGE
    assert f"{door.LEAST_REASON} to {door.LONGEST_REASON} characters" in PAGE
