"""Small notebooks about what hangs on the process and on classes: each must print the same with a process for every cell.

Written as in ``objects``; the standard library and IPython are all that they need.
"""

from __future__ import annotations

from tests.unit.session.objects import cells_of

_TEXT: dict[str, str] = {
    "class_counters": """
class A:
    n = 0
    seen = {}
    def __init__(self): type(self).n += 1; A.seen[A.n] = self
a = A()
# %%
b = A()
# %%
A.n += 10
# %%
c = A()
print(A.n, A.seen[1] is a, A.seen[2] is b, len(A.seen), c.n)
""",
    "class_attr_set_by_function": """
class Cfg: debug = False
def on(): Cfg.debug = True
def show(): return Cfg.debug
# %%
on()
# %%
print(show(), Cfg.debug)
""",
    "metaclass_state": """
class M(type):
    registry = {}
    count = 0
    def __new__(m, name, bases, ns):
        c = super().__new__(m, name, bases, ns); M.registry[name] = c; M.count += 1; return c
    def __call__(cls, *a):
        cls.made = getattr(cls, 'made', 0) + 1
        return super().__call__(*a)
class P(metaclass=M): pass
# %%
class Q(P): pass
q = Q()
# %%
class R(Q): pass
r = R(); Q()
# %%
print(sorted(M.registry), M.count, M.registry['Q'] is Q, Q.made, R.made, vars(R).get('made'), type(q) is Q)
""",
    "init_subclass": """
class Plugin:
    plugins = []
    def __init_subclass__(cls, /, tag=None, **k): super().__init_subclass__(**k); Plugin.plugins.append((tag, cls)); cls.tag = tag
class X(Plugin, tag='x'): pass
# %%
class Y(Plugin, tag='y'):
    pass
# %%
print([(t, c.__name__) for t, c in Plugin.plugins], Plugin.plugins[0][1] is X, Y.tag, Plugin.__subclasses__() == [X, Y])
""",
    "subclasses_unmentioned": """
class B: pass
def kinds(): return sorted(c.__name__ for c in B.__subclasses__())
# %%
class C(B): pass
class D(B): pass
# %%
print(kinds())
""",
    "several_definitions": """
class T:
    v = 1
    def who(self): return 'one', self.v
t1 = T()
# %%
class T:
    v = 2
    def who(self): return 'two', self.v
t2 = T()
# %%
type(t1).v = 100; T.v = 200
# %%
print(t1.who(), t2.who(), isinstance(t1, T), type(t1) is T, type(t2) is T)
""",
    "patch_methods": """
class T:
    def f(self): return 1
t = T()
# %%
T.f = lambda self: 2
# %%
old = T.f
def f3(self): return old(self) + 1
T.f = f3; t.f2 = t.f
# %%
print(t.f(), t.f2(), T().f())
""",
    "enum_state": """
import enum
class Color(enum.Enum):
    RED = 1; BLUE = 2
    def note(self, t): self.__class__.notes = getattr(self.__class__, 'notes', []) ; return t
class Fl(enum.Flag):
    A = enum.auto(); B = enum.auto()
s = {Color.RED: 1}; fl = Fl.A | Fl.B
# %%
Color.RED.weight = 5; Color.table = {'k': 1}
# %%
print(Color.RED.weight, Color.table, s[Color.RED], Color(1) is Color.RED, Color['BLUE'], list(Color), Fl.A in fl, fl == Fl.A | Fl.B, fl is (Fl.A|Fl.B))
""",
    "typing_protocol": """
from typing import Protocol, runtime_checkable, Generic, TypeVar, NamedTuple, TypedDict
T = TypeVar('T')
@runtime_checkable
class HasF(Protocol):
    def f(self): ...
class S(Generic[T]):
    cache = {}
    def f(self): return 1
    def __class_getitem__(cls, k): cls.cache[k] = 1; return super().__class_getitem__(k)
s = S()
class N(NamedTuple):
    a: int
    b: str = 'x'
class TD(TypedDict, total=False): z: int
n = N(1)
# %%
S[int]; S[str]
# %%
print(isinstance(s, HasF), isinstance(1, HasF), list(S.cache), n._asdict(), N._field_defaults, TD.__total__, S.__parameters__ == (T,), N(3)._replace(b='q'))
""",
    "slots_descriptors": """
class Desc:
    def __set_name__(self, o, n): self.n = n; self.log = getattr(self, 'log', []) + [n]
    def __get__(self, i, o): return self if i is None else i.__dict__.get(self.n, 0)
    def __set__(self, i, v): i.__dict__[self.n] = v; self.log.append(v)
class H:
    a = Desc(); b = Desc()
h = H(); h.a = 1
class Sl:
    __slots__ = ('x', '__weakref__', '__dict__')
sl = Sl(); sl.x = [1]; sl.y = 2
# %%
h.b = 5; sl.x.append(2)
# %%
print(H.a.log, H.b.log, h.a, h.b, sl.x, sl.y, H.a is vars(H)['a'])
""",
    "lru_on_method": """
import functools
calls = []
class K:
    @functools.lru_cache(None)
    def f(self, x): calls.append(x); return x * 2
    @functools.cached_property
    def p(self): calls.append('p'); return [1]
    @classmethod
    @functools.lru_cache
    def c(cls, x): calls.append(('c', x)); return x
k = K(); k.f(1); k.p; K.c(1)
# %%
k.f(1); k.f(2); k.p.append(2); K.c(1)
# %%
k.f(2); K.c(2); print(calls, k.p, K.f.cache_info())
""",
    "singledispatch_later": """
from functools import singledispatch, singledispatchmethod
@singledispatch
def show(x): return 'obj'
@show.register
def _(x: int): return 'int'
class Z:
    @singledispatchmethod
    def m(self, x): return 'base'
# %%
@show.register(list)
def _l(x): return 'list'
@Z.m.register(str)
def _s(self, x): return 'str'
class Q: pass
@show.register(Q)
def _q(x): return 'Q'
# %%
print(show(1), show([]), show(Q()), show('x'), Z().m('a'), Z().m(1), len(show.registry))
""",
    "class_closure_cell_super": """
class A:
    def f(self): return 'A'
class B(A):
    def f(self): return 'B' + super().f() + __class__.__name__
b = B()
# %%
A.f = lambda self: 'A2'
# %%
B.__bases__ = (type('Mid', (A,), {'f': lambda self: 'M' + super(type(self).__mro__[1], self).f()}),)
# %%
print(b.f(), [c.__name__ for c in B.__mro__])
""",
    "patched_builtin": """
import builtins
_print = print
def loud(*a, **k): _print('LOUD', *a, **k)
builtins.print = loud
# %%
x = 1
# %%
print(x)
""",
    "new_builtin_name": """
import builtins
builtins.answer = 42
# %%
print(answer)
""",
    "sys_attributes": """
import sys
sys.my_flag = [1]
sys.ps1 = 'zz'
# %%
sys.my_flag.append(2)
# %%
print(sys.my_flag, sys.ps1)
""",
    "os_attribute": """
import os
os.helper = lambda: 'h'
# %%
import os
print(os.helper())
""",
    "module_attribute_set_through_setattr": """
import math
setattr(math, 'tau2', 12)
# %%
import math
print(math.tau2)
""",
    "patch_in_a_function": """
import json
def patch():
    json.dumps = lambda o, **k: 'patched'
patch()
# %%
import json
print(json.dumps(1))
""",
    "patch_by_for_loop": """
import json
for m in [json]:
    m.loads = lambda s: 'p'
# %%
import json
print(json.loads('1'))
""",
    "gc": """
import gc
gc.disable(); gc.set_threshold(5, 6, 7); gc.freeze()
# %%
import gc
print(gc.isenabled(), gc.get_threshold())
""",
    "signal_handler": """
import signal
def onusr(s, f): print('got', s)
signal.signal(signal.SIGUSR1, onusr)
# %%
import os, signal, time
os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.05)
print(signal.getsignal(signal.SIGUSR1) is onusr)
""",
    "socket_timeout": """
import socket
socket.setdefaulttimeout(7)
# %%
import socket
print(socket.getdefaulttimeout())
""",
    "umask": """
import os
os.umask(0o077)
# %%
open('x', 'w').close(); import os, stat
print(oct(stat.S_IMODE(os.stat('x').st_mode)))
""",
    "locale_and_time": """
import time, os
os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()
# %%
import time
print(time.strftime('%H', time.localtime(0)), time.tzname)
""",
    "alias_magics": """
%alias hi echo hello %s
# %%
%hi bob
""",
    "alias_magic": """
%alias_magic t time
# %%
get_ipython().find_line_magic('t') is not None
""",
    "custom_magic_class": """
from IPython.core.magic import Magics, magics_class, line_magic, cell_magic
@magics_class
class My(Magics):
    count = 0
    @line_magic
    def bump(self, line):
        self.count += 1; print('bump', self.count, line)
get_ipython().register_magics(My)
# %%
%bump a
# %%
%bump b
""",
    "line_magic_function_with_state": """
from IPython.core.magic import register_line_magic, register_cell_magic, register_line_cell_magic
log = []
@register_line_magic
def note(line): log.append(line); return len(log)
@register_cell_magic
def shout(line, cell): print(cell.upper())
@register_line_cell_magic
def both(line, cell=None): print('both', line, cell)
# %%
%note one
# %%
%%shout
abc
# %%
%both x
# %%
print(log)
""",
    "events": """
def post(result=None): print('after')
get_ipython().events.register('post_run_cell', post)
# %%
x = 1
# %%
print(x)
""",
    "pre_events": """
def pre(info=None): print('pre')
get_ipython().events.register('pre_run_cell', pre)
# %%
x = 1
# %%
get_ipython().events.unregister('pre_run_cell', pre)
# %%
print(x)
""",
    "formatter_closure_state": """
from fractions import Fraction
seen = []
def mk(log):
    def show(o, p, c): log.append(1); p.text(f'n{len(log)}')
    return show
get_ipython().display_formatter.formatters['text/plain'].for_type(Fraction, mk(seen))
# %%
Fraction(1, 2)
# %%
Fraction(1, 2)
# %%
print(len(seen))
""",
    "custom_exc": """
def h(self, et, ev, tb, tb_offset=None): print('custom', et.__name__)
get_ipython().set_custom_exc((ZeroDivisionError,), h)
# %%
1/0
""",
    "mock_shared": """
from unittest import mock
import time
m = mock.Mock(return_value=None)
time.sleep = m
# %%
time.sleep(5)
# %%
time.sleep(6)
print(m.call_count, time.sleep is m, m.call_args_list)
""",
    "patch_closure_shared": """
import math
def counter():
    n = [0]
    def f(x): n[0] += 1; return n[0]
    return f, n
f, n = counter()
math.sqrt = f
# %%
math.sqrt(4)
# %%
print(n, math.sqrt is f)
""",
    "patch_instance_method_of_lib_class": """
import fractions
orig = fractions.Fraction.__str__
def s(self): return '<' + orig(self) + '>'
fractions.Fraction.__str__ = s
# %%
from fractions import Fraction
print(Fraction(1, 2))
# %%
Fraction.__str__ = orig
# %%
print(Fraction(1, 2))
""",
    "del_patch": """
import math
math.extra = 1
# %%
del math.extra
# %%
import math
print(hasattr(math, 'extra'))
""",
    "patch_class_in_function": """
import argparse
def add(cls): cls.hello = lambda self: 'hi'
add(argparse.Namespace)
# %%
import argparse
print(argparse.Namespace().hello())
""",
    "types.ModuleType_registry": """
import sys, types
m = types.ModuleType('fakemod'); m.v = [1]; sys.modules['fakemod'] = m
# %%
import fakemod
fakemod.v.append(2)
# %%
print(m.v, sys.modules['fakemod'] is m)
""",
    "weakset_tracked": """
import weakref
class T:
    live = weakref.WeakSet()
    def __init__(self): T.live.add(self)
a = T(); b = T()
# %%
del a
# %%
print(len(T.live))
""",
    "iter_consumed": """
it = iter([1, 2, 3]); next(it)
e = enumerate('abc'); z = zip([1, 2], 'ab'); next(e)
# %%
print(next(it), next(e))
# %%
print(list(it), list(e), list(z))
""",
    "mock_started_and_stopped": """
from unittest import mock
import os.path
p = mock.patch('os.path.exists', return_value='patched')
m = p.start()
# %%
import os.path
seen = os.path.exists('/nope')
# %%
p.stop()
import os.path
print(seen, m.call_count, os.path.exists('/nope'))
""",
    "arguments_of_the_program": """
import sys, csv
sys.argv[1:] = ['--n', '3']; sys.setswitchinterval(0.01); csv.field_size_limit(99); csv.register_dialect('mine', delimiter='|')
# %%
import argparse
p = argparse.ArgumentParser(); p.add_argument('--n', type=int)
# %%
import csv, sys
print(p.parse_args(), sys.getswitchinterval(), csv.get_dialect('mine').delimiter, csv.field_size_limit())
""",
}

HANGING = {name: cells_of(text) for name, text in _TEXT.items()}
