"""What a module of the working folder keeps is the same with a process for every cell: its names, and what its classes keep."""

from __future__ import annotations

import pytest

from tests.unit.session.processes import in_one_process, in_processes, warm

warm()

MODULES = {
    "a count of the module": (
        "COUNT = 0\ndef bump():\n    global COUNT\n    COUNT += 1\n    return COUNT",
        ["print(mod.bump())", "print(mod.bump(), mod.COUNT)"],
    ),
    "a count of a class": (
        "class C:\n    made = 0\n    def __init__(self): C.made += 1",
        ["c = mod.C()", "print(mod.C.made, c.made, mod.C().made)"],
    ),
    "a registry of a base class": (
        "class Base:\n    known = {}\n    def __init_subclass__(cls): Base.known[cls.__name__] = cls\nclass A(Base): pass",
        ["class B(mod.Base): pass", "print(list(mod.Base.known), mod.A.known is mod.Base.known)"],
    ),
    "one list by two names": (
        "LOG = []\nclass C:\n    log = LOG\n    def say(self, it): self.log.append(it)",
        ["mod.C().say(1)", "mod.C().say(2)\nprint(mod.LOG, mod.C.log is mod.LOG)"],
    ),
    "a class in a class": (
        "class A:\n    class B:\n        n = 0\n        @classmethod\n        def up(cls): cls.n += 1",
        ["mod.A.B.up()", "mod.A.B.up()\nprint(mod.A.B.n)"],
    ),
    "the one instance": (
        "class One:\n    _it = None\n    def __new__(cls):\n        if cls._it is None: cls._it = super().__new__(cls)\n        return cls._it",
        ["o = mod.One()\no.seen = 1", "print(mod.One() is o, mod.One().seen)"],
    ),
    "an attribute that a cell gave a class": ("class C: pass", ["mod.C.n = 5", "print(mod.C.n)"]),
    "members of an enumeration, slots, fields": (
        ("import enum, dataclasses, abc, typing\nclass E(enum.Enum):\n    A = 1\n@dataclasses.dataclass\nclass D:\n    n: int = 3\n"
        "class S:\n    __slots__ = ('x',)\nclass T(typing.NamedTuple):\n    n: int = 2\nclass P(abc.ABC):\n    n = 1"),
        ["e, d, s, t = mod.E.A, mod.D(), mod.S(), mod.T()\nmod.P.n = 7", "print(e is mod.E.A, d, hasattr(s, 'x'), t, mod.P.n, mod.D().n)"],
    ),
    "what cannot be stored is made by the import again": (
        "import threading\nclass C:\n    lock = threading.Lock()\n    n = 0",
        ["mod.C.n = 2", "print(mod.C.n, mod.C.lock.locked())"],
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_the_state_of_a_module_is_that_of_one_kernel(name: str) -> None:
    source, (first, second) = MODULES[name]
    cells = [f"open('mod.py', 'w').write({source!r} + '\\n')\nimport sys\nsys.path.insert(0, '')", f"import mod\n{first}", second]
    expected = in_one_process(cells)
    assert [cell.error for cell in expected] == [""] * len(cells)
    assert expected[-1].printed
    assert in_processes(cells) == expected
