"""What the pages under docs/ say is so: the tables are as declared, the examples run, the links lead somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import nbformat
import pytest

from features.catalog import catalog
from features.history import History
from features.portfolios import open_portfolio
from features.tables_reference import BEGINS, ENDS, reference

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PORTFOLIO = DOCS / "portfolio.md"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
NOTEBOOK = ROOT / "notebooks" / "01_first_score.ipynb"
DAY = date(2026, 6, 30)
REGENERATE = (
    "docs/portfolio.md is behind features/tables.py; write it again with: .venv/bin/python -c "
    "'from pathlib import Path; from features.tables_reference import rewrite; rewrite(Path(\"docs/portfolio.md\"))'"
)
SPOILT = (
    ("loans", "L-1002,B-81,", "L-1002,,"),
    ("statements", "1384550,overdue,1", "1384550,overdue,0"),
    ("payments", ",60000,", ",-60000,"),
)


def files() -> dict[str, str]:
    """Return the files of the worked example, as the page shows them."""
    return dict(re.findall(r"`my_book/(\w+)\.csv`\n\n```csv\n(.*?)```", PORTFOLIO.read_text(), flags=re.DOTALL))


def written(folder: Path, contents: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in contents.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


def test_the_tables_stand_in_the_page_as_they_are_declared():
    _, _, rest = PORTFOLIO.read_text().partition(BEGINS)
    assert rest.partition(ENDS)[0].strip() == reference(), REGENERATE


def test_the_book_in_ten_lines_is_one(tmp_path):
    contents = files()
    assert sum(text.count("\n") for text in contents.values()) == 10
    book = open_portfolio(str(written(tmp_path / "my_book", contents)))
    history = History.as_of(DAY, book.tables, zone=book.zone)
    assert history.loan_ids == ["L-1001", "L-1002"]
    assert history.known.payments is not None
    assert history.known.payments.get_column("payment_id").to_list() == ["P-1"]
    assert len(catalog().values(history)) == 2


def test_the_refusal_is_what_the_command_line_says(tmp_path):
    contents = files()
    for name, good, spoilt in SPOILT:
        assert good in contents[name]
        contents[name] = contents[name].replace(good, spoilt)
    written(tmp_path / "my_book", contents)
    (command, shown) = re.findall(
        r"\$ (repayrank train [^\n]*)\n(refused.*?)\$ echo", PORTFOLIO.read_text(), re.DOTALL
    )[0]
    told = subprocess.run(
        [sys.executable, str(ROOT / "repayrank.py"), *command.split()[1:]],
        cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert told.returncode == 10
    assert told.stderr == shown


def test_figures_of_the_model_page_are_those_of_the_notebook():
    """The page quotes the notebook; `tests/notebooks/test_notebooks.py`, run as a script, writes its outputs again."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    shown = "".join(one.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for one in cell.outputs)
    quoted = re.findall(r"<!-- notebook -->\n```text\n(.*?)```", (DOCS / "model.md").read_text(), flags=re.DOTALL)
    assert quoted
    for block in quoted:
        assert block in shown, f"not in the notebook's outputs any more:\n{block}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page):
    links = re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
    lost = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_page_names_a_place_on_a_machine(page):
    assert not re.findall(r"/(?:work|root|home|tmp)/\S*", page.read_text())
