"""Every word that stands in a picture, in English and in Chinese, and a picture's words as a sentence under it.

A picture is drawn in English, for a machine that draws need not have a Chinese font. So that a reader of Chinese can
read it as well, the page says under it what the picture's own axes, lines and marks are called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from features.declaration import Group
from features.words import Text

# Separation, calibration, lift, money
GOOD_ABOVE = Text(en="good loans above the score", zh="风险不低于该评分的好借据占比")
BAD_ABOVE = Text(en="bad loans above the score", zh="风险不低于该评分的坏借据占比")
PREDICTED_SHARE = Text(en="predicted share of bad loans", zh="预测坏账率")
OBSERVED_SHARE = Text(en="observed share of bad loans", zh="实际坏账率")
MEAN_PREDICTED = Text(en="mean predicted {share}", zh="平均预测{share}")
OBSERVED = Text(en="observed {share}", zh="实际{share}")
TENTH = Text(en="tenth of the loans, riskiest first", zh="借据的十分位，风险由高到低")
LIFT = Text(en="lift", zh="提升度")
ALL_LOANS = Text(en="all loans = 1", zh="全部借据为1")
SHARE_WORKED = Text(en="share of the loans worked", zh="已处理借据占比")
SHARE_OF_BAD_MONEY = Text(en="share of the money that went bad", zh="坏账金额占比")
WORK_LIST = Text(en="work list", zh="工作清单")
BY_AMOUNT = Text(en="amount alone", zh="仅按金额")
BY_PROBABILITY = Text(en="probability alone", zh="仅按概率")
AT_RANDOM = Text(en="random order", zh="随机顺序")

# What drives the scores
ABILITY = Text(en="ability: contribution to log-odds (right: less able)", zh="还款能力对对数几率的贡献（向右能力更弱）")
ABILITY_RISK = Text(
    en="ability: contribution to log-odds (right: more risk)", zh="还款能力对对数几率的贡献（向右风险更高）"
)
WILLINGNESS = Text(en="willingness (up: less willing)", zh="还款意愿的贡献（向上意愿更弱）")
WILLINGNESS_RISK = Text(en="willingness (up: more risk)", zh="还款意愿的贡献（向上风险更高）")
STAYED_GOOD = Text(en="stayed good", zh="未变坏")
WENT_BAD = Text(en="went bad", zh="变坏")
OF_LOANS_BAD = Text(en="{share} of loans, {bad} bad", zh="借据占比{share}，其中{bad}变坏")
OF_LOANS = Text(en="{share} of loans", zh="借据占比{share}")
CONTRIBUTION = Text(en="contribution to log-odds (right raises risk)", zh="对对数几率的贡献（向右提高风险）")
MEAN_SIZE = Text(en="mean size", zh="平均绝对值")
LOG_ODDS = Text(en="log-odds (right: more risk)", zh="对数几率（向右风险更高）")
PROBABILITY = Text(en="probability", zh="概率")
AVERAGE_LOAN = Text(en="average loan", zh="平均借据")
THIS_LOAN = Text(en="this loan", zh="本借据")

# Months, vintages and groups
SCORE_PSI = Text(en="PSI of the scores", zh="评分PSI")
PSI = Text(en="index", zh="稳定性指数")
BEYOND = Text(en="of it beyond chance", zh="其中超出随机波动的部分")
INDEX_BEYOND = Text(en="index beyond chance", zh="超出随机波动的指数")
GINI = Text(en="Gini coefficient", zh="Gini系数")
VINTAGE = Text(en="vintage", zh="批次")
BAD_SHARE = Text(en="share that went bad", zh="坏账率")
AUC = Text(en="AUC", zh="AUC")
REFERENCE = Text(en="reference {auc}", zh="基准{auc}")
TENTH_OF_MONEY = Text(en="tenth of the loans, most money expected first", zh="借据的十分位，预期回款由高到低")
MONEY = Text(en="money", zh="金额")
EXPECTED = Text(en="expected", zh="预期")
COLLECTED = Text(en="collected", zh="实收")
CHANGED = Text(en="changed among the first", zh="优先部分变动占比")
CORRELATION = Text(en="rank correlation", zh="秩相关")
TENTH_OF_PART = Text(en="tenth of the loans by the part, riskiest first", zh="按该部分划分的借据十分位，风险由高到低")
RATIO = Text(en="ratio to the reference", zh="与参照群体之比")
DIFFERENCE = Text(en="difference from the largest group", zh="与最大群体之差")

# The sentence under a picture
ACROSS = Text(en="across: {name}", zh="横轴：{name}")
UPWARDS = Text(en="upwards: {name}", zh="纵轴：{name}")
ABOVE = Text(en="above: {name}", zh="上轴：{name}")
COLOURS = Text(en="colours: {name}", zh="颜色：{name}")
LEGEND = Text(en="legend: {names}", zh="图例：{names}")
WRITTEN = Text(en="written in it: {names}", zh="图中文字：{names}")
ROWS = Text(en="rows from the top: {names}", zh="各行自上而下：{names}")
SENTENCE = Text(en="In the picture, {parts}.", zh="图中，{parts}。")

_FRAMES = (ACROSS, UPWARDS, ABOVE, COLOURS, LEGEND, WRITTEN, ROWS, SENTENCE)
_IN_PICTURES = (
    *(text for text in list(vars().values()) if isinstance(text, Text) and text not in _FRAMES),
    *(group.text for group in Group),
)
_ENGLISH = re.compile("[a-z]{2,}")


def in_words(figure: Figure, *, rows: Sequence[Text] = (), names: Iterable[Text] = ()) -> Text:
    """Return in both languages what the axes, the lines and the marks of a picture are called.

    Parameters
    ----------
    rows : what the rows of the picture are called, from the top, where it has rows
    names : what else is written in the picture and is not of this module

    Raises
    ------
    KeyError : a word stands in the picture that nobody gave Chinese; names of rows are those that are given
    """
    known = (*names, *_IN_PICTURES)
    parts = list(_parts(figure, known, {row.en for row in rows}))
    if rows:
        parts.append(ROWS.filled(names=_dotted(rows)))
    return SENTENCE.filled(parts=Text(en="; ".join(one.en for one in parts), zh="；".join(one.zh for one in parts)))


def _parts(figure: Figure, known: Sequence[Text], rows: set[str]) -> Iterator[Text]:
    main, *others = figure.axes
    named = [(ACROSS, main.get_xlabel()), (UPWARDS, main.get_ylabel())]
    named += [(ABOVE, axes.get_xlabel()) for axes in main.child_axes]
    named += [(COLOURS, axes.get_ylabel()) for axes in others]
    for frame, label in named:
        if label:
            yield frame.filled(name=_known(label, known))
    legend = main.get_legend()
    if legend is not None:
        yield LEGEND.filled(names=_dotted([_known(one.get_text(), known) for one in legend.get_texts()]))
    written = [_known(one, known) for one in _written(main) if one not in rows]
    if written:
        yield WRITTEN.filled(names=_dotted(written))


def _written(axes: Axes) -> Iterator[str]:
    """Yield the words that are written among the marks; figures need no other language."""
    for text in axes.texts:
        if _ENGLISH.search(text.get_text()):
            yield text.get_text()


def _known(label: str, known: Sequence[Text]) -> Text:
    """Return the text that a label is the English of, with the label's own figures; a lender's own names come first."""
    for text in known:
        if text.en == label:
            return text
    for text in _IN_PICTURES:
        if "{" in text.en:
            found = re.fullmatch(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>\\S+)", re.escape(text.en)), label)
            if found is not None:
                return text.filled(**found.groupdict())
    raise KeyError(label)


def _dotted(texts: Sequence[Text]) -> Text:
    """Return several names, one after another; there are commas in some of them."""
    return Text(en=" · ".join(text.en for text in texts), zh=" · ".join(text.zh for text in texts))
