"""Which Python an image has, as far as that can be known without starting it.

From its tag where it is one of Python's own images, else from its configuration: images built on Python's say
``PYTHON_VERSION`` there. What cannot be known is left to the step, which refuses another Python.
"""

from __future__ import annotations

from jupyter_mlops.settings import Target
from jupyter_mlops.targets.imagefacts import Looking, by_name

SECONDS = 3.0
"""How long a registry is waited for."""


def python_of(target: Target, image: str) -> str | None:
    """Its Python's minor version, like ``3.11``; None where that is not known."""
    if not image or (known := by_name(image)):
        return known if image else None
    return Looking(target, image, None, layers=False).facts(SECONDS).python or None
