"""Notebooks that set something on the process, on IPython or on logging in one cell, and see it in another."""

from __future__ import annotations

SETTINGS: dict[str, list[str]] = {
    # -- IPython -------------------------------------------------------------------------------------------------------
    "every_expression": ["get_ipython().ast_node_interactivity = 'all'", "1\n2"],
    "every_expression_by_class": [
        "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.ast_node_interactivity = 'all'",
        "1\n2",
        "3\n4",
    ],
    "every_expression_and_back": [
        "ip = get_ipython()\nip.ast_node_interactivity = 'all'",
        "1\n2",
        "get_ipython().ast_node_interactivity = 'last_expr'",
        "3\n4",
    ],
    "precision": ["%precision 3", "import math\nmath.pi", "%precision\nmath.pi", "math.pi"],
    "pprint_off": ["%pprint", "list(range(60))"],
    "printer_of_own_type": [
        "class Thing: pass\nt = Thing()\nsay = 'a thing'\nfmt = get_ipython().display_formatter.formatters['text/plain']\nfmt.for_type(Thing, lambda o, p, c: p.text(say))",
        "t",
        "t",
    ],
    "printer_of_library_type": [
        "from fractions import Fraction\nfmt = get_ipython().display_formatter.formatters['text/plain']\nfmt.for_type(Fraction, lambda o, p, c: p.text('f'))\nNone",
        "from fractions import Fraction\nFraction(1, 2)",
    ],
    "own_magic": [
        "from IPython.core.magic import register_line_magic\nbase = 4\n@register_line_magic\ndef double(line):\n    return base + 2 * int(line)\ndel double",
        "get_ipython().run_line_magic('double', '4')",
        "x = get_ipython().run_line_magic('double', '5')\nprint(x)",
    ],
    # -- logging -------------------------------------------------------------------------------------------------------
    "logging_to_file": [
        "import logging\nlog = logging.getLogger('m')\nlog.addHandler(logging.FileHandler('run.log'))\nlog.warning('one')\ndel log",
        "import logging\nlogging.getLogger('m').warning('two')",
        "print(open('run.log').read(), len(logging.getLogger('m').handlers))",
    ],
    "logging_disabled": ["import logging\nlogging.disable(logging.ERROR)\nlogging.getLogger('q').disabled = True",
                         "import logging\nprint(logging.root.manager.disable, logging.getLogger('q').disabled)"],
    # -- memory shared as a buffer --------------------------------------------------------------------------------------
    "memoryview_of_array": [
        "import numpy as np\nmat = np.arange(6.0).reshape(2, 3)\nmv = memoryview(mat)",
        "mat[0, 0] = 9",
        "print(mv[0, 0], mv.format, mv.shape, mv.nbytes, mv.readonly)\ndel mv",
    ],
    "array_over_bytearray": [
        "import numpy as np\nba = bytearray(b'abcdef')\nv = np.frombuffer(ba, dtype='u1')\nw = v[2:4]",
        "ba[0] = 122\nw[0] = 65",
        "print(v.tolist(), ba, w.tolist())",
    ],
    "memoryview_of_bytes": ["m = memoryview(bytearray(b'abcd')).cast('H')", "m[0] = 7", "print(m.tolist(), m.format)\ndel m"],
    # -- the process ---------------------------------------------------------------------------------------------------
    "recursion_limit": [
        "import sys\nsys.setrecursionlimit(2500)",
        "import sys\nprint(sys.getrecursionlimit())\ndef f(n): return n and 1 + f(n - 1)\nprint(f(2000))",
    ],
    "locale": ["import locale\nlocale.setlocale(locale.LC_ALL, 'C')", "import locale\nprint(locale.setlocale(locale.LC_NUMERIC))"],
}  # fmt: skip
