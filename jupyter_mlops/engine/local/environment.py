"""What a step's process sees of this machine's environment: an allow-list, never what a server or a cloud put there.

A deny-list would leak the next token that somebody invents; so a variable passes only if a Python process needs it to find
its programs, libraries, devices, certificates and language. A notebook that wants another one declares it (``env`` or
``secrets`` of a step), which is also the only way that works on a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from jupyter_mlops.errors import Refused, Where

ALLOWED = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "TERM", "COLUMNS",
    "VIRTUAL_ENV", "CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_EXE", "CONDA_SHLVL", "CONDA_PYTHON_EXE",
    "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONWARNINGS",
    "LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH",
    "CUDA_*", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES",
    "OMP_*", "MKL_*", "OPENBLAS_*", "NUMEXPR_*", "VECLIB_*", "BLIS_*", "JAX_PLATFORMS", "XLA_FLAGS",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NO_PROXY", "no_proxy",
    "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "IPYTHONDIR", "MPLCONFIGDIR",
    "HF_HOME", "HF_DATASETS_CACHE", "TORCH_HOME", "SCIKIT_LEARN_DATA", "NLTK_DATA", "JAVA_HOME", "SPARK_HOME", "R_HOME",
)  # fmt: skip
"""Names (glob patterns) that pass. Proxies pass only without a user and password in their address."""

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def inherited(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables that a step inherits."""
    found = {name: value for name, value in environ.items() if any(fnmatchcase(name, pattern) for pattern in ALLOWED)}
    found.update({name: environ[name] for name in _PROXIES if name in environ and "@" not in environ[name]})
    return found


def secret_value(variable: str, reference: Mapping[str, object], environ: Mapping[str, str]) -> str | None:
    """Value of a Secret's key here: that of the environment variable of the same name as the step's.

    Raises:
        Refused: it is not set and not optional; names the variable, the secret and the key, never a value.
    """
    if variable in environ:
        return environ[variable]
    if reference.get("optional"):
        return None
    raise Refused(
        f"the step reads the secret {reference.get('name')}/{reference.get('key')} as {variable}, and {variable} is not set here",
        code="secret-missing",
        fix=f"Set {variable} in the environment that Jupyter (or the command line) is started from, and run again.",
        where=Where(field=f"env.{variable}"),
    )
