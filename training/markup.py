"""HTML that cannot be broken by what a borrower or a lender wrote: every text is escaped unless it is HTML already."""

from __future__ import annotations

import html
from collections.abc import Iterable

from features.words import Text

EMPTY_ELEMENTS = ("br", "input", "meta")
ENGLISH, CHINESE = "en", "zh-Hans"


class Markup(str):
    """A string that is HTML already. Only this module and the templates of the report make one."""

    __slots__ = ()


Content = str | Markup | Iterable["str | Markup"]


def element(name: str, /, *content: Content, **attributes: str) -> Markup:
    """Return an element; plain strings in its content and its attributes are escaped.

    An attribute that is a Python word is written with a trailing underscore: `class_`, `for_`; other underscores
    become hyphens.

    >>> element("td", "<b>", class_="money")
    '<td class="money">&lt;b&gt;</td>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"' for key, value in attributes.items()
    )
    if name in EMPTY_ELEMENTS:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{''.join(map(joined, content))}</{name}>")


def joined(content: Content) -> Markup:
    """Return content as one piece of HTML."""
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(html.escape(content))
    return Markup("".join(map(joined, content)))


def both(text: Text, name: str = "span") -> Markup:
    """Return a sentence in English and then in Chinese, each in an element that says its language."""
    return joined([element(name, text.en, lang=ENGLISH), element(name, text.zh, lang=CHINESE)])


def alike(text: Text) -> Markup:
    """Return a text that may be the same in both languages, such as a number or AUC: then it stands there once.

    >>> alike(Text(en="KS", zh="KS"))
    'KS'
    """
    return joined(text.en) if text.en == text.zh else both(text)


def name_of(loan_id: str) -> Markup:
    """Return a loan's identifier; isolated, so that characters which turn the writing direction stay inside it."""
    return element("bdi", loan_id, class_="loan")
