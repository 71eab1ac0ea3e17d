"""Whether a version has been validated: the stored result, read and verified. A promotion asks here.

    HOME/validations/CARD/VERSION/              judged on its own cases
    HOME/validations/CARD/VERSION/later_DAY/    judged on later cases, up to that day

A result counts for the version whose manifest it names and for no other; one that was changed, or that no trusted key
has signed, counts for nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from features.errors import ModelRefused
from models.artefact import read_whole
from models.store import ModelStore
from training.validation.findings import Verdict
from training.validation.result import EVIDENCE, RESULT, SIGNATURE, Result, parsed

VALIDATIONS, LATER = "validations", "later_"
PASSED = frozenset({Verdict.PASS, Verdict.WARN})


@dataclass(frozen=True)
class Standing:
    """What is known of a version's validation.

    Attributes
    ----------
    own : the validation on its own cases; None where there is none that counts
    later : those on later cases, oldest first
    """

    own: Result | None
    later: tuple[Result, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether it was validated on its own cases and no validation that counts refuses it."""
        every = [one for one in (self.own, *self.later) if one is not None]
        return self.own is not None and all(one.verdict in PASSED for one in every)

    @property
    def refused_by(self) -> tuple[str, ...]:
        """The names of the checks that refuse, each once."""
        every = [one for one in (self.own, *self.later) if one is not None]
        return tuple(dict.fromkeys(check for one in every for check in one.refused_by))


def folder_of(store: ModelStore, card: str, version: str) -> Path:
    """Return where the validations of a version are kept."""
    store.folder(card, version)  # refuses what is no version
    return store.root / VALIDATIONS / card / version


def standing(store: ModelStore, card: str, version: str) -> Standing:
    """Return what is known of a version's validation.

    Raises
    ------
    ModelRefused : a result that is there is damaged, not signed by a trusted key, or another version's
    """
    folder = folder_of(store, card, version)
    own = read(store, card, version, folder) if (folder / RESULT).exists() else None
    later = sorted(path.parent for path in folder.glob(f"{LATER}*/{RESULT}"))
    return Standing(own, tuple(read(store, card, version, path) for path in later))


def kept_in(store: ModelStore, card: str, version: str) -> list[Path]:
    """Return the folders of a version's validations: on its own cases first, then on later ones, oldest first.

    Raises
    ------
    ModelRefused : there is none
    """
    folder = folder_of(store, card, version)
    found = [path.parent for path in (folder / RESULT, *sorted(folder.glob(f"{LATER}*/{RESULT}"))) if path.exists()]
    if not found:
        raise not_validated(card, version)
    return found


def not_validated(card: str, version: str) -> ModelRefused:
    """Return the refusal of a version that nobody has validated."""
    return ModelRefused(
        "a version that was not validated",
        where=f"the {card} card, version {version}",
        expected="a validation on its own cases that passed",
        do=f"run `repayrank validate --card {card} --version {version}` first",
    )


def read(store: ModelStore, card: str, version: str, folder: Path) -> Result:
    """Return the validation in a folder, once its signature holds and it names this version's manifest."""
    try:
        raw, signature = (read_whole(folder / name) for name in (RESULT, SIGNATURE))
    except OSError as error:
        raise _refused(folder, f"a validation that cannot be read ({error.strerror})") from error
    if not store.vouched(raw, signature):
        raise _refused(folder, "a validation that no trusted key has signed")
    told = parsed(raw)
    if told is None:
        raise _refused(folder, "a validation of another form")
    if (told.card, told.version, told.manifest) != (card, version, store.digest(card, version)):
        raise _refused(folder, f"the validation of another model: the {told.card} card, version {told.version}")
    return told


def evidence_path(folder: Path, result: Result) -> Path:
    """Return the file that a validation's figures are computed from, once it is the one that the result names."""
    path = folder / EVIDENCE
    if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != result.evidence:
        raise _refused(folder, "evidence that is not what the validation was made from")
    return path


def require_passed(store: ModelStore, card: str, version: str) -> Standing:
    """Return the standing of a version that has passed.

    Raises
    ------
    ModelRefused : it was not validated, or refused, or the result does not verify
    """
    found = standing(store, card, version)
    if found.own is None:
        raise not_validated(card, version)
    if not found.passed:
        raise ModelRefused(
            f"a version that its validation refuses: {', '.join(found.refused_by)}",
            where=str(folder_of(store, card, version)),
            expected="a validation that passed",
            do="read the findings, mend what they name and train the card again",
        )
    return found


def _refused(folder: Path, found: str) -> ModelRefused:
    return ModelRefused(
        found,
        where=str(folder),
        expected="a validation of this very version, as it was signed",
        do="validate the version again",
    )
