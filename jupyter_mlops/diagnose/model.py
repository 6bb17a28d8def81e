"""Why a model server in a container ended, from its last words: a Python traceback, or what a serving framework printed.

The fixes are a cluster's: an image is chosen when a service is deployed, and nothing is installed into a running one.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from jupyter_mlops.diagnose.cause import Cause
from jupyter_mlops.diagnose.documents import name, words
from jupyter_mlops.diagnose.fetching import gated
from jupyter_mlops.diagnose.owner import Owner

Make = Callable[[Owner, "re.Match[str]", str], Cause]

_SAME_IMAGE = (
    "Deploy it with the image that the model was trained with, or register it again from an environment like the server's."
)
_PACKAGES = {"sklearn": "scikit-learn", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml", "skimage": "scikit-image"}


def model_cause(owner: Owner, said: str, about: str) -> Cause | None:
    """The cause that a server's last words tell; None where they tell nothing that is known."""
    for pattern, make in _TABLE:
        if match := pattern.search(said):
            return make(owner, match, about)
    return None


def _version(owner: Owner, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot load its model: it was made with other versions of its packages ({words(match[0], 200)})"
    return Cause("version-mismatch", message, "user", _SAME_IMAGE, (about,), final=True)


def _package(owner: Owner, match: re.Match[str], about: str) -> Cause:
    module = match[1]
    package = name(_PACKAGES.get(module.partition(".")[0], module.partition(".")[0]))
    if "." in module or module.startswith("_") or module in {"numpy", "sklearn"}:
        message = (
            f"{owner.who} cannot load its model: its image has another version of {package} than the model was made with "
            f"(no '{name(module)}')"
        )
        return Cause("version-mismatch", message, "user", _SAME_IMAGE, (about,), final=True)
    message = f"{owner.who} cannot load its model: its image lacks the package '{package}'"
    return Cause(
        "missing-package",
        message,
        "user",
        f"Use an image that has {package}: that in which the model was trained has it.",
        (about,),
        final=True,
    )


def _gpu_memory(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot load its model: the GPU's memory is too small for it"
    fix = "Use a larger GPU or a smaller (quantised) model; for a language model a shorter context (`--max-model-len`) also helps."
    return Cause("gpu-memory", message, "user", fix, (about,), final=True)


def _memory(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot load its model: it does not fit into its memory"
    return Cause("out-of-memory", message, "user", owner.memory_fix(""), (about,), final=True)


def _gated(owner: Owner, _match: re.Match[str], about: str) -> Cause:
    return gated(owner, about)


def _one_file(owner: Owner, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot load its model: its folder must hold exactly one model file ({words(match[0], 120)})"
    return Cause("model-file", message, "user", "Register the model again with `log_model`.", (about,), final=True)


def _by_name(owner: Owner, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot load its model: it refers to '{name(match[1])}', defined in the notebook, by its name only"
    fix = "Register it with `log_model`, which stores functions and classes of a notebook with the model."
    return Cause("model-incomplete", message, "user", fix, (about,), final=True)


def _unreadable(owner: Owner, match: re.Match[str], about: str) -> Cause:
    message = f"{owner.who} cannot load its model: the file cannot be read ({words(match[0], 200)})"
    return Cause("model-unreadable", message, "user", "Register the model again with `log_model`.", (about,), final=True)


_TABLE: tuple[tuple[re.Pattern[str], Make], ...] = (
    (
        re.compile(
            r"CUDA out of memory|CUDA error: out of memory|No available memory for the cache blocks"
            r"|torch\.(?:cuda\.)?OutOfMemoryError"
        ),
        _gpu_memory,
    ),
    (re.compile(r"GatedRepo\w*|gated repo|401 Client Error.{0,200}huggingface", re.DOTALL), _gated),
    (re.compile(r"(?:More than one model file|ModelMissingError|Unable to find model file|Missing model file).{0,80}"), _one_file),
    (re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '?([\w.]{1,100})'?"), _package),
    (re.compile(r"Can't get attribute '([^'\n]{1,100})' on <module '__main__'"), _by_name),
    (
        re.compile(
            r"version mismatch: [^\n]{1,200}|InconsistentVersionWarning[^\n]{0,200}|Can't get attribute [^\n]{1,200}"
            r"|numpy\.dtype size changed[^\n]{0,200}|_ARRAY_API not found|incompatible dtype[^\n]{0,200}"
        ),
        _version,
    ),
    (re.compile(r"MemoryError|Unable to allocate|Cannot allocate memory"), _memory),
    (re.compile(r"(?:EOFError|\w{0,40}UnpicklingError|\w{0,40}BadZipFile|zlib\.error|invalid load key)[^\n]{0,200}"), _unreadable),
)
"""What the words say → the cause; the first match counts."""
