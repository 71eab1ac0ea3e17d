"""The page at `/`: what this service is and where its answers are, without a byte from anywhere else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from models.fitted_card import FittedCard

STYLE = (
    "body{font:16px/1.6 system-ui,'Noto Sans SC','PingFang SC','Microsoft YaHei',sans-serif;max-width:46rem;"
    "margin:3rem auto;padding:0 1rem;color:#1c2530;background:#fff}"
    "h1{font-size:1.6rem;margin-bottom:0}table{border-collapse:collapse}td,th{padding:.2rem 1rem .2rem 0;"
    "text-align:left;border-bottom:1px solid #d8dee6}code{font-size:.95em}a{color:#0b5cad}"
    "@media(prefers-color-scheme:dark){body{color:#e3e8ee;background:#14181d}a{color:#7db4f0}"
    "td,th{border-color:#38424d}}"
)
CONTENT_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    + "'"
).encode()

PATHS = (
    ("POST", "/v1/score", "score loans, in the order sent", "为借据评分，按发送顺序返回"),
    ("POST", "/v1/rank", "put loans in order of work, each with why", "排出处置顺序并说明原因"),
    ("GET", "/v1/features", "the feature dictionary", "特征词典"),
    ("GET", "/v1/openapi.json", "the exact form of requests and answers", "请求与应答的确切格式"),
    ("GET", "/readyz", "is it ready", "是否就绪"),
    ("GET", "/livez", "is it alive", "是否存活"),
    ("GET", "/metrics", "counters for Prometheus", "运行指标"),
)


def page(cards: Iterable[FittedCard], policy_version: str) -> bytes:
    """Return the page."""
    paths = "".join(
        f"<tr><td>{method}</td><td>{_link(method, path)}</td><td>{en}<br>{zh}</td></tr>"
        for method, path, en, zh in PATHS
    )
    served = "".join(
        f"<tr><td><code>{escape(card.card.name)}</code></td><td>{escape(card.card.title.en)}<br>"
        f"{escape(card.card.title.zh)}</td><td>{escape(card.version)}</td>"
        f"<td><code>{escape(card.fingerprint)}</code></td></tr>"
        for card in cards
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>repayrank</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        "<h1>repayrank</h1><p>Who will repay, who first, and why.<br>谁会还款，先处理谁，为什么。</p>"
        f"<table><tr><th></th><th>path 路径</th><th></th></tr>{paths}</table>"
        f"<h2>Cards 评分卡</h2><table><tr><th>card</th><th></th><th>version 版本</th><th>fingerprint 指纹</th></tr>"
        f"{served}</table><p>Policy 策略: {escape(policy_version)}</p></body></html>"
    ).encode()


def _link(method: str, path: str) -> str:
    return f'<a href="{path}"><code>{path}</code></a>' if method == "GET" else f"<code>{path}</code>"
