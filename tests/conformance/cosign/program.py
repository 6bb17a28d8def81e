"""cosign itself, built from the module that ``go.mod`` pins."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
MODULE = "github.com/sigstore/cosign/v3"


def build(program: Path) -> str:
    """Build it; what Go says where it cannot."""
    command = ["go", "build", "-mod=readonly", "-o", program, f"{MODULE}/cmd/cosign"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


def source() -> Path:
    """Where Go keeps what it is made of."""
    command = ["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", MODULE]
    return Path(subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True).stdout.strip())


def environment(folder: Path) -> dict[str, str]:
    """cosign at home in a folder, asking nobody."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "COSIGN_PASSWORD": "", "COSIGN_YES": "true"}
