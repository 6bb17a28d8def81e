"""Why a model server does not run, said in one sentence with a fix, from its exit code and the end of its log.

Only what every place has is looked at (a container's termination message holds the same lines), so that one table serves
this machine and a cluster. Rows are tried in order; the first that fits wins, the specific before the general.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

KILLED = 137
"""Exit code of SIGKILL, which is what the kernel sends when memory runs out."""

SEGFAULT = 139
ABORTED = 134

PACKAGES = {"sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml", "skimage": "scikit-image"}
"""Modules whose package has another name."""


@dataclass(frozen=True, slots=True)
class Cause:
    """``code`` is stable, ``message`` one sentence without jargon, ``fix`` what to do."""

    code: str
    message: str
    fix: str


Make = Callable[[re.Match[str]], Cause]


def _package(match: re.Match[str]) -> Cause:
    module = match[1].partition(".")[0]
    package = PACKAGES.get(module, module)
    if "." in match[1] or module in {"__main__", "numpy"}:
        return Cause(
            "version-mismatch",
            f"the model needs '{match[1]}', which the installed {package} does not have: it was made with another version",
            f"Install the version of {package} that made the model, or register the model again from this environment.",
        )
    return Cause(
        "missing-package",
        f"the model needs the package '{package}', which its Python does not have",
        f"Install it in the environment of the model's kernel (pip install {package}), then start the service again.",
    )


def _mismatch(match: re.Match[str]) -> Cause:
    return Cause(
        "version-mismatch",
        match[0].strip().rstrip(".")
        if match[0].startswith("version mismatch")
        else f"the model was made with other package versions: {match[0].strip()}",
        "Serve it with the kernel it was made with, or register it again from this environment.",
    )


def _port(match: re.Match[str]) -> Cause:
    why = "is in use by another program" if match[2] == "is in use" else match[2]
    return Cause("port-in-use", f"port {match[1]} {why}", "Deploy with another port (--port N), or without one to get a free port.")


def _memory(_match: re.Match[str]) -> Cause:
    return Cause(
        "out-of-memory",
        "the model did not fit into the memory of this machine",
        "Stop other services or programs, or use a smaller model.",
    )


def _unreadable(match: re.Match[str]) -> Cause:
    return Cause(
        "model-unreadable", f"the model file cannot be read: {match[0].strip()}", "Register the model again with log_model."
    )


def _by_name(match: re.Match[str]) -> Cause:
    return Cause(
        "model-incomplete",
        f"the model refers to '{match[1]}', defined in the notebook, by its name only",
        "Register it with log_model, which stores functions and classes of a notebook with the model.",
    )


def _gone(match: re.Match[str]) -> Cause:
    return Cause("supervisor-gone", match[0], "Start the service again.")


def _refused(match: re.Match[str]) -> Cause:
    return Cause(
        "pickle-refused",
        match[0],
        "Register it in a format that runs no code (skops, ONNX), or allow it: jupyter mlops models allow MODEL:VERSION.",
    )


ROWS: tuple[tuple[re.Pattern[str], Make], ...] = (
    (re.compile(r"\S+ may run code when it is loaded.*"), _refused),
    (re.compile(r"port (\d+) (is in use|may not be used by this user)"), _port),
    (re.compile(r"version mismatch: .*"), _mismatch),
    (re.compile(r"MemoryError|Unable to allocate|Cannot allocate memory|CUDA out of memory"), _memory),
    (re.compile(r"Can't get attribute '([^']+)' on <module '__main__'"), _by_name),
    (re.compile(r"ModuleNotFoundError: No module named '([^']+)'"), _package),
    (
        re.compile(r"Can't get attribute .*|.*numpy\.dtype size changed.*|.*_ARRAY_API not found.*|.*incompatible dtype.*"),
        _mismatch,
    ),
    (
        re.compile(r"(?:EOFError|\S*UnpicklingError|\S*BadZipFile|zlib\.error|\S*Corrupt)\b.*|the model file .* is missing"),
        _unreadable,
    ),
    (re.compile(r"the process that kept this service running is gone.*"), _gone),
)

LINE = re.compile(r"^(?:\d{4}-\d\d-\d\d [\d:,.]+ (?:(?P<level>[A-Z]+)|supervisor:) )?(?P<said>.*\w.*)$")
"""A line of the log, with the level of one that was logged."""

FIX = "fix: "
"""Start of a last line that says what to do; the line before it says what happened."""


def diagnose(log: str, exit_code: int | None) -> Cause:
    """The cause that fits best.

    Args:
        log: the last lines of the log, or a container's termination message.
        exit_code: as a shell has it (128 + signal), None where the process could not be started at all.
    """
    lines = [match for line in log.splitlines() if (match := LINE.match(line)) and match["level"] in {None, "ERROR", "CRITICAL"}]
    known = next((make(match) for pattern, make in ROWS if (match := pattern.search(log))), None)
    if len(lines) > 1 and lines[-1]["said"].startswith(FIX):
        return Cause(known.code if known else "model-failed", lines[-2]["said"], lines[-1]["said"].removeprefix(FIX))
    if known:
        return known
    if exit_code == KILLED:
        return Cause(
            "out-of-memory",
            "the model server was killed (exit code 137), most often because memory ran out",
            "Stop other services or programs, or use a smaller model.",
        )
    if exit_code in {SEGFAULT, ABORTED}:
        return Cause(
            "crashed",
            f"the model server crashed in compiled code (exit code {exit_code})",
            "Most often a compiled package differs from the one that made the model: serve it with that kernel.",
        )
    what = lines[-1]["said"] if lines else f"the model server ended with exit code {exit_code}"
    return Cause("model-failed", what, "See the log of the service; then start it again.")
