"""The repository keeps its shape: packages, directions of import, and nothing that does not belong in it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("features", "models", "training", "serving")
MOST_LINES = 450
LONGER = {ROOT / "serving" / "records" / "alone.py": 525}
"""What an auditor takes along has to be one file: it is copied into every export and must need nothing else of ours."""
TRACKED = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    if name and (ROOT / name).is_file()
]
MODULES = [path for path in TRACKED if path.suffix == ".py" and path.parts[len(ROOT.parts)] in PACKAGES]
TEXTS = {path: path.read_text(errors="ignore") for path in TRACKED if path.suffix not in {".parquet", ".png"}}


@pytest.mark.parametrize("package", [*PACKAGES, "repayrank"])
def test_each_top_level_name_belongs_to_this_project_alone(package):
    assert set(packages_distributions()[package]) == {"repayrank"}


def test_no_file_names_the_address_of_a_package_registry():
    address = re.compile(r"https?://[a-z.]*(pypi|pythonhosted|npmjs|debian)\.[a-z]+|index" + "-url")
    assert not [str(path) for path, text in TEXTS.items() if address.search(text)]


def test_no_module_can_load_a_pickle():
    loader = re.compile(r"^\s*(import|from)\s+(pickle|joblib|dill|cloudpickle)\b", re.MULTILINE)
    assert not [str(path) for path, text in TEXTS.items() if path.suffix == ".py" and loader.search(text)]


LOADERS = re.compile(r"(^|\.)(eval|exec|read_pickle|yaml\.load|yaml\.unsafe_load)$")
"""Calls that may run what they read, beside those of modules that nobody imports."""


def runs_what_it_reads(call: ast.Call) -> bool:
    allowed = any(one.arg == "allow_pickle" and not is_false(one.value) for one in call.keywords)
    return allowed or LOADERS.search(ast.unparse(call.func)) is not None


def is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_module_runs_what_it_reads(module):
    calls = [node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)]
    assert not [call.lineno for call in calls if runs_what_it_reads(call)]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("eval(x)", True),
        ("builtins.exec(x)", True),
        ("pd.read_pickle(x)", True),
        ("yaml.load(x)", True),
        ("np.load(x, allow_pickle=True)", True),
        ("np.load(x, allow_pickle=False)", False),
        ("evaluate(x)", False),
        ("json.load(x)", False),
        ("module.eval_all(x)", False),
    ],
)
def test_a_call_that_runs_what_it_reads_is_found(line, found):
    (call,) = [node for node in ast.walk(ast.parse(line)) if isinstance(node, ast.Call)]
    assert runs_what_it_reads(call) is found


def test_every_pin_satisfies_the_lower_bound_it_is_for_and_every_dependency_has_both():
    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    wanted = [Requirement(line) for lines in (project["dependencies"], *extras) for line in lines]
    pins = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().split() if "==" in line)
    for requirement in wanted:
        assert str(requirement.specifier).startswith(">="), requirement.name
        assert requirement.specifier.contains(pins[requirement.name.lower()]), requirement.name


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_module_opens_with_one_sentence_and_stays_small(module):
    text = module.read_text()
    opening = (ast.get_docstring(ast.parse(text)) or "").split("\n\n")[0]
    assert opening, "no opening sentence"
    assert len(text.splitlines()) <= LONGER.get(module, MOST_LINES)


@pytest.mark.parametrize("module", PACKAGES)
def test_importing_a_package_prints_nothing_and_loads_neither_mlflow_nor_shap(module):
    code = f"import {module}, sys; assert not {{'mlflow', 'shap'}} & set(sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout + told.stderr == ""


def test_make_soak_sets_every_length_and_every_seed_that_a_test_reads():
    asked = {
        name
        for path, text in TEXTS.items()
        if path.name.startswith("test_")
        for name in re.findall(r'environ\.get\("(REPAYRANK_\w+)"', text)
    }
    printed = subprocess.run(["make", "-n", "soak"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert asked
    assert asked <= {word.partition("=")[0] for word in printed.split()}
