"""Small notebooks about objects that share, refer and define: each must print the same with a process for every cell.

``OBJECTS`` needs the standard library only. Cells are parted by ``# %%``; the last one prints what the others left.
"""

from __future__ import annotations

import re

_TEXT: dict[str, str] = {
    # -- identity ------------------------------------------------------------------------------------------------------
    "alias_across_nesting": """
inner = {'n': 0}
outer = [{'k': (1, [inner])}, {inner_key: inner for inner_key in 'ab'}]
# %%
outer[0]['k'][1][0]['n'] += 1
# %%
print(inner, outer[1]['a'] is inner, outer[1]['b'] is outer[1]['a'])
""",
    "functions_of_the_one_generator": """
from random import seed, random, choice
import random as r
inst = r._inst
# %%
seed(3)
# %%
print(random(), choice('abcdef'), inst is r._inst, inst.random())
# %%
print(r.random(), random())
""",
    "what_a_process_has_once": """
import os, sys
env, hold = os.environ, {'path': sys.path, 'out': sys.stdout}
# %%
hold['path'].append('/there')
# %%
print(env is os.environ, hold['path'] is sys.path, sys.path[-1], callable(hold['out'].write))
del env, hold
""",
    "empty_containers_apart": """
a, b, c = [], [], {}
box = [a, b]
# %%
a.append(1)
# %%
print(a, b, box, box[0] is a, box[1] is b)
""",
    "slice_does_not_share": """
a = [[1], [2]]
b = a[:]
# %%
b.append([3]); b[0].append(9)
# %%
print(a, b, a[0] is b[0])
""",
    "cycle_through_everything": """
class Node:
    def __init__(self): self.links = {}
n, m = Node(), Node()
n.links['m'] = (m, [n]); m.links['n'] = {'back': n}
def f(): return f.me
f.me = [n, f]
# %%
n.links['m'][1].append('x')
# %%
print(m.links['n']['back'] is n, n.links['m'][1][0] is n, f()[1] is f, f.me[0] is n, n.links['m'][1][1])
""",
    "set_of_objects": """
class K:
    def __init__(self, v): self.v = v
    def __hash__(self): return hash(self.v)
    def __eq__(self, o): return self.v == o.v
k = K(3)
s = {k, K(4)}
d = {k: [k]}
# %%
next(iter(d[K(3)])).extra = 'e'
# %%
print(k.extra, K(3) in s, any(x is k for x in s), len(s), list(d)[0] is k)
""",
    "chainmap_and_proxies": """
from collections import ChainMap, UserDict, UserList
from types import MappingProxyType, SimpleNamespace
base = {'a': 1}
cm = ChainMap({}, base)
view = MappingProxyType(base)
ns = SimpleNamespace(b=base)
ud, ul = UserDict(base), UserList([base])
# %%
base['z'] = 26
ns.b['y'] = 25
# %%
print(cm['z'], view['y'], ud.data is base, ul[0] is base, sorted(view))
""",
    "views_of_a_dict": """
d = {'a': 1}
ks, vs, its = d.keys(), d.values(), d.items()
# %%
d['b'] = 2
# %%
print(list(ks), list(vs), list(its))
""",
    "heap_and_queue": """
import heapq, queue
h = []
heapq.heappush(h, (2, 'b')); heapq.heappush(h, (1, 'a'))
# %%
heapq.heappush(h, (0, 'z'))
# %%
print(heapq.heappop(h), h)
""",
    "deep_list": """
deep = leaf = []
for _ in range(5000):
    deep = [deep]
# %%
leaf.append('end')
# %%
x = deep
for _ in range(5000): x = x[0]
print(x, x is leaf)
""",
    "linked_list": """
class N:
    def __init__(self, v, nxt): self.v, self.next = v, nxt
head = None
for i in range(3000): head = N(i, head)
# %%
head.next.v = 'changed'
# %%
n, x = 0, head
while x: n, x = n + 1, x.next
print(n, head.next.v)
""",
    # -- functions -----------------------------------------------------------------------------------------------------
    "methods_of_every_kind": """
class C:
    log = []
    @staticmethod
    def s(x): C.log.append(('s', x)); return len(C.log)
    @classmethod
    def c(cls, x): cls.log.append(('c', x)); return cls
    def i(self, x): self.log.append(('i', x)); return self
c = C()
fs = [C.s, C.c, c.i, C.i, c.s]
# %%
fs[0](1); fs[1](2); fs[2](3); fs[3](c, 4); fs[4](5)
# %%
print(C.log, fs[1].__self__ is C, fs[2].__self__ is c, fs[0] is C.s)
""",
    "decorators_with_state": """
import functools
calls = {}
def counted(f):
    @functools.wraps(f)
    def inner(*a, **k):
        calls[f.__name__] = calls.get(f.__name__, 0) + 1
        inner.n += 1
        return f(*a, **k)
    inner.n = 0
    return inner
@counted
def add(a, b=2): return a + b
plain = add.__wrapped__
# %%
add(1); add(2)
# %%
print(calls, add.n, add.__name__, add.__wrapped__ is plain, plain.__defaults__)
""",
    "decorator_class": """
class memo:
    def __init__(self, f): self.f, self.seen = f, {}
    def __call__(self, x):
        if x not in self.seen: self.seen[x] = self.f(x)
        return self.seen[x]
runs = []
@memo
def slow(x):
    runs.append(x)
    return x * 2
# %%
slow(1); slow(1); slow(2)
# %%
slow(2); print(runs, slow.seen)
""",
    "partials_and_operators": """
from functools import partial, partialmethod, reduce
from operator import itemgetter, attrgetter, methodcaller
acc = []
add = partial(acc.append)
twice = partial(partial(lambda f, x: [f(x), f(x)], add))
get, attr, call = itemgetter('k', 'j'), attrgetter('real'), methodcaller('upper')
class C:
    def scale(self, k): return self.v * k
    double = partialmethod(scale, 2)
c = C(); c.v = 4
add.note = 'n'
# %%
twice(7)
# %%
print(acc, get({'k': 1, 'j': 2}), attr(3), call('a'), c.double(), add.note, add.func.__self__ is acc)
""",
    "keyword_only_and_annotations": """
def f(a, /, b: int = 1, *args, c: list = [], **kw) -> 'str':
    'doc of f'
    c.append(b)
    return (a, b, args, list(c), kw)
import inspect
# %%
f(1); f(1, 5)
# %%
print(f(0, 2, 3, z=4), f.__doc__, inspect.signature(f), f.__annotations__)
""",
    "closures_in_a_loop": """
fs = [lambda: i for i in range(3)]
gs = [lambda i=i: i for i in range(3)]
def make():
    out = []
    for j in range(3):
        def put(v):
            nonlocal j
            j = v
        out.append((lambda: j, put))
    return out
hs = make()
# %%
hs[0][1](50)
# %%
print([f() for f in fs], [g() for g in gs], [h[0]() for h in hs])
""",
    "function_changed_in_place": """
def f(x=1): return x
g = f
# %%
f.__defaults__ = (10,)
f.__doc__ = 'new'
# %%
f.__code__ = (lambda x=2: x * 3).__code__
# %%
print(g(), g.__doc__, f is g)
""",
    "recursive_closure": """
def outer():
    def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
    return fib
fib = outer()
# %%
print(fib(10))
""",
    "empty_cell_filled_later": """
def make():
    def get(): return late
    def put(v):
        nonlocal late
        late = v
    if False: late = None
    return get, put
get, put = make()
# %%
try: get()
except NameError as e: print('free variable' in str(e))
put(5)
# %%
print(get())
""",
    "generator_function_state": """
def numbers(n=[0]):
    while True:
        n[0] += 1
        yield n[0]
first = next(numbers())
# %%
second = next(numbers())
# %%
print(first, second, next(numbers()))
""",
    "async_pieces": """
import asyncio, contextlib
class AM:
    async def __aenter__(self): self.n = 1; return self
    async def __aexit__(self, *a): self.n = 2
    def __aiter__(self): self.i = 0; return self
    async def __anext__(self):
        self.i += 1
        if self.i > 2: raise StopAsyncIteration
        return self.i
am = AM()
# %%
async def use():
    async with am as x: got = [i async for i in x]
    return got, am.n
# %%
def drive(c):
    try:
        while True: c.send(None)
    except StopIteration as e: return e.value
print(drive(use()))
""",
    # -- classes -------------------------------------------------------------------------------------------------------
    "three_definitions_of_one_class": """
class V:
    made = []
    def tag(self): return 'one'
    def __init__(self): V.made.append(self)
a = V()
# %%
Old = V
class V:
    made = []
    def tag(self): return 'two'
    def __init__(self): V.made.append(self)
b = V()
# %%
class V(Old):
    def tag(self): return 'three' + super().tag()
c = V.__new__(V)
# %%
print(a.tag(), b.tag(), c.tag(), isinstance(a, Old), isinstance(b, Old), isinstance(c, Old), isinstance(a, V), type(b) is type(a))
""",
    "old_methods_of_a_new_class": """
class C:
    def f(self): return 'old'
m, u = C().f, C.f
# %%
class C:
    def f(self): return 'new'
# %%
print(m(), u(C()), C().f())
""",
    "redefined_with_same_body": """
class C:
    x = 1
old = C()
# %%
class C:
    x = 1
new = C()
# %%
C.x = 2
# %%
print(old.x, new.x, type(old) is type(new), isinstance(old, C))
""",
    "metaclass_with_registry": """
class Registry(type):
    classes = {}
    def __new__(m, name, bases, ns, tag=None):
        cls = super().__new__(m, name, bases, ns)
        m.classes[name] = cls
        return cls
    def __init__(cls, name, bases, ns, tag=None):
        cls.tag = tag
    def __len__(cls): return len(cls.classes)
class A(metaclass=Registry, tag='a'): pass
# %%
class B(A, tag='b'): pass
# %%
print(sorted(Registry.classes), Registry.classes['A'] is A, len(A), A.tag, B.tag, type(B) is Registry)
""",
    "metaclass_prepare_and_call": """
class Ordered(type):
    @classmethod
    def __prepare__(m, name, bases): return {'prepared': True}
    def __call__(cls, *a, **k):
        if not hasattr(cls, 'one'): cls.one = super().__call__(*a, **k)
        return cls.one
class S(metaclass=Ordered): pass
s = S()
# %%
t = S()
# %%
print(s is t, S() is s, S.prepared)
""",
    "enum_kinds": """
from enum import Enum, IntEnum, IntFlag, StrEnum, auto
class C(Enum):
    RED = 1
    BLUE = 2
    ALSO = 2
    def shade(self): return self.name.lower()
    @classmethod
    def pick(cls): return cls.RED
class I(IntEnum):
    A = 3
class S(StrEnum):
    X = auto()
class F(IntFlag):
    R = 1
    W = 2
class Planet(Enum):
    EARTH = (5, 6)
    def __init__(self, m, r): self.m, self.r = m, r
C.RED.notes = []
held = {C.RED: [C.ALSO], 'f': F.R | F.W, 'i': I.A, 's': S.X, 'p': Planet.EARTH}
# %%
held[C.RED].append(C.pick()); C.RED.notes.append(1)
# %%
print(C.RED.notes, held[C.RED][1] is C.RED, held['f'] == 3, F.R in held['f'], held['i'] + 1, held['s'] == 'x', held['p'].r, list(C), C['RED'].shade(), C['ALSO'] is C.BLUE)
""",
    "dataclass_kinds": """
from dataclasses import dataclass, field, asdict, replace, KW_ONLY, InitVar
@dataclass(slots=True)
class P:
    x: int
    y: list = field(default_factory=list)
@dataclass(frozen=True)
class F:
    p: P
    k: tuple = ()
@dataclass
class D(P):
    z: 'int' = 0
    _: KW_ONLY
    w: int = field(default=1, repr=False, compare=False)
    seed: InitVar[int] = 3
    def __post_init__(self, seed): self.y.append(seed)
p = P(1); f = F(p, (p,)); d = D(1, [0])
# %%
p.y.append('seen'); d.z = 5
# %%
print(f, f.k[0] is p, asdict(d), replace(p, x=9), D(2).y, d == D(1, [0], 5))
try: f.p = 1
except AttributeError as e: print(type(e).__name__)
""",
    "namedtuple_with_methods": """
from typing import NamedTuple, TypedDict
from collections import namedtuple
class Pt(NamedTuple):
    x: int
    y: list = []
    def up(self): return self._replace(x=self.x + 1)
T = namedtuple('T', ['a', 'b'], defaults=[5])
class TD(TypedDict, total=False):
    k: int
pt, t, td = Pt(1), T(1), TD(k=3)
# %%
pt.y.append(7)
# %%
print(pt.up(), Pt(0).y, t, T(2), isinstance(pt, Pt), td, TD.__annotations__)
""",
    "slots_of_many_classes": """
class A:
    __slots__ = ('x', '__weakref__')
class B(A):
    __slots__ = ('y',)
    def __init__(self): self.x = [1]
class M(B): pass
b, m = B(), M()
m.extra = b
# %%
b.y = b.x
m.extra.x.append(2)
# %%
print(b.y, b.x is b.y, m.extra is b, hasattr(m, 'y'), B.__slots__, m.x)
""",
    "properties_and_descriptors": """
class Typed:
    def __set_name__(self, o, n): self.n = n
    def __get__(self, o, t): return self if o is None else o.__dict__.get(self.n, self.default)
    def __set__(self, o, v): o.__dict__[self.n] = v; self.sets += 1
    def __init__(self, default): self.default, self.sets = default, 0
class C:
    a = Typed(1)
    b = Typed(2)
    @property
    def both(self):
        'sum'
        return self.a + self.b
    @both.setter
    def both(self, v): self.a = self.b = v
    @both.deleter
    def both(self): self.__dict__.clear()
c = C()
# %%
c.both = 10
# %%
print(c.both, C.a.sets, C.b.sets, C.both.__doc__)
del c.both
print(c.both)
""",
    "abstract_and_virtual": """
from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable
class Shape(ABC):
    @abstractmethod
    def area(self): ...
    @property
    @abstractmethod
    def name(self): ...
class Duck: pass
Shape.register(Duck)
@runtime_checkable
class Quack(Protocol):
    def quack(self): ...
class Q:
    def quack(self): return 'q'
d, q = Duck(), Q()
# %%
print(isinstance(d, Shape), issubclass(Duck, Shape), isinstance(q, Quack), isinstance(d, Quack), sorted(Shape.__abstractmethods__))
""",
    "class_level_state_through_instances": """
class Base:
    count = 0
    items: list = []
    def __init__(self): type(self).count += 1; self.items.append(type(self).__name__)
class A(Base): pass
class B(Base): count = 100
a, b = A(), B()
# %%
A(); B()
# %%
print(Base.count, A.count, B.count, Base.items, a.items is B.items)
""",
    "methods_patched_in_many_ways": """
class C:
    def f(self): return 1
c, d = C(), C()
orig = C.f
# %%
C.f = lambda self: orig(self) + 10
c.f = lambda: 'own'
C.g = property(lambda self: self.f())
# %%
del C.f
C.f = orig
# %%
print(c.f(), d.f(), c.g, d.g, C.f is orig)
""",
    "bases_and_class_changed": """
class A:
    def who(self): return 'A'
class B:
    def who(self): return 'B'
class C(A): pass
x, y = C(), A()
# %%
C.__bases__ = (B,)
y.__class__ = B
# %%
print(x.who(), y.who(), C.__mro__[1].__name__, type(y) is B)
""",
    "getattr_and_getattribute": """
class Lazy:
    def __init__(self): self.log = []
    def __getattr__(self, n):
        if n.startswith('_'): raise AttributeError(n)
        self.log.append(n); return n.upper()
class Strict:
    def __getattribute__(self, n): return 'always' if n == 'x' else object.__getattribute__(self, n)
class Frozen:
    def __init__(self, v): object.__setattr__(self, 'v', v)
    def __setattr__(self, *a): raise TypeError('frozen')
l, s, f = Lazy(), Strict(), Frozen([1])
# %%
l.foo; s.y = 3
f.v.append(2)
# %%
print(l.log, s.x, s.y, f.v)
try: f.v = 1
except TypeError as e: print(e)
""",
    "new_with_arguments": """
class Temp(float):
    def __new__(cls, v, unit='C'):
        o = super().__new__(cls, v); o.unit = unit; return o
class Money(int):
    def __new__(cls, v, *, cur): return super().__new__(cls, v)
    def __init__(self, v, *, cur): self.cur = cur
class Name(str):
    __slots__ = ()
class Rows(list):
    def __init__(self, it, tag): super().__init__(it); self.tag = tag
class D(dict):
    def __missing__(self, k): return self.setdefault(k, [])
t, m, n, r, d = Temp(3.5, 'F'), Money(5, cur='EUR'), Name('n'), Rows([1], 'tag'), D()
# %%
r.append(2); d['new'].append(1)
# %%
print(t + 1, t.unit, m + 1, m.cur, n.upper(), type(n).__name__, r, r.tag, d, type(d) is D)
""",
    "pickle_protocol_methods": """
class G:
    def __init__(self): self.keep, self.drop = [1], 'x'
    def __getstate__(self): return {'keep': self.keep}
    def __setstate__(self, s): self.__dict__.update(s)
class R:
    def __init__(self, a): self.a = a
    def __reduce__(self): return (R, (self.a,), {'extra': getattr(self, 'extra', None)})
class N:
    def __new__(cls, a): o = super().__new__(cls); o.a = a; return o
    def __getnewargs__(self): return (self.a,)
class X:
    def __new__(cls, *, a): o = super().__new__(cls); o.a = a; return o
    def __getnewargs_ex__(self): return (), {'a': self.a}
shared = [0]
g, r, n, x = G(), R(shared), N(shared), X(a=shared)
r.extra = shared
# %%
shared.append(1); g.keep.append(2)
# %%
print(g.keep, r.a, r.extra is shared, n.a is shared, x.a is r.a)
""",
    "copyreg_of_notebook": """
import copyreg
class C:
    def __init__(self, v): self.v, self.tmp = v, (i for i in ())
copyreg.pickle(C, lambda c: (C, (c.v,)))
c = C([1])
# %%
import copyreg
c.v.append(2)
# %%
print(c.v, type(c).__name__)
""",
    "singledispatch_kinds": """
from functools import singledispatch, singledispatchmethod
@singledispatch
def show(x): return 'any'
class A: pass
@show.register
def _(x: A): return 'A'
@show.register(list)
def _(x): return 'list'
class V:
    @singledispatchmethod
    def go(self, x): return 'any'
    @go.register
    def _(self, x: int): return 'int'
v = V()
# %%
class B(A): pass
@show.register
def _(x: dict): return 'dict'
# %%
print(show(1), show(A()), show(B()), show([]), show({}), v.go(1), v.go('s'))
""",
    "caches": """
from functools import lru_cache, cache, cached_property
n = [0]
@cache
def f(x): n[0] += 1; return [x]
class C:
    @lru_cache(maxsize=4)
    def m(self, x): n[0] += 10; return x
    @cached_property
    def p(self): n[0] += 100; return [1]
c = C()
one = f(1); c.m(1); p = c.p
# %%
f(1).append('in'); c.m(1); c.p.append(2)
# %%
print(n, one, f(1) is one, p, c.p is p, f.cache_info(), C.m.cache_info())
""",
    "context_managers": """
import contextlib
log = []
class T:
    def __enter__(self): log.append('in'); return self
    def __exit__(self, *a): log.append('out'); return True
@contextlib.contextmanager
def cm(v):
    log.append(v)
    try: yield v
    finally: log.append('done')
t, stack = T(), contextlib.ExitStack()
null = contextlib.nullcontext(log)
# %%
with t, cm(1): raise ValueError
# %%
with null as same: print(same is log, log)
""",
    "exceptions_kept": """
class E(Exception):
    def __init__(self, a, *, b): super().__init__(a); self.b = b
    def __str__(self): return f'{self.args} {self.b}'
try:
    try: raise KeyError('k')
    except KeyError as k: raise E(1, b=[2]) from k
except E as caught: kept = caught
group = ExceptionGroup('g', [ValueError(1), kept])
# %%
kept.b.append(3)
kept.add_note('a note')
# %%
print(str(kept), repr(kept.__cause__), kept.__notes__, group.exceptions[1] is kept, type(kept).__name__)
""",
    "generic_and_typing": """
from typing import Generic, TypeVar, Callable, Union, Literal, ParamSpec, Annotated, NewType
T = TypeVar('T', bound='Base'); P = ParamSpec('P')
class Base: pass
class Box(Generic[T]):
    def __init__(self, v): self.v = v
Alias = dict[str, list[Base]]
U = Union[int, Base, None]
Id = NewType('Id', int)
A = Annotated[Base, 'meta']
b = Box[Base](Base())
# %%
print(Alias.__args__[1].__args__[0] is Base, U.__args__[1] is Base, Box[int].__origin__ is Box, A.__metadata__, Id(3), type(b.v) is Base)
""",
    "weak_references": """
import weakref
class O:
    def __init__(self, n): self.n = n
    def m(self): return self.n
o, p = O(1), O(2)
r = weakref.ref(o)
wm = weakref.WeakMethod(o.m)
vals, keys, ws = weakref.WeakValueDictionary({'o': o, 'p': p}), weakref.WeakKeyDictionary({o: [1], p: [2]}), weakref.WeakSet([o, p])
prox = weakref.proxy(o)
dead = weakref.ref(O(3))
# %%
o.n = 10
keys[o].append('more')
# %%
print(r() is o, wm()(), vals['o'] is o, keys[o], len(ws), prox.n, dead())
del p
print(len(vals), len(keys), len(ws))
""",
    "weak_parent": """
import weakref
class Tree:
    def __init__(self, parent=None):
        self.parent = weakref.ref(parent) if parent else None
        self.kids = []
        if parent: parent.kids.append(self)
root = Tree(); kid = Tree(root); leaf = Tree(kid)
# %%
Tree(root)
# %%
print(leaf.parent() is kid, kid.parent() is root, len(root.kids), root.kids[1].parent() is root)
""",
    "weak_callback_and_finalizer": """
import weakref
class O: pass
o = O()
gone = []
r = weakref.ref(o, lambda ref: gone.append('ref'))
# %%
x = r() is o
# %%
del o
print(x, gone, r())
""",
    "registered_with_abcs": """
from collections.abc import Sequence, Sized
import numbers
class S: pass
Sequence.register(S)
@numbers.Number.register
class N: pass
s, n = S(), N()
# %%
from collections.abc import Sequence, Mapping
print(isinstance(s, Sequence), isinstance(s, Mapping), isinstance(n, numbers.Number))
""",
    "constructors_run_once": """
ran = []
class C:
    n = 0
    def __new__(cls, *a):
        cls.n += 1; ran.append('new'); return super().__new__(cls)
    def __init__(self, *a): ran.append('init')
    def __setattr__(self, k, v): ran.append('set ' + k); object.__setattr__(self, k, v)
class L(list):
    def append(self, v): ran.append('append'); super().append(v)
    def extend(self, v): ran.append('extend'); super().extend(v)
class D(dict):
    def __setitem__(self, k, v): ran.append('setitem'); super().__setitem__(k, v)
class S(set):
    def __init__(self, it=()): ran.append('set init'); super().__init__(it)
class E(Exception):
    def __init__(self, a, b): ran.append('exc'); super().__init__(a)
class M(type):
    def __setattr__(cls, k, v): ran.append('meta ' + k); super().__setattr__(k, v)
class WithMeta(metaclass=M): x = 1
c, l, d, s, e = C(1), L(), D(), S([1]), E(1, 2)
c.x = 1; l.append(1); d['a'] = [c]; WithMeta.y = 2
# %%
before = len(ran)
c, l, d, s, e, WithMeta
# %%
print(before, ran, c.x, l, d['a'][0] is c, s, e.args, WithMeta.y, type(l).__name__, type(s).__name__)
""",
    "singleton": """
class One:
    _it = None
    def __new__(cls):
        if cls._it is None: cls._it = super().__new__(cls)
        return cls._it
a = One(); a.n = 1
# %%
One().n += 1
# %%
print(a.n, One() is a)
""",
    # -- registries and patches ------------------------------------------------------------------------------------------
    "registry_of_everything": """
REG = {}
def register(kind):
    def wrap(thing):
        REG.setdefault(kind, []).append(thing)
        thing.kind = kind
        return thing
    return wrap
@register('f')
def f(): return 'f'
@register('c')
class C:
    def run(self): return REG['f'][0]()
# %%
@register('f')
def g(): return 'g'
# %%
print([t.__name__ for k in sorted(REG) for t in REG[k]], REG['c'][0] is C, REG['f'][0] is f, C().run(), g.kind)
""",
    "patched_library": """
import textwrap, json, string
_fill = textwrap.fill
textwrap.fill = lambda t, **k: 'patched ' + _fill(t, **k)
class Upper(json.JSONEncoder):
    def default(self, o): return 'D'
json.JSONEncoder.default = Upper.default
string.Template.delimiter = '%'
# %%
import json, textwrap
print(json.dumps({'a': {1}}), textwrap.fill('a'), _fill('b'))
# %%
import textwrap, string
textwrap.fill = _fill
print(textwrap.fill('c'), string.Template('%x').substitute(x=1))
# %%
import textwrap
print(textwrap.fill('d'))
""",
    "unittest_mocks": """
from unittest import mock
m = mock.Mock(return_value=3)
m(1)
# %%
m(2)
# %%
print(m.call_count, m.call_args_list)
""",
    "operators_and_numbers": """
from decimal import Decimal
from fractions import Fraction
import datetime as dt, uuid, pathlib, re, ipaddress, zoneinfo, array, string, collections
when = dt.datetime(2024, 3, 1, 12, tzinfo=zoneinfo.ZoneInfo('Europe/Paris'))
things = [Decimal('1.10'), Fraction(1, 3), dt.timedelta(1), dt.date.max, uuid.UUID(int=1), pathlib.PurePosixPath('a/b'), re.compile('(?P<x>a+)', re.I), ipaddress.ip_network('10.0.0.0/8'), range(3), slice(1, 2), 2 + 3j, b'b', Ellipsis, NotImplemented]
arr = array.array('d', [1.0]); same = arr
match = re.match('a', 'ab')
# %%
arr.append(2.0)
# %%
print(things[0], things[1] + 1, when.utcoffset(), things[6].search('xAA').group('x'), same, things[13] is NotImplemented)
""",
    "match_object_kept": """
import re
m = re.search('b(c)', 'abcd')
# %%
print(m.group(1), m.span())
""",
    "io_buffers": """
import io
s, b = io.StringIO('start'), io.BytesIO(b'abc')
b.read(1); s.seek(0, 2)
w = io.TextIOWrapper(io.BytesIO(), encoding='utf-8')
# %%
s.write('+end'); b.read(1)
# %%
print(s.getvalue(), b.read(), b.getvalue())
""",
    "iterators_of_every_kind": """
import itertools
xs = [1, 2, 3]
it, rev = iter(xs), reversed(xs)
en, z, m, f = enumerate(xs), zip(xs, 'abc'), map(lambda v: v * k, xs), filter(None, xs)
k = 2
d = iter({'a': 1, 'b': 2}); s = iter('xyz'); r = iter(range(9)); t = iter((1, 2))
next(it); next(rev); next(en); next(z); next(m); next(s); next(r)
# %%
k = 10; xs.append(4)
next(it); next(en)
# %%
print(list(it), list(rev), list(en), list(z), list(m), list(f), list(d), list(s), next(r), next(t))
""",
    "iterators_shared": """
it = iter([1, 2, 3, 4])
a, b = it, [it]
# %%
next(a)
# %%
print(next(b[0]), next(it), b[0] is it)
""",
    "memoryview_part": """
ba = bytearray(range(10))
mv = memoryview(ba)[2:6]
# %%
mv[0] = 99
# %%
print(ba[2], bytes(mv))
ba[3] = 77
print(mv[1], len(mv))
del mv
""",
    "namespace_tricks": """
x = [1]
globals()['y'] = x
ns = globals()
def look(n): return globals()[n]
# %%
look('y').append(2)
vars()['z'] = 3
# %%
print(x, y is x, z, ns is globals(), 'look' in ns)
""",
    "string_code": """
src = 'def made(a): return a + base'
code = compile('out.append(base)', 'c', 'exec')
base, out = 5, []
exec(src)
# %%
base = 6
exec(code)
# %%
print(made(1), out, code.co_names)
""",
    "module_object_made": """
import types, sys
mod = types.ModuleType('made_mod')
exec('v = 1\\ndef get(): return v', mod.__dict__)
sys.modules['made_mod'] = mod
# %%
mod.v = 5
# %%
print(mod.get(), mod.v, mod.__name__)
import made_mod
print(made_mod is mod)
""",
    "executor_results": """
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(2) as pool:
    results = list(pool.map(lambda v: v * 2, [1, 2]))
# %%
print(results)
""",
    "random_objects": """
import random, secrets
r = random.Random(5); same = r
a = r.random()
pick = r.choice
# %%
b = same.random()
# %%
print(a, b, r.random(), pick([1, 2, 3]), pick.__self__ is r)
""",
    "counter_defaultdict_order": """
from collections import Counter, OrderedDict, defaultdict, deque
calls = []
def fresh(): calls.append(1); return []
dd = defaultdict(fresh); dd['a'].append(1)
od = OrderedDict.fromkeys('abc'); od.move_to_end('a')
dq = deque([1, 2], maxlen=3); dq2 = dq
nested = defaultdict(lambda: defaultdict(int)); nested['x']['y'] += 1
# %%
dd['b']; dq2.extend([3, 4]); nested['p']['q'] += 2
# %%
print(dict(dd), calls, list(od), dq, {k: dict(v) for k, v in nested.items()}, dd.default_factory is fresh)
""",
    "copy_and_deepcopy": """
import copy
class C:
    def __deepcopy__(self, memo): c = C(); c.tag = 'deep'; return c
    def __copy__(self): c = C(); c.tag = 'copy'; return c
c = C(); xs = [c, [1]]
# %%
sh, dp = copy.copy(xs), copy.deepcopy(xs)
sh[1].append(2)
# %%
print(xs[1], dp[1], dp[0].tag, sh[0] is c, copy.copy(c).tag)
""",
    "uncommon_callables": """
class Call:
    def __init__(self): self.n = 0
    def __call__(self): self.n += 1; return self.n
c = Call()
go = c.__call__
low = str.lower; ln = 'abc'.__len__; app = [].append
cm = classmethod(lambda cls: 1)
mt = print
# %%
go(); app(1)
# %%
print(c(), low('A'), ln(), app.__self__, mt is print)
""",
    "logger_held": """
import logging
log = logging.getLogger('nb.part'); root = logging.getLogger()
adapter = logging.LoggerAdapter(log, {'k': [1]})
# %%
log.setLevel(10)
# %%
import logging
print(log is logging.getLogger('nb.part'), log.level, adapter.logger is log, root is logging.root)
""",
    "threads_and_locks_inside_unused": """
import threading
class Safe:
    def __init__(self): self.lock, self.n = threading.Lock(), 0
    def __getstate__(self): return {'n': self.n}
    def __setstate__(self, s): self.n, self.lock = s['n'], threading.Lock()
s = Safe()
local = threading.local()
other = [1]
# %%
with s.lock: s.n += 1
other.append(2)
# %%
print(s.n, other)
""",
}


