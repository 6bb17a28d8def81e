"""Notebooks with ``each``, ``when`` and ``finally``, and the plain Python that says what each of them means."""

from __future__ import annotations

import contextlib
import io
from typing import Any

Cell = tuple[str, dict[str, Any]]
"""Source, and the options of its step."""


def plain(source: str) -> str:
    """What plain Python prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(source, {})
    return out.getvalue()


EQUAL: dict[str, tuple[list[Cell], str]] = {
    "a list that an earlier step binds": (
        [
            ("import math\nrates = [0.5, 0.25, 0.125]\nbase = {'n': 2}", {"step": "load"}),
            ("score = round(math.sqrt(rate) * base['n'], 6)\nmodel = {'rate': rate, 'base': base}", {"step": "train", "each": "rate in rates"}),
            (
                "best = score.index(max(score))\nprint(rate, score, best, model[best], base, [m['base'] == base for m in model])",
                {"step": "best"},
            ),
        ],
        (
            "import math, copy\nrates = [0.5, 0.25, 0.125]\nbase = {'n': 2}\nrate, score, model = [], [], []\n"
            "for r in rates:\n    b = copy.deepcopy(base)\n    rate.append(r)\n    score.append(round(math.sqrt(r) * b['n'], 6))\n"
            "    model.append({'rate': r, 'base': b})\nbest = score.index(max(score))\n"
            "print(rate, score, best, model[best], base, [m['base'] == base for m in model])"
        ),
    ),
    "items of every JSON type, written out": (
        [
            (
                "kind = type(x).__name__\nwhole = repr(x)",
                {"step": "look", "each": {"x": [1, -2, 0.5, 'a "b" {{c}} %s \\ ü', None, True, [1, [2]], {"a": {"b": 1}}]}},
            ),
            ("print(kind, whole, x)", {"step": "show"}),
        ],
        (
            "x = [1, -2, 0.5, 'a \"b\" {{c}} %s \\\\ ü', None, True, [1, [2]], {'a': {'b': 1}}]\n"
            "print([type(i).__name__ for i in x], [repr(i) for i in x], x)"
        ),
    ),
    "no items": (
        [
            ("rates = []", {"step": "load"}),
            ("score = rate * 2", {"step": "train", "each": "rate in rates"}),
            ("print(rate, score)", {"step": "best"}),
        ],
        "print([], [])",
    ),
    "functions, classes and modules stay one": (
        [
            ("class Net:\n    def __init__(self, n): self.n = n", {"step": "load"}),
            (
                "import math\ndef twice(v): return 2 * v\nnet = Net(twice(n))\nroot = math.sqrt(n)",
                {"step": "train", "each": "n in [1, 4, 9]"},
            ),
            ("print([x.n for x in net], root, twice(4), math.pi, all(isinstance(x, Net) for x in net))", {"step": "best"}),
        ],
        "import math\nprint([2, 8, 18], [1.0, 2.0, 3.0], 8, math.pi, True)",
    ),
    "files of branches come together": (
        [
            ("open('all.txt', 'w').write('start')", {"step": "load"}),
            ("text = open('all.txt').read()\nopen(f'part-{n}.txt', 'w').write(str(n))", {"step": "part", "each": "n in [1, 2]"}),
            ("import os\nprint(sorted(p for p in os.listdir() if p.endswith('.txt')), open('part-2.txt').read(), text)", {"step": "all"}),
        ],
        "print(['all.txt', 'part-1.txt', 'part-2.txt'], '2', ['start', 'start'])",
    ),
    "random numbers: every branch begins alike": (
        [
            ("import random\nrandom.seed(7)", {"step": "load"}),
            ("drawn = random.random() + n", {"step": "draw", "each": "n in range(3)"}),
            ("print(drawn, random.random())", {"step": "show"}),
        ],
        (
            "import random\nrandom.seed(7)\ns = random.getstate()\nd = []\nfor n in range(3):\n    random.setstate(s)\n"
            "    d.append(random.random() + n)\nprint(d, random.random())"
        ),
    ),
    "one fan-out behind another": (
        [
            ("a = [1, 2]", {"step": "load"}),
            ("b = x * 10", {"step": "first", "each": "x in a"}),
            ("c = y + 1", {"step": "second", "each": "y in b"}),
            ("print(x, b, y, c)", {"step": "show"}),
        ],
        "print([1, 2], [10, 20], [10, 20], [11, 21])",
    ),
    "a condition that is true": (
        [
            ("score = 0.5", {"step": "load"}),
            ("score = 0.9\nextra = [1]", {"step": "tune", "when": "score < 0.7"}),
            ("print(score, extra)", {"step": "show"}),
        ],
        "print(0.9, [1])",
    ),
    "a condition that is false passes the state on": (
        [
            ("score = 0.8\nextra = [0]", {"step": "load"}),
            ("score = 0.9\nextra.append(1)", {"step": "tune", "when": "score < 0.7"}),
            ("print(score, extra)", {"step": "show"}),
        ],
        "print(0.8, [0])",
    ),
    "conditions one after the other": (
        [
            ("n = 1", {"step": "load"}),
            ("n += 1", {"step": "a", "when": "n == 1"}),
            ("n += 10", {"step": "b", "when": "n == 1"}),
            ("n += 100", {"step": "c", "when": "n > 1"}),
            ("print(n)", {"step": "show"}),
        ],
        "n = 1\nif n == 1:\n    n += 1\nif n == 1:\n    n += 10\nif n > 1:\n    n += 100\nprint(n)",
    ),
    "finally, when all went well": (
        [
            ("done = [1]", {"step": "load"}),
            ("print(outcome, done)", {"step": "report", "finally": "outcome"}),
        ],
        "print('Succeeded', [1])",
    ),
}  # fmt: skip
