"""Small notebooks in which state hides: each must leave, print and show the same with a process for every cell.

Written from what people do in cells, not from how state is carried. ``NOTEBOOKS`` maps a name to its cells.
"""

from __future__ import annotations

NOTEBOOKS: dict[str, list[str]] = {
    # -- one object under many names -----------------------------------------------------------------------------------
    "alias_in_list": ["a = [1]\nbox = [a, 2]", "box[0].append(3)", "print(a, box[0] is a)"],
    "alias_in_attribute": [
        "class Holder: pass\nh = Holder()\nh.items = []\nitems = h.items",
        "items.append('x')",
        "print(h.items, h.items is items)",
    ],
    "alias_in_closure": [
        "def make():\n    log = []\n    def add(x): log.append(x)\n    return add, log\nadd, log = make()",
        "add(1)",
        "add(2)\nprint(log)",
    ],
    "alias_in_default": [
        "shared = []\ndef put(x, into=shared):\n    into.append(x)\n    return into",
        "put(1)",
        "print(shared, put(2) is shared)",
    ],
    "alias_in_class": ["pool = {}\nclass C:\n    cache = pool", "C.cache['k'] = 1", "print(pool, C().cache is pool)"],
    "alias_in_partial": ["from functools import partial\nseen = []\nnote = partial(seen.append, 7)", "note()", "print(seen)"],
    "bound_method": ["xs = []\npush = xs.append", "push(1); push(2)", "print(xs)"],
    "bound_method_own": [
        "class Acc:\n    def __init__(self): self.n = 0\n    def add(self, k): self.n += k\nacc = Acc()\nadd = acc.add",
        "add(2)",
        "print(acc.n, add.__self__ is acc)",
    ],
    "three_ways": ["a = {}\nb = {'a': a}\nc = [b]", "c[0]['a']['z'] = 1", "print(a, b, c)"],
    "identity_of_sentinel": [
        "MISSING = object()\ndef get(d, k, default=MISSING):\n    return 'none' if default is MISSING else default",
        "print(get({}, 1))",
        "print(get({}, 1, MISSING), get({}, 1, 5))",
    ],
    "tuple_of_lists": ["p = ([1], [2])\nq = p[0]", "q.append(9)", "print(p)"],
    "cyclic": [
        "a = []\na.append(a)\nb = {'me': None}\nb['me'] = b",
        "a.append(1)",
        "print(a[0] is a, len(a), b['me'] is b)\ndel a, b",
    ],
    "cyclic_objects": [
        "class Node:\n    def __init__(self, name): self.name, self.next = name, None\nm, n = Node('m'), Node('n')\nm.next, n.next = n, m",
        "m.next.name = 'changed'",
        "print(n.name, n.next is m, m.next.next is m)",
    ],
    "rebinding_ends_alias": ["a = [1]\nb = a", "a = [2]", "b.append(3)", "print(a, b)"],
    "swap": ["a, b = [1], [2]", "a, b = b, a", "a.append(0)\nprint(a, b)"],
    "deque_and_counter": [
        "from collections import Counter, deque, defaultdict, OrderedDict\nd = deque([1], maxlen=2)\nc = Counter('aab')\ndd = defaultdict(list)\nod = OrderedDict(b=1, a=2)",
        "d.append(2); d.append(3)\nc['z'] += 1\ndd['k'].append(1)\nod.move_to_end('b')",
        "print(list(d), d.maxlen, c, dict(dd), list(od))",
    ],
    # -- numpy and pandas memory ---------------------------------------------------------------------------------------
    "view_of_array": ["import numpy as np\na = np.arange(6)\nv = a[2:4]", "v[:] = 0", "print(a, v.base is a)"],
    "view_of_view": [
        "import numpy as np\na = np.zeros((4, 4))\nrow = a[1]\ncell = row[2:]",
        "cell += 5",
        "a[1, 3] = 7\nprint(a[1], row, cell)",
    ],
    "reshaped": ["import numpy as np\na = np.arange(6)\nm = a.reshape(2, 3)", "m[0, 0] = 99", "print(a)\nm.T[2, 1] = -1\nprint(a)"],
    "large_array_and_view": [
        "import numpy as np\nbig = np.zeros(50_000)\nsmall = big[10:20]",
        "small[0] = 1",
        "print(big.sum(), small.sum(), small.base is big)",
    ],
    "owner_after_delivery": [
        "import numpy as np\na = np.arange(3)\nb = np.arange(30_000.0)",
        "a.resize(5)\nprint(a, b.base is None, b.flags.owndata)",
        "print(a.flags.owndata)",
    ],
    "fortran_order": [
        "import numpy as np\nf = np.asfortranarray(np.arange(12.0).reshape(3, 4))",
        "print(f.flags.f_contiguous, f.strides)",
        "f[0] = 1\nprint(f.sum(axis=0))",
    ],
    "read_only": [
        "import numpy as np\nr = np.arange(3)\nr.flags.writeable = False",
        "try:\n    r[0] = 1\nexcept ValueError as e:\n    print('read-only')",
        "print(r.flags.writeable)",
    ],
    "object_array": ["import numpy as np\nxs = []\no = np.array([xs, None], dtype=object)", "o[0].append(1)", "print(xs, o[1])"],
    "structured_and_dates": [
        "import numpy as np\ns = np.array([(1, 2.5)], dtype=[('a', 'i4'), ('b', 'f8')])\nd = np.array(['2024-01-01'], dtype='M8[D]')",
        "s['a'] = 5",
        "print(s, d + 1)",
    ],
    "matrix_and_masked": ["import numpy as np\nm = np.ma.array([1, 2, 3], mask=[0, 1, 0])", "m[0] = 9", "print(m, m.sum())"],
    "frame_changed": [
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2]})\nsame = df",
        "df['b'] = df.a * 2",
        "print(same, same is df)",
    ],
    "frame_copy_on_write": [
        "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3]})\nlazy = df[:]\ncol = df['a']",
        "lazy.iloc[0, 0] = 100",
        "print(df, lazy, col.tolist())",
        "col.iloc[1] = -1",
        "print(df.a.tolist(), lazy.a.tolist(), col.tolist())",
    ],
    "frame_and_its_array": [
        "import pandas as pd\ndf = pd.DataFrame({'a': [1.0, 2.0]})\narr = df['a'].to_numpy()",
        "df.loc[0, 'a'] = 50.0",
        "print(arr.tolist(), df.a.tolist())",
    ],
    "frame_in_list": [
        "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\nframes = [df]",
        "frames[0]['n'] = 1",
        "print(list(df.columns))",
    ],
    "categories_and_index": [
        "import pandas as pd\ns = pd.Series(['x', 'y', 'x'], dtype='category')\ni = pd.Index(['p', 'q'], name='n')\nt = pd.date_range('2024-01-01', periods=2)",
        "s = s.cat.add_categories(['z'])\ni.name = 'm'",
        "print(s.cat.categories.tolist(), i, t.freqstr)",
    ],
    "groupby_kept": [
        "import pandas as pd\ndf = pd.DataFrame({'k': list('aab'), 'v': [1, 2, 3]})\ng = df.groupby('k')",
        "print(g.v.sum().to_dict())",
    ],
    # -- state inside functions and classes ----------------------------------------------------------------------------
    "mutable_default": ["def f(x, acc=[]):\n    acc.append(x)\n    return acc", "f(1)", "print(f(2))"],
    "counting_closure": [
        "def counter():\n    n = 0\n    def up():\n        nonlocal n\n        n += 1\n        return n\n    return up\nup = counter()",
        "up(); up()",
        "print(up())",
    ],
    "two_closures_one_cell": [
        "def pair():\n    v = [0]\n    def inc(): v[0] += 1\n    def get(): return v[0]\n    return inc, get\ninc, get = pair()",
        "inc()",
        "inc()\nprint(get())",
    ],
    "closure_over_none": [
        "def keep():\n    v = None\n    def get(): return v\n    def put(x):\n        nonlocal v\n        v = x\n    return get, put\nget, put = keep()",
        "print(get())",
        "put(3)",
        "print(get())",
    ],
    "function_attribute": ["def f():\n    f.calls += 1\n    return f.calls\nf.calls = 0", "f(); f()", "print(f())"],
    "class_attribute": ["class C:\n    made = 0\n    def __init__(self): C.made += 1", "C(); C()", "print(C.made)"],
    "class_registry": [
        "class Base:\n    known = {}\n    def __init_subclass__(cls, **kw): Base.known[cls.__name__] = cls",
        "class A(Base): pass",
        "class B(A): pass\nprint(sorted(Base.known), Base.known['A'] is A)",
    ],
    "decorator_registry": [
        "handlers = {}\ndef on(name):\n    def wrap(f):\n        handlers[name] = f\n        return f\n    return wrap",
        "@on('a')\ndef ha(): return 'A'",
        "@on('b')\ndef hb(): return ha() + 'B'",
        "print(sorted(handlers), handlers['b']())",
    ],
    "method_replaced": ["class C:\n    def f(self): return 1\nc = C()", "C.f = lambda self: 2", "print(c.f(), C().f())"],
    "method_on_instance": [
        "class C: pass\nc = C()",
        "import types\nc.hi = types.MethodType(lambda self: id(self) == id(c), c)",
        "print(c.hi())",
    ],
    "class_redefined": [
        "class C:\n    def f(self): return 'old'\nold = C()",
        "class C:\n    def f(self): return 'new'\nnew = C()",
        "print(old.f(), new.f(), isinstance(old, C), type(old) is type(new))",
    ],
    "classes_from_factory": [
        "def make(n):\n    class K:\n        value = n\n    return K\nK1, K2 = make(1), make(2)",
        "K1.value = 10",
        "print(K1.value, K2.value, K1 is K2)",
    ],
    "late_binding": ["k = 1\ndef f(): return k\ng = f", "k = 2", "print(f(), g(), f is g)"],
    "recursion": [
        "def fact(n): return 1 if n < 2 else n * fact(n - 1)\nfac = fact",
        "print(fac(5))",
        "def fact(n): return 0",
        "print(fac(5), fac(1))",
    ],
    "mutual_recursion": [
        "def even(n): return n == 0 or odd(n - 1)",
        "def odd(n): return n != 0 and even(n - 1)",
        "print(even(10), odd(7))",
    ],
    "global_counter": ["n = 0\ndef up():\n    global n\n    n += 1", "up()", "up()\nprint(n)"],
    "global_created_by_call": ["def make():\n    global made\n    made = [1]", "make()", "made.append(2)\nprint(made)"],
    "lru_cache": [
        "from functools import lru_cache\ncalls = []\n@lru_cache(None)\ndef sq(x):\n    calls.append(x)\n    return x * x",
        "sq(2); sq(3); sq(2)",
        "print(sq(3), calls, sq.cache_info())",
    ],
    "lru_cache_bounded": [
        "from functools import lru_cache\ncalls = []\n@lru_cache(maxsize=2)\ndef sq(x, k=1):\n    calls.append(x)\n    return x * k",
        "sq(1); sq(2, k=3); sq(3); sq(2, k=3)",
        "sq(3); sq(2, k=3); sq(1)\nprint(calls, sq.cache_info())",
    ],
    "lru_cache_method": [
        "from functools import cache, cached_property\nclass C:\n    def __init__(self): self.n = 0\n    @cached_property\n    def v(self):\n        self.n += 1\n        return self.n\nc = C()",
        "c.v",
        "print(c.v, c.n)",
    ],
    "singledispatch": [
        "from functools import singledispatch\n@singledispatch\ndef show(x): return 'any'",
        "@show.register\ndef _(x: int): return 'int'",
        "print(show(1), show('s'))",
    ],
    "property_and_slots": [
        "class P:\n    __slots__ = ('_v',)\n    def __init__(self, v): self._v = v\n    @property\n    def v(self): return self._v\n    @v.setter\n    def v(self, x): self._v = x * 2\np = P(1)",
        "p.v = 5",
        "print(p.v)",
    ],
    "metaclass": [
        "class Meta(type):\n    def __call__(cls, *a):\n        cls.count = getattr(cls, 'count', 0) + 1\n        return super().__call__(*a)\nclass C(metaclass=Meta): pass",
        "C(); C()",
        "C()\nprint(C.count, type(C).__name__)",
    ],
    "abstract_class": [
        "from abc import ABC, abstractmethod\nclass Shape(ABC):\n    @abstractmethod\n    def area(self): ...",
        "class Sq(Shape):\n    def area(self): return 4",
        "print(Sq().area(), isinstance(Sq(), Shape))\ntry:\n    Shape()\nexcept TypeError:\n    print('abstract')",
    ],
    "enum": [
        "from enum import Enum, Flag, auto\nclass Color(Enum):\n    RED = 1\n    BLUE = 2\nclass F(Flag):\n    A = auto()\n    B = auto()\nc = Color.RED\nf = F.A | F.B",
        "print(c is Color.RED, c.name, Color(2))",
        "print(f == F.A | F.B, F.A in f, {Color.RED: 1}[c])",
    ],
    "dataclass": [
        "from dataclasses import dataclass, field\n@dataclass\nclass D:\n    x: int\n    tags: list = field(default_factory=list)\nd = D(1)\ntags = d.tags",
        "tags.append('t')",
        "print(d, D(1) == D(1), d.tags is tags)",
    ],
    "frozen_dataclass": [
        "from dataclasses import dataclass\n@dataclass(frozen=True, order=True)\nclass D:\n    x: int\nseen = {D(1): 'one'}",
        "print(seen[D(1)], D(1) < D(2), hash(D(1)) == hash(next(iter(seen))))",
    ],
    "namedtuple": [
        "from collections import namedtuple\nfrom typing import NamedTuple\nP = namedtuple('P', 'x y')\nclass Q(NamedTuple):\n    a: int = 1\np, q = P(1, 2), Q()",
        "print(p._replace(x=5), isinstance(p, P), q)",
        "print(P._fields, Q(3))",
    ],
    "super_and_class_cell": [
        "class A:\n    def f(self): return 'A'\nclass B(A):\n    def f(self): return super().f() + __class__.__name__",
        "class C(B):\n    def f(self): return super().f() + 'C'",
        "print(C().f(), B().f())",
    ],
    "exception_class": [
        "class Oops(Exception):\n    def __init__(self, n):\n        super().__init__(n)\n        self.n = n",
        "try:\n    raise Oops(3)\nexcept Oops as e:\n    kept = e.n",
        "def fail(): raise Oops(4)\ntry:\n    fail()\nexcept Oops as e:\n    print(kept, e.n)",
    ],
    "context_manager": [
        "from contextlib import contextmanager\nlog = []\n@contextmanager\ndef scope(n):\n    log.append('in')\n    yield n\n    log.append('out')",
        "with scope(1) as v:\n    log.append(v)",
        "print(log)",
    ],
    "generator_function": ["def count(n):\n    while n:\n        yield n\n        n -= 1", "print(list(count(3)))"],
    "operator_overload": [
        "class V:\n    def __init__(self, x): self.x = x\n    def __add__(self, o): return V(self.x + o.x)\n    def __repr__(self): return f'V({self.x})'\n    def __eq__(self, o): return self.x == o.x\n    def __hash__(self): return self.x",
        "s = V(1) + V(2)\ns",
        "print(s, {V(3): 'found'}[s])",
    ],
    "descriptor": [
        "class D:\n    def __set_name__(self, owner, name): self.n = '_' + name\n    def __get__(self, o, t=None): return getattr(o, self.n, 0)\n    def __set__(self, o, v): setattr(o, self.n, v + 1)\nclass C:\n    a = D()\nc = C()",
        "c.a = 4",
        "print(c.a)",
    ],
    "generic_and_types": [
        "from typing import Generic, TypeVar, Optional\nT = TypeVar('T')\nclass Box(Generic[T]):\n    def __init__(self, v: T): self.v = v\nb: Box[int] = Box(3)",
        "print(b.v, Box[str]('s').v, T.__name__, __annotations__['b'] == Box[int])",
    ],
    # -- iterators and references --------------------------------------------------------------------------------------
    "list_iterator": ["it = iter([1, 2, 3, 4])\nnext(it)", "next(it)", "print(list(it))"],
    "shared_iterator": ["xs = [1, 2]\nit = iter(xs)\nnext(it)", "xs.append(3)", "print(list(it))"],
    "zip_enumerate_map": [
        "a = enumerate('abc')\nz = zip([1, 2], 'xy')\nm = map(str, [1, 2])\nnext(a); next(z); next(m)",
        "print(list(a), list(z), list(m))",
    ],
    "own_iterator": [
        "class It:\n    def __init__(self): self.n = 0\n    def __iter__(self): return self\n    def __next__(self):\n        self.n += 1\n        if self.n > 3: raise StopIteration\n        return self.n\nit = It()\nnext(it)",
        "print(list(it))",
    ],
    "weakref": ["import weakref\nclass C: pass\nc = C()\nr = weakref.ref(c)", "print(r() is c)", "del c\nprint(r() is None)"],
    "weak_mapping": [
        "import weakref\nclass C: pass\nc = C()\nw = weakref.WeakValueDictionary(k=c)\ns = weakref.WeakSet([c])",
        "print(w['k'] is c, c in s)",
        "del c\nprint(len(w), len(s))",
    ],
    "set_identity": ["s = {1, 2}\nt = s\nfz = frozenset(s)", "s.add(3)", "print(sorted(t), sorted(fz))"],
    "bytearray_and_memory": ["ba = bytearray(b'abc')\nsame = [ba]", "ba[0] = 122", "print(same[0], ba is same[0])"],
    "io_stringio": ["import io\nbuf = io.StringIO()\nbuf.write('a')", "buf.write('b')", "print(buf.getvalue())"],
    # -- names ---------------------------------------------------------------------------------------------------------
    "private_names": ["_hidden = 1\n__dunder = [2]\n_1x = 5", "_hidden += 1\n__dunder.append(3)", "print(_hidden, __dunder, _1x)"],
    "loop_variable": ["for i in range(3): pass", "print(i)"],
    "underscore_as_name": ["for _ in range(3): pass", "print(_)", "_ = 'mine'", "5 + 5", "print(_)"],
    "history": ["40 + 2", "x = _ * 2\nx", "print(_, __, _1, _2, Out[1], sorted(Out))", "'s'", "print(_, __, ___)"],
    "history_in": ["a = 1", "print(In[1], _i1, len(In))", "print(repr(_i), In[-2])"],
    "history_alias": ["xs = [1]\nxs", "_.append(2)", "print(xs, Out[1] is xs)"],
    "shadowed_builtin": ["list = [1, 2]\nsum = 5", "print(list, sum)", "del list, sum", "print(list('ab'), sum([1]))"],
    "deleted_name": ["a = b = [1]", "del a", "try:\n    a\nexcept NameError:\n    print('gone', b)"],
    "conditional_binding": ["x = 1", "if x > 5:\n    x = 'big'\n    y = 2", "print(x, 'y' in globals())"],
    "star_import": ["from math import *", "print(floor(pi))", "floor = 3", "print(floor, ceil(0.5))"],
    "import_alias": [
        "import xml.etree.ElementTree as ET\nimport os.path\nimport concurrent.futures",
        "print(ET.fromstring('<a/>').tag, os.path.join('a', 'b'))",
        "print(concurrent.futures.ThreadPoolExecutor.__name__)",
    ],
    "submodule_through_package": ["import xml.etree.ElementTree", "print(xml.etree.ElementTree.fromstring('<b/>').tag)"],
    "dynamic_names": [
        "for n in ('p', 'q'):\n    globals()[n] = [n]",
        "globals()['p'].append(1)",
        "print(p, eval('q'))",
        "exec('r = p + q')",
        "print(r)",
    ],
    "namespace_as_value": ["g = globals()", "g['z'] = 5", "print(z, g is globals())"],
    "main_module": ["import __main__\nv = 3", "__main__.v = 4", "print(v, __name__, __main__.v)"],
    "pickle_in_notebook": [
        "import pickle\nclass C:\n    def __init__(self, v): self.v = v",
        "data = pickle.dumps(C(5))",
        "print(pickle.loads(data).v, type(pickle.loads(data)) is C, C.__module__)",
    ],
    "exec_in_own_namespace": [
        "space = {}\nexec('n = 0\\ndef up():\\n    global n\\n    n += 1\\n    return n', space)\nup = space['up']",
        "up(); up()",
        "print(space['n'], up())",
    ],
    # -- the process ---------------------------------------------------------------------------------------------------
    "random_stream": [
        "import random\nrandom.seed(7)\na = random.random()",
        "b = random.random()",
        "random.shuffle(xs := [1, 2, 3, 4])\nprint(a, b, xs)",
    ],
    "numpy_random_stream": [
        "import numpy as np\nnp.random.seed(3)\na = np.random.rand()",
        "b = np.random.rand()",
        "import numpy as np\nrng = np.random.default_rng(1)\nprint(a, b, np.random.randint(100))",
        "x = rng.random()",
        "print(x, rng.random())",
    ],
    "seed_before_late_import": ["import numpy as np\nnp.random.seed(11)", "y = 1", "from numpy.random import rand\nprint(rand())"],
    "environment": [
        "import os\nos.environ['MY_FLAG'] = 'on'\nos.environ.pop('LANG', None)",
        "print(os.environ['MY_FLAG'], 'LANG' in os.environ)",
        "del os.environ['MY_FLAG']",
        "print(os.environ.get('MY_FLAG'))",
    ],
    "environment_magic": ["%env ANSWER=42", "import os\nprint(os.environ['ANSWER'])\n!echo $ANSWER"],
    "import_path": [
        "import sys, os\nos.makedirs('lib_a', exist_ok=True)\nopen('lib_a/mod_a.py', 'w').write('V = 5')\nsys.path.insert(0, 'lib_a')",
        "import mod_a\nprint(mod_a.V)",
        "print(mod_a.V, 'lib_a' in sys.path)",
    ],
    "working_folder": [
        "import os\nos.makedirs('deep/er')\nos.chdir('deep')",
        "open('f.txt', 'w').write('x')\nprint(os.path.basename(os.getcwd()))",
        "print(os.path.exists('er'), open('f.txt').read())\nos.chdir('..')",
        "print(sorted(os.listdir('deep')))",
    ],
    "cd_magic": [
        "!mkdir -p sub\n%cd -q sub",
        "open('a', 'w').write('1')",
        "import os\nprint(os.path.basename(os.getcwd()), os.listdir('.'))",
    ],
    "context_variables": [
        "import contextvars, decimal\nv = contextvars.ContextVar('v', default=0)\nv.set(1)\ndecimal.getcontext().prec = 5",
        "import decimal\nasync def up():\n    decimal.getcontext().prec = 3\nawait up()\nprint(decimal.Decimal(1) / 3)",
        "print(decimal.Decimal(1) / 3)",
    ],
    "numpy_options": [
        "import numpy as np\nnp.set_printoptions(precision=2)\nold = np.seterr(divide='ignore')",
        "print(np.array([1.23456]), np.geterr()['divide'])",
    ],
    "pandas_options": [
        "import pandas as pd\npd.set_option('display.max_rows', 2)\npd.options.display.precision = 1",
        "print(pd.Series([1.234, 2.0, 3.0, 4.0]))",
        "pd.reset_option('display.max_rows')",
        "print(pd.get_option('display.max_rows'), pd.get_option('display.precision'))",
    ],
    "decimal_context": ["from decimal import Decimal, getcontext\ngetcontext().prec = 5", "print(Decimal(1) / Decimal(3))"],
    "style": [
        "import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 7",
        "import matplotlib.pyplot as plt\nprint(plt.rcParams['lines.linewidth'])",
    ],
    "locale_free_time": [
        "import datetime as dt, uuid, fractions, ipaddress, pathlib, re\nd = dt.datetime(2024, 1, 2, tzinfo=dt.timezone.utc)\nu = uuid.UUID(int=5)\nfr = fractions.Fraction(1, 3)\np = pathlib.Path('a/b')\nr = re.compile('x+')",
        "print(d + dt.timedelta(1), u, fr + 1, p.name, r.findall('axx'), ipaddress.ip_address('1.1.1.1'))",
    ],
    # -- files ---------------------------------------------------------------------------------------------------------
    "files": [
        "open('a.txt', 'w').write('1')\nimport os\nos.makedirs('d', exist_ok=True)\nopen('d/b.txt', 'w').write('2')",
        "open('a.txt', 'a').write('+')",
        "print(open('a.txt').read(), open('d/b.txt').read())\nos.remove('a.txt')",
        "print(os.path.exists('a.txt'), os.listdir('d'))",
    ],
    "empty_folder": [
        "import os\nos.makedirs('out/deep')",
        "print(os.path.isdir('out/deep'))\nopen('out/x', 'w').close()",
        "print(sorted(os.listdir('out')))",
    ],
    "own_module": [
        "%%writefile helper_mod.py\nSTATE = []\ndef add(x):\n    STATE.append(x)\n    return len(STATE)",
        "import helper_mod\nprint(helper_mod.add(1))",
        "print(helper_mod.add(2), helper_mod.STATE)",
    ],
    "own_module_class": [
        "%%writefile shapes_mod.py\nclass Sq:\n    def __init__(self, a): self.a = a\n    def area(self): return self.a ** 2",
        "from shapes_mod import Sq\ns = Sq(3)",
        "print(s.area(), isinstance(s, Sq))",
    ],
    "own_module_from_import": [
        "%%writefile cfg_mod.py\nSETTINGS = {'a': 1}\ndef get(k): return SETTINGS[k]",
        "from cfg_mod import SETTINGS, get\nSETTINGS['a'] = 2",
        "print(get('a'), SETTINGS)",
    ],
    "library_patched": ["import json\njson.EXTRA = 5\nimport math\nmath.tau = 1", "import json, math\nprint(json.EXTRA, math.tau)"],
    "shelve_and_json": [
        "import json\njson.dump({'a': [1]}, open('s.json', 'w'))",
        "cfg = json.load(open('s.json'))\ncfg['a'].append(2)",
        "print(cfg)",
    ],
    # -- IPython -------------------------------------------------------------------------------------------------------
    "capture": ["%%capture cap\nprint('inside')\n1 + 1", "print(repr(cap.stdout))", "cap.show()"],
    "shell_lines": [
        "out = !printf 'a\\nb'\nname = 'x y'",
        "print(out, type(out).__name__)\n!echo {name} $name",
        "print(out.n, out[0])",
    ],
    "bash_out": ["%%bash --out text\necho hi", "print(text)"],
    "display_kinds": [
        "class H:\n    def _repr_html_(self): return '<b>x</b>'\n    def __repr__(self): return 'H!'\nh = H()\nh",
        "display(h, 'two')",
        "h;",
    ],
    "top_level_await": [
        "import asyncio\nasync def twice(x):\n    await asyncio.sleep(0)\n    return 2 * x",
        "y = await twice(4)\nprint(y)",
        "print(await asyncio.gather(twice(1), twice(2)))",
    ],
    "time_and_prun": ["%time a = [1]\nb = a", "%%time\nb.append(2)", "print(a)"],
    "timeit_result": ["t = %timeit -n1 -r1 -q -o 1 + 1", "print(type(t).__name__)"],
    "get_ipython_kept": ["ip = get_ipython()", "ip.user_ns['injected'] = 3", "print(injected, ip is get_ipython())"],
    "sklearn_pipeline": [
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import StandardScaler\nfrom sklearn.linear_model import LogisticRegression\npipe = make_pipeline(StandardScaler(), LogisticRegression())\nscaler = pipe[0]",
        "pipe.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])",
        "print(pipe.predict([[5.0]]), scaler.mean_, scaler is pipe[0])",
    ],
    "enable_experimental": [
        "from sklearn.experimental import enable_iterative_imputer",
        "from sklearn.impute import IterativeImputer\nprint(IterativeImputer.__name__)",
    ],
    "logging": [
        "import logging\nlog = logging.getLogger('mine')\nlog.setLevel(logging.DEBUG)",
        "print(log.name, log.level, log is logging.getLogger('mine'))",
    ],
    "unused_unstorable": [
        "g = (i for i in range(3))\nimport threading\nlock = threading.Lock()\nxs = [1]",
        "xs.append(2)",
        "g = 5\nlock = None",
        "print(xs, g, lock)",
    ],
    "unstorable_shares": ["xs = [1]\ngen = (x for x in xs)", "xs.append(2)", "print(xs)"],
    "error_line_later": ["def f(x):\n    return 1 / x", "y = 1\nf(0)", "print('never')"],
    # -- found by people who tried it ------------------------------------------------------------------------------------
    "sklearn_config": [
        "import sklearn\nsklearn.set_config(transform_output='pandas', display='text')",
        "import pandas as pd\nfrom sklearn.preprocessing import StandardScaler\nscaler = StandardScaler()",
        "print(type(scaler.fit_transform(pd.DataFrame({'a': [1.0, 2.0]}))).__name__)\nscaler",
    ],
    "answers_for_everything": [
        "class Attr:\n    def __init__(self): self.n = 1\n    def __getattr__(self, name): return name + '!'\nat = Attr()\nbox = [at]",
        "print(at.foo, at.n, box[0] is at)\nat.n = 2",
        "print(box[0].n, box[0].bar)",
    ],
    "answers_with_slots": [
        "class P:\n    __slots__ = ('x', '__dict__')\n    def __getattr__(self, name): return None\np = P()\np.x = 3\np.y = 4",
        "print(p.x, p.y, p.z)",
    ],
    "array_with_attributes": [
        "import numpy as np\nclass Sub(np.ndarray): pass\ns = np.arange(3).view(Sub)\ns.meta = 'm'\nt = s[:2]\nt.meta = 'part'",
        "s[0] = 7\nprint(s.meta, t.meta, t.tolist(), type(t).__name__, np.shares_memory(s, t))",
        "print(s.tolist(), t.tolist())",
    ],
    "masked_array": [
        "import numpy as np\nm = np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])\nk = m",
        "k[0] = 9",
        "print(m, m.mask.tolist())",
    ],
    "array_seen_as_another_class": [
        "import numpy as np\nclass Sub(np.ndarray): pass\na = np.zeros(4)\ns = a.view(Sub)",
        "a[1] = 5",
        "print(s.tolist(), np.shares_memory(a, s))",
    ],
    "help_in_a_pager": ["x = [1]", "?print\nx.append(2)", "x?\nprint(x)"],
}
