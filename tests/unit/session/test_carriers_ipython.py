"""What counts as set on IPython: what the notebook changed, not what IPython makes when it is used first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from traitlets import Bool, Int
from traitlets.config import Configurable

from jupyter_mlops.session.carriers.base import Context
from jupyter_mlops.session.carriers.ipython import Traits


class Shell(Configurable):
    width = Int(80).tag(config=True)
    configurables: tuple[Configurable, ...] = ()


class Late(Configurable):
    quiet = Bool(default_value=False).tag(config=True)


def captured(*, width: int = 80, quiet: bool | None = None) -> Any:
    shell = Shell()
    traits = Traits(Context(Path(), shell))
    shell.width = width
    if quiet is not None:
        shell.configurables = (Late(quiet=quiet),)
    return traits.capture()


def test_a_part_that_is_made_late_is_no_setting() -> None:
    assert captured() is None
    assert captured(quiet=False) is None


def test_what_is_set_on_a_part_that_is_made_late_is_one() -> None:
    assert captured(quiet=True) == [(("Late", "quiet"), True)]
    assert captured(width=100, quiet=False) == [(("InteractiveShell", "width"), 100)]
