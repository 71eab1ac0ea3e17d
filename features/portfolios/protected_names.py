"""Attributes that no card may read, told by how a column is named or by what stands in it, in several languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import polars as pl

WORDS = (
    # English
    "sex", "gender", "age", "ages", "birth*", "dob", "born", "marital", "marriage", "married", "civil status",
    "family status", "personal status", "race", "racial", "ethnic*", "religio*", "nationality", "national",
    "native country", "citizen*", "foreign*", "immigra*", "disab*", "handicap*", "pregnan*", "maternity", "child*",
    "sexual*", "political*", "public assistance", "veteran*",
    # Spanish
    "sexo", "genero", "edad", "nacim*", "fec nac", "fecha nac", "nacion", "nacionalidad", "pais origen", "estado civil",
    "edo civ*", "est civ*", "raza", "etnia", "discapac*", "embaraz*", "indigena", "extranj*",
    # Portuguese
    "idade", "nasc*", "dt nasc*", "nacionalidade", "raca", "religiao", "deficien*", "gravid*", "estrangeir*",
    # French
    "sexe", "genre", "naiss*", "nationalite", "situation familiale", "situation matrimoniale", "sit fam*", "etat civil",
    "enceinte", "etranger*",
    # German
    "geschlecht", "alter", "geb", "geb datum", "gebdat*", "geburt*", "nationalitat", "nationalitaet", "staatsang*",
    "staatsburg*", "staatsbuerg*", "familienstand", "konfession", "behinder*", "schwanger*", "auslaender*",
    "auslander*",
    # Chinese, in letters
    "xingbie", "nianling", "chusheng*", "shengri", "hunyin*", "hunfou", "minzu", "zhongzu", "zongjiao", "guoji",
    "jiguan", "huji", "canji", "huaiyun",
    # Chinese
    "性别", "年龄", "出生", "生日", "婚姻", "婚否", "民族", "种族", "宗教", "国籍", "籍贯", "户籍", "残疾", "怀孕",
    "生育",
)  # fmt: skip
"""Whole words; beginnings where they end in `*`; anywhere in a Chinese name."""
OF_ANYTHING = frozenset({"age", "ages", "edad", "idade", "alter", "foreign", "national", "genre", "nacion"})
"""Words that may be said of what is no person."""
NO_PERSON = (
    "account*", "vehicle", "car", "loan", "credit", "file", "company", "business", "device", "contract", "property",
    "building", "foreign currency", "foreign exchange", "cuenta", "vehiculo", "auto", "negocio", "empresa", "credito",
    "conta", "veiculo", "compte", "voiture", "entreprise", "konto", "fahrzeug", "firma", "车辆", "账户", "企业",
)  # fmt: skip
"""What has an age, or is foreign, without being a person: `age_of_account`."""

SEXES = tuple(
    frozenset(pair.split("|"))
    for pair in (
        "m|f", "h|m", "w|m", "male|female", "man|woman", "men|women", "hombre|mujer", "masculino|femenino",
        "masculino|feminino", "homem|mulher", "masc|fem", "homme|femme", "masculin|feminin", "mann|frau", "herr|frau",
        "mannlich|weiblich", "maennlich|weiblich", "nan|nv", "男|女", "男性|女性",
    )
)  # fmt: skip
MARITAL = (
    r"^(single|married|divorced|widow\w*|separated|unmarried|solter\w*|casad\w*|divorciad\w*|viud\w*|viuv\w*|separad\w*"
    r"|union libre|soltei\w*|celibataire|marie\w*|divorce\w*|veu[fv]\w*|ledig|verheiratet|geschieden|verwitwet|yihun"
    r"|weihun|liyi|sangou|未婚|已婚|离异|离婚|丧偶)$"
)
LEAST_YEARS, USUAL_YEARS = 15, 20
"""Days of birth lie so many years back in every row, and further back in half of them."""
DAYS_PER_YEAR = 365.25

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_TOKENS = re.compile(r"[a-z]+|[0-9]+|[^\x00-\x7f]+")


def plain(text: str) -> str:
    """Return a text without accents.

    >>> plain("Nationalité"), plain("性别")
    ('Nationalite', '性别')
    """
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def tokens(name: str) -> tuple[str, ...]:
    """Return the words of a name, without accents.

    >>> tokens("DaysPastDue_24m")
    ('days', 'past', 'due', '24', 'm')
    """
    return tuple(_TOKENS.findall(_CAMEL.sub("_", plain(name)).lower()))


def found(words: Iterable[str], parts: tuple[str, ...]) -> str | None:
    """Return the first of some words that a name has: whole ones, beginnings where they end in `*`, any in Chinese."""
    joined = "_".join(parts)
    for word in words:
        if not word.isascii():
            if word in joined:
                return word
        elif re.search(f"(?:^|_){word.replace(' ', '_').replace('*', '[a-z]*')}(?:_|$)", joined):
            return word.rstrip("*")
    return None


def of_a_name(name: str) -> str | None:
    """Return the word by which a name speaks of an attribute that no card may read, or None.

    >>> of_a_name("FEC_NACIMIENTO"), of_a_name("Familienstand"), of_a_name("age_of_account")
    ('nacim', 'familienstand', None)
    """
    parts = tokens(name)
    told = found(WORDS, parts)
    return None if told in OF_ANYTHING and found(NO_PERSON, parts) else told


def of_the_texts(texts: Iterable[str]) -> str | None:
    """Return the attribute that all texts of a category are values of, or None."""
    values = {plain(text).strip().lower() for text in texts}
    if any(values == pair for pair in SEXES):
        return "sex"
    known = [value for value in values if re.match(MARITAL, value)]
    return "marital status" if len(known) > 1 and 2 * len(known) > len(values) else None


def of_the_days(days: pl.Series, until: pl.Series) -> str | None:
    """Return "birth" when days lie as far back as days of birth do, or None.

    Parameters
    ----------
    until : the day that each is compared with, or one for all
    """
    years = ((until - days).dt.total_days() / DAYS_PER_YEAR).drop_nulls()
    if not len(years) or float(years.min()) < LEAST_YEARS:  # type: ignore[arg-type]
        return None
    middle = years.median()
    return "birth" if isinstance(middle, float) and middle >= USUAL_YEARS else None
