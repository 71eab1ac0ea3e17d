"""The model card of a version: every section in its order, none of them empty, every number from what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from features.errors import ModelRefused
from features.words import Text
from training.model_card import identity, record, worth
from training.model_card.blocks import Block, Section
from training.model_card.source import Nothing, Source

TITLE = Text(en="Model card: {card}, version {version}", zh="模型卡：{card}，版本{version}")
SECTIONS: Mapping[str, tuple[Text, Callable[[Source], list[Block]]]] = {
    "verdict": (Text(en="What its validation says", zh="验证结论"), identity.verdict),
    "purpose": (Text(en="What it is for", zh="用途与适用范围"), identity.purpose),
    "data": (Text(en="What it was made from", zh="数据"), identity.data),
    "features": (Text(en="What it looks at", zh="特征"), identity.features),
    "model": (Text(en="How it is built", zh="模型结构"), identity.model),
    "performance": (Text(en="How good it is", zh="模型表现"), worth.performance),
    "fairness": (Text(en="How fair it is", zh="公平性"), worth.fairness),
    "explanation": (Text(en="Whether its reasons are true", zh="解释的忠实度"), worth.explanation),
    "limits": (Text(en="What it cannot see", zh="局限"), record.limits),
    "monitoring": (Text(en="What to watch", zh="监测"), record.monitoring),
    "approvals": (Text(en="Who answers for it", zh="训练、验证与批准"), record.approvals),
    "versions": (Text(en="What it is made of, to the byte", zh="版本与哈希"), record.versions),
}


@dataclass(frozen=True)
class ModelCard:
    """A model card in two languages, before it is Markdown or a page."""

    title: Text
    sections: tuple[Section, ...]


def model_card(source: Source) -> ModelCard:
    """Return the card of a version.

    Raises
    ------
    ModelRefused : a section has nothing to tell, and which one it is
    """
    title = TITLE.filled(card=source.result.card, version=source.result.version)
    return ModelCard(title, tuple(_section(source, key) for key in SECTIONS))


def _section(source: Source, key: str) -> Section:
    title, told = SECTIONS[key]
    try:
        section = Section(key, title, tuple(told(source)))
    except Nothing as nothing:
        raise _empty(source, key, str(nothing)) from nothing
    except KeyError as missing:
        # What the signed version says of itself is data: a part of it that is not there is nothing to be told.
        raise _empty(source, key, f"nothing that says {missing}") from missing
    if section.empty:
        raise _empty(source, key, "nothing to tell")
    return section


def _empty(source: Source, key: str, found: str) -> ModelRefused:
    result = source.result
    return ModelRefused(
        f"the section '{key}' of the model card is empty: {found}",
        where=f"the {result.card} card, version {result.version}",
        expected="something to tell in every section",
        do="train the version again where it says too little of itself, and validate it again on its own cases",
    )
