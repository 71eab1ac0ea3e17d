"""What was known about a borrower on a day, said in numbers and in words.

A lender's tables go in, `History.as_of` closes the door on the future, and the catalog gives the features.
"""

from __future__ import annotations

from features.catalog import Catalog, FeatureMatrix, catalog
from features.declaration import Feature, Group, Risk, feature
from features.history import History
from features.tables import Tables
from features.words import Text, Unit

__all__ = [
    "Catalog",
    "Feature",
    "FeatureMatrix",
    "Group",
    "History",
    "Risk",
    "Tables",
    "Text",
    "Unit",
    "catalog",
    "feature",
]
