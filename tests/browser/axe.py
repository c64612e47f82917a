"""Brings axe, which finds what a screen reader or a weak eye cannot read. None of it is in this project."""

import shutil
import subprocess
import tarfile
from pathlib import Path

AXE = "axe-core@4.14.1"
PLACE = Path(__file__).parents[2] / ".tools" / "axe"


def read_axe() -> str | None:
    """The text of axe.min.js, from npm; None: this machine cannot get it."""
    file = PLACE / "package" / "axe.min.js"
    if not file.is_file():
        npm = shutil.which("npm")
        if npm is None:
            return None
        PLACE.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run([npm, "pack", "--silent", AXE], cwd=PLACE, capture_output=True, text=True)
        if packed.returncode:
            return None
        with tarfile.open(PLACE / packed.stdout.strip()) as archive:
            archive.extractall(PLACE, filter="data")
    return file.read_text(encoding="utf-8")
