"""A picture on a page, under it what it shows in English and in Chinese, and in Chinese what stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.figure import Figure

from features.words import Text
from training.markup import Markup, element
from training.plot_style import svg
from training.plot_words import in_words
from training.report_layout import caption, drawing


def pictured(
    name: str, figure: Figure, said: Text, *more: Text, rows: Sequence[Text] = (), names: Iterable[Text] = ()
) -> Markup:
    """Return a picture with its caption.

    Parameters
    ----------
    name : letters that make the picture's ids unique on the page
    said : what it shows, read out where it cannot be seen
    more : further sentences of the caption
    rows, names : what its rows are called, and what else is written in it (see `training.plot_words.in_words`)
    """
    words = in_words(figure, rows=rows, names=names)
    return element("figure", drawing(svg(figure, name), said), caption(said, *more, in_picture=words))
