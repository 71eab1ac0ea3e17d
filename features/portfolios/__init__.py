"""Books of loans by name or by folder: tables, observation date and, where the past is known, outcomes."""

from __future__ import annotations

from features.portfolios.portfolio import Portfolio, observation_date, open_portfolio

__all__ = ["Portfolio", "observation_date", "open_portfolio"]
