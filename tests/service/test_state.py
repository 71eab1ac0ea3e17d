"""What is loaded, from where, and what is refused before a single request is taken."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from features.errors import ConfigurationRefused, ModelRefused
from models.pattern_tables import FEW, PatternTables
from models.pauses import WHOLE, _share
from models.store import ModelStore
from serving import settings as settings_module
from serving import watch
from serving.arrivals import Naming
from serving.settings import DEFAULT_HOME, Settings
from serving.state import Loaded, load


def test_every_card_with_a_champion_is_served(loaded: Loaded) -> None:
    assert loaded.names == ("collection",)


def test_a_store_without_a_champion_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="repayrank train"):
        load(Settings(home=tmp_path))


def test_a_card_that_was_asked_for_and_is_not_there_is_refused(home: Path) -> None:
    with pytest.raises(ModelRefused, match="behaviour"):
        load(Settings(home=home, cards=("collection", "behaviour")))


def test_a_champion_that_does_not_verify_is_not_left_out_in_silence(home: Path, tmp_path: Path) -> None:
    for name in ("models", "keys"):
        (tmp_path / name).symlink_to(home / name)
    assert ModelStore(tmp_path).champion("collection") == "1"
    (tmp_path / "keys").unlink()
    with pytest.raises(ModelRefused, match="not signed"):
        load(Settings(home=tmp_path))


@pytest.mark.parametrize("way", ["other bytes", "a folder", "taken away", "an older version, by hand"])
def test_a_champion_that_cannot_be_told_or_was_promoted_by_nobody_is_refused_by_its_file(
    home: Path, tmp_path: Path, way: str
) -> None:
    shutil.copytree(home / "models", tmp_path / "models")
    (tmp_path / "keys").symlink_to(home / "keys")
    store = ModelStore(tmp_path)
    shutil.copytree(store.folder("collection", "1"), store.folder("behaviour", "1"))  # a card of its own, all but told
    for version in ("1", "2"):
        store.promote("behaviour", version)
    pointer = tmp_path / "models" / "behaviour" / "champion"
    pointer.unlink()
    if way == "other bytes":
        pointer.write_bytes(b"\xff")
    elif way == "a folder":
        pointer.mkdir()
    elif way == "an older version, by hand":
        pointer.write_text("1\n")
    with pytest.raises(ModelRefused, match=r"models/behaviour/champion: .*promote --rollback --card behaviour"):
        load(Settings(home=tmp_path))
    assert load(Settings(home=tmp_path, cards=("collection",))).names == ("collection",)


def test_a_card_that_never_had_a_champion_is_left_out(home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "models", tmp_path / "models")
    (tmp_path / "keys").symlink_to(home / "keys")
    (tmp_path / "models" / "behaviour" / "1").mkdir(parents=True)
    assert load(Settings(home=tmp_path)).names == ("collection",)


def test_a_policy_that_is_not_valid_is_refused(home: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("version = 1")
    with pytest.raises(ConfigurationRefused):
        load(Settings(home=home, policy=tmp_path / "policy.toml"))


def test_the_environment_names_store_cards_and_policy() -> None:
    told = Settings.from_environment(
        {"REPAYRANK_HOME": "/store", "REPAYRANK_CARDS": "collection, behaviour,", "REPAYRANK_POLICY": "/p.toml"}
    )
    assert told == Settings(
        home=Path("/store"),
        state=Path("/store"),
        cards=("collection", "behaviour"),
        policy=Path("/p.toml"),
        records=Path("/store/decisions"),
    )
    assert Settings.from_environment({"REPAYRANK_RECORDS": "off"}).records is None


def test_without_a_named_store_the_one_beside_the_code_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings_module, "__file__", str(tmp_path / "serving" / "settings.py"))
    assert Settings.from_environment({}).home == DEFAULT_HOME
    (tmp_path / DEFAULT_HOME).mkdir()
    assert Settings.from_environment({}).home == tmp_path / DEFAULT_HOME


def test_the_loops_for_one_loan_and_for_many_are_both_warm_before_the_first_request(settings, monkeypatch):
    seen: set[int] = set()
    explained = PatternTables.explained
    monkeypatch.setattr(
        PatternTables,
        "explained",
        lambda self, values, *given: seen.add(len(values)) or explained(self, values, *given),
    )
    load(settings)
    assert min(seen) == 1
    assert max(seen) > FEW


@pytest.mark.parametrize("error", [ModelRefused("a", where="b", expected="c", do="d"), ValueError("of a library")])
def test_only_while_a_version_is_taken_up_the_interpreter_goes_round_faster_and_long_work_rests(
    loaded: Loaded, settings: Settings, lines: list[Mapping[str, object]], error: Exception, monkeypatch: Any
) -> None:
    usual, seen, shares = sys.getswitchinterval(), [], []

    def with_version(*_: object) -> Loaded:
        seen.append(sys.getswitchinterval())
        shares.append(_share.get())
        raise error

    monkeypatch.setattr(watch, "with_version", with_version)
    looking = watch.Watch(loaded, settings, lambda _: pytest.fail("it was refused"), lines.append)
    looking.stop()
    looking._take_up(Naming("collection", "2", None))
    assert seen == [pytest.approx(watch.SECONDS_OF_A_TURN)]
    assert sys.getswitchinterval() == usual
    assert shares == [watch.SHARE]
    assert _share.get() == WHOLE
    assert [line["refused"] for line in lines] == ["collection"]
    assert looking.refused() == {"collection": True}
