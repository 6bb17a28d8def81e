"""What packages put into one another: colour maps, styles, methods on classes of pandas. Told by a later step that needs it."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.unit.runner.staging import Stage

EXTENDS = "def extend(cls):\n    def shout(self):\n        return f'{len(self)} rows!'\n    cls.shout = shout\n"
ACCESSOR = (
    "import pandas as pd\n@pd.api.extensions.register_dataframe_accessor('geo')\nclass Geo:\n    def __init__(self, frame):\n"
    "        self.frame = frame\n    def size(self):\n        return len(self.frame)\n"
)
MAPS = (
    "import matplotlib as mpl\nfrom matplotlib.colors import ListedColormap\n"
    "if 'mine' in mpl.colormaps:\n    raise RuntimeError('was registered before')\n"
    "mpl.colormaps.register(ListedColormap(['red', 'blue']), name='mine')\n"
)
PREPARE = f"open('extension.py', 'w').write({EXTENDS!r})\nopen('accessor.py', 'w').write({ACCESSOR!r})\nopen('maps.py', 'w').write({MAPS!r})"

CASES: dict[str, tuple[Sequence[str], str]] = {
    "a-colour-map": (["import maps", "import matplotlib.pyplot as plt\nprint(plt.get_cmap('mine').N)"], "2\n"),
    "a-colour-map-as-default": (
        [
            "import maps, matplotlib as mpl\nmpl.rcParams['image.cmap'] = 'mine'",
            "n = 1",
            "import matplotlib.pyplot as plt\nprint(plt.get_cmap().name, plt.rcParams['image.cmap'])",
        ],
        "mine mine\n",
    ),
    "a-colour-map-of-the-notebook": (
        [
            "import matplotlib as mpl\nfrom matplotlib.colors import ListedColormap\nmpl.colormaps.register(ListedColormap(['red'], name='own'))",
            "import matplotlib as mpl\nmpl.colormaps.unregister('own')",
            "import matplotlib as mpl\nprint('own' in mpl.colormaps, 'viridis' in mpl.colormaps)",
        ],
        "False True\n",
    ),
    "a-style": (
        [
            "import matplotlib.style as style, matplotlib as mpl\nstyle.library['loud'] = mpl.RcParams({'font.size': 31})\nstyle.available.append('loud')",
            "import matplotlib.pyplot as plt\nplt.style.use('loud')\nprint(plt.rcParams['font.size'], 'loud' in plt.style.available)",
        ],
        "31.0 True\n",
    ),
    "a-method-put-by-a-call": (
        [
            "import pandas as pd, extension\nextension.extend(pd.DataFrame)\nframe = pd.DataFrame({'a': [1, 2]})",
            "print(frame.shout())",
        ],
        "2 rows!\n",
    ),
    "a-method-in-the-place-of-another": (
        [
            "import extension\nfrom matplotlib.colors import Colormap\ndel Colormap._repr_png_\nextension.extend(Colormap)",
            "import matplotlib\nprint(matplotlib.colors.Colormap.shout.__qualname__)",
        ],
        "extend.<locals>.shout\n",
    ),
    "an-accessor": (
        ["import accessor, pandas as pd\nframe = pd.DataFrame({'a': [1, 2, 3]})", "print(frame.geo.size())"],
        "3\n",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_later_step_finds_it(name: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    cells, expected = CASES[name]
    stage = Stage(tmp_path, [PREPARE, *cells], [(index,) for index in range(len(cells) + 1)])
    ran = stage.run()
    assert ran[-1].code == 0, ran[-1].failure
    assert ran[-1].stream(len(cells)) == expected


@pytest.mark.slow
def test_a_package_that_is_imported_after_all_registers_its_own_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    cells = [
        PREPARE.replace("if 'mine' in mpl.colormaps", "if 0"),
        "import maps",
        "import matplotlib, maps\nprint('mine' in matplotlib.colormaps)",
    ]
    ran = Stage(tmp_path, cells, [(0,), (1,), (2,)]).run()
    assert ran[-1].code == 0, ran[-1].failure
    assert ran[-1].stream(2) == "True\n"


def test_what_pandas_has_of_its_own_is_not_taken_for_anothers(tmp_path: Path) -> None:
    """A fresh pandas, matplotlib and sklearn have nothing to carry: that would cost each step."""
    from jupyter_mlops.session.carriers.base import Context
    from jupyter_mlops.session.carriers.members import CLASSES, Members

    for package in ("pandas", "matplotlib", "sklearn"):
        importlib.import_module(package)
        assert Members(Context(tmp_path), package).capture() is None, package
        assert CLASSES[package]