def cells_of(text: str) -> list[str]:
    """The cells of a notebook written as one text."""
    return [cell.strip("\n") for cell in text.split("# %%")]


_REFUSED: dict[str, tuple[str, str]] = {
    "generator": ("g = (i for i in 'ab')\nn = 1", r"g, made in cell 0, is a generator .*one process"),
    "running generator function": ("def f():\n    yield 1\ng = f(); next(g)", "g, made in cell 0, is a generator"),
    "coroutine": ("async def f(): pass\nc = f()", "c, made in cell 0, is a coroutine"),
    "open file": ("f = open('x', 'w')", "f, made in cell 0, is a TextIOWrapper .*open file"),
    "binary file": ("f = open('x', 'wb')", "f, made in cell 0, is a BufferedWriter .*open file"),
    "lock": ("import threading\nlock = threading.RLock()", "lock, made in cell 0, is a RLock .*one process"),
    "thread": ("import threading\nt = threading.Thread(target=print)\nt.start()", "t, made in cell 0, is a Thread .*one process"),
    "event": ("import threading\ne = threading.Event()", "e, made in cell 0, is a Event"),
    "queue": ("import queue\nq = queue.Queue()", "q, made in cell 0, is a Queue"),
    "pool": (
        "from concurrent.futures import ThreadPoolExecutor\np = ThreadPoolExecutor(1)",
        "p, made in cell 0, is a ThreadPoolExecutor",
    ),
    "socket": ("import socket\ns = socket.socket()", "s, made in cell 0, is a socket"),
    "database": ("import sqlite3\ndb = sqlite3.connect(':memory:')", "db, made in cell 0, is a Connection .*connection"),
    "cursor": ("import sqlite3\nc = sqlite3.connect(':memory:').cursor()", "c, made in cell 0, is a Cursor"),
    "child process": ("import subprocess\np = subprocess.Popen(['true'])\np.wait()", "p, made in cell 0, is a Popen .*one process"),
    "temporary file": ("import tempfile\nt = tempfile.NamedTemporaryFile()", "t, made in cell 0, is a _TemporaryFileWrapper"),
    "inside a container": ("xs = [1, {'k': (i for i in ())}]", r"xs, made in cell 0, is a list .*generator"),
    "inside an attribute": (
        "class C: pass\nc = C()\nc.g = iter(lambda: 1, 2); c.h = (i for i in ())",
        "c, made in cell 0, is a C .*generator",
    ),
    "inside a closure": (
        "def make():\n    g = (i for i in ())\n    return lambda: g\nf = make()",
        "f, made in cell 0, is a function .*generator",
    ),
    "a read-only part": ("import mmap\nm = memoryview(mmap.mmap(-1, 10))[2:4].toreadonly()", "m, made in cell 0, is a memoryview"),
    "a set that hashes what is not there yet": (
        "class P:\n    def __init__(self): self.n, self.seen = 1, set()\n    def __hash__(self): return hash(self.n)\np = P()\np.seen.add(p)",
        r"p.*cannot be made again here \(AttributeError",
    ),
}
"""What the first cell makes → what the refusal of the last one says. The cell between does not ask for it."""

OBJECTS = {name: cells_of(text) for name, text in _TEXT.items()}

REFUSED = {
    name: ([made, "other = [1]", f"{re.search(r'^(?:[a-z]+ = .*;)?([a-z]+)', said).group(1)}"], said)
    for name, (made, said) in _REFUSED.items()  # type: ignore[union-attr]
}
