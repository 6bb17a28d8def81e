"""What a format can do: tell the models that it keeps, write one as a file, and read it back as something to call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

Predict = Callable[[Any], Any]
"""What is called with rows."""

Runs = Literal["nothing", "joblib", "pickle", "torch", "anything"]
"""Nothing; what the names in a pickle say, which one of these unpicklers calls; whatever code lies beside it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What writing a model left in its folder."""

    format: str
    """Name of the format, as the card says it."""

    file: str
    """Name of the file, or of the folder, that loads the model again."""

    pickle: bool
    """Whether loading it can run code: true of each file that is a pickle, whatever it is called."""

    note: str = ""
    """Why a format that is preferred to this one did not keep the model; '' where none is."""


class UnsuitedError(Exception):
    """A format cannot keep this model as it is; the text says why, and the next format is tried."""


class Format(Protocol):
    """One way to keep models. ``owns`` and ``write`` run in a notebook, ``read`` in the process that serves."""

    @property
    def name(self) -> str:
        """As the card's ``format``."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Distributions that reading takes, e.g. ``("scikit-learn", "joblib")``; the first is the framework's own."""

    @property
    def runs(self) -> Runs:
        """What reading a file can run, which the ``gate`` asks about."""

    def owns(self, model: Any) -> bool:
        """Whether this format is for such models. Imports no framework that is not imported."""

    def write(self, model: Any, folder: Path) -> Written:
        """Write the model into an existing folder.

        Raises:
            UnsuitedError: this one it cannot keep.
            TypeError, AttributeError, RecursionError, pickle.PicklingError: the model holds what no file can.
        """

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """The model of a file that ``write`` made, or that came in under this format's name.

        A function of rows where that is all that the file gives; ``calling.predict_of`` calls either.

        Raises:
            PlatformError: the file is of another kind, or this interpreter cannot have it.
            ImportError: one of ``needs`` is not installed.
        """
