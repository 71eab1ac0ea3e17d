"""What users install is the wheel: it holds all it needs, and runs the demo far from the checkout."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from serving.child import answers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """An environment with the wheel in it and nothing else of ours; the libraries are borrowed from this one."""
    work = tmp_path_factory.mktemp("installed")
    source = work / "source"
    shutil.copytree(
        ROOT, source, ignore=shutil.ignore_patterns(".git", ".venv", "demo", ".*_cache", "*.egg-info", "build")
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(work), str(source)], check=True)
    shutil.rmtree(source)
    wheel = next(work.glob("repayrank-*.whl"))
    home = work / "env"
    venv.create(home, with_pip=False)
    libraries = Path(sysconfig.get_paths(vars={"base": str(home), "platbase": str(home)})["purelib"])
    subprocess.run([*pip, "install", "--no-deps", "--target", str(libraries), str(wheel)], check=True)
    # Borrowed after our own, and without the checkout: an editable install's own hook is a .pth file, not a package.
    (libraries / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return home


@pytest.mark.slow
def test_the_wheel_runs_the_demo_in_an_empty_folder_until_ctrl_c(installed, tmp_path):
    code = "import repayrank; print(repayrank.__file__); repayrank.main(['demo', '--port', '0'])"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    demo = subprocess.Popen(
        [str(installed / "bin" / "python"), "-c", code], cwd=tmp_path, env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    told = ""
    try:
        for line in demo.stdout:
            told += line
            if line.startswith("Ctrl-C"):
                demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0, told
    finally:
        demo.kill()
    assert str(installed) in told.splitlines()[0]
    address = re.search(r"service +(http://127\.0\.0\.1:\d+) answered for TW\d+", told)
    assert address, told
    assert not answers(f"{address.group(1)}/livez")
    assert "the service has stopped" in told
    assert "curl" in told
    for name in ("report.html", "worklist.csv", "worklist.parquet", "request.json"):
        assert (tmp_path / "demo" / name).stat().st_size > 1_000
    assert "Traceback" not in told
    assert "Warning" not in told
