"""Small notebooks about what cells register with libraries and the interpreter, and later cells get other results by.

Written as in ``libraries``: what each needs, and its cells.
"""

from __future__ import annotations

from tests.unit.session.objects import cells_of

_TEXT: dict[str, tuple[tuple[str, ...], str]] = {
    "of pandas in matplotlib": (
        ("matplotlib", "pandas"),
        """
import pandas as pd, matplotlib.units as mu
pd.plotting.register_matplotlib_converters()
# %%
import matplotlib.units as mu, pandas as pd
print(type(mu.registry.get(pd.Period)).__name__, sorted(k.__name__ for k in mu.registry))
""",
    ),
    "of pandas, the step imports matplotlib alone": (
        ("matplotlib", "pandas"),
        """
import pandas as pd
pd.plotting.register_matplotlib_converters()
n = 1
# %%
import matplotlib.units as mu
print(sorted(k.__name__ for k in mu.registry), n)
""",
    ),
    "a converter of the notebook": (
        ("matplotlib",),
        """
import matplotlib.units as mu
class T: pass
class C(mu.ConversionInterface):
    @staticmethod
    def convert(v, u, a): return 3
mu.registry[T] = C()
# %%
import matplotlib.units as mu
print(type(mu.registry.get(T)), len(mu.registry))
# %%
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
print(plt.plot([T()],[1])[0].get_xdata(orig=False))
""",
    ),
    "an accessor of pandas": (
        ("pandas",),
        """
import pandas as pd
@pd.api.extensions.register_dataframe_accessor('geo')
class Geo:
    def __init__(self, o): self.o = o
    def n(self): return len(self.o)
df = pd.DataFrame({'a': [1,2]})
# %%
print(df.geo.n(), 'geo' in pd.DataFrame._accessors)
# %%
import pandas as pd
print(pd.DataFrame({'b': [1]}).geo.n(), 'geo' in dir(pd.DataFrame))
""",
    ),
    "a handler of a signal": (
        (),
        """
import signal
log = []
signal.signal(signal.SIGUSR1, lambda *_: log.append(1))
# %%
import os, signal; os.kill(os.getpid(), signal.SIGUSR1)
print(log)
""",
    ),
    "an alarm": (
        (),
        """
import signal
class T(Exception): pass
def h(*_): raise T()
signal.signal(signal.SIGALRM, h)
# %%
import time
signal.setitimer(signal.ITIMER_REAL, 0.05)
try: time.sleep(1)
except T: print('timeout')
""",
    ),
    "ignored signals": (
        (),
        """
import signal
signal.signal(signal.SIGPIPE, signal.SIG_DFL); signal.signal(signal.SIGUSR1, signal.SIG_IGN)
# %%
import signal
print(signal.getsignal(signal.SIGPIPE), signal.getsignal(signal.SIGUSR1))
""",
    ),
    "a target of comms": (
        ("comm",),
        """
import comm
def t(c, m): print('opened')
comm.get_comm_manager().register_target('mine', t)
# %%
import comm
print('mine' in comm.get_comm_manager().targets)
""",
    ),
    "an error handler of codecs": (
        (),
        """
import codecs
codecs.register_error('mine', lambda e: ('?', e.end))
# %%
print('aé'.encode('ascii', 'mine'))
""",
    ),
    "an adapter of sqlite3": (
        (),
        """
import sqlite3
class Pt: pass
sqlite3.register_adapter(Pt, lambda p: 'pt')
# %%
import sqlite3
c = sqlite3.connect(':memory:'); print(c.execute('select ?', (Pt(),)).fetchone())
""",
    ),
    "dialects in their order": (
        (),
        """
import csv; csv.register_dialect('p', delimiter='|')
# %%
import csv; print(csv.list_dialects())
""",
    ),
    "a dtype of pandas": (
        ("pandas",),
        """
import pandas as pd
@pd.api.extensions.register_extension_dtype
class D(pd.api.extensions.ExtensionDtype):
    name = 'dd'; type = object
# %%
import pandas as pd
print(pd.api.types.pandas_dtype('dd'))
""",
    ),
    "a scale": (
        ("matplotlib",),
        """
import matplotlib.scale as ms, matplotlib.projections as mp
class S(ms.LinearScale): name = 'mine'
ms.register_scale(S)
# %%
import matplotlib.scale as ms
print('mine' in ms.get_scale_names())
""",
    ),
    "names of levels": (
        (),
        """
import logging
logging.addLevelName(25, 'NOTE')
# %%
import logging; print(logging.getLevelName(25))
""",
    ),
    "prefixes of XML": (
        (),
        """
import xml.etree.ElementTree as ET
ET.register_namespace('zz', 'http://zz')
# %%
import xml.etree.ElementTree as ET
print(ET.tostring(ET.Element('{http://zz}a')))
""",
    ),
    "tags of yaml": (
        ("yaml",),
        """
import yaml
class A:
    pass
yaml.add_representer(A, lambda d, a: d.represent_scalar('!a', 'x'))
yaml.SafeLoader.add_constructor('!a', lambda l, n: A())
# %%
import yaml
print(yaml.dump(A()), type(yaml.safe_load('!a x')).__name__)
""",
    ),
    "an opener of addresses": (
        (),
        """
import urllib.request
class H(urllib.request.BaseHandler):
    def foo_open(self, r): return 'got'
urllib.request.install_opener(urllib.request.build_opener(H()))
# %%
import urllib.request
print(urllib.request.urlopen('foo://x'))
""",
    ),
    "how processes start": (
        (),
        """
import multiprocessing as mp
mp.set_start_method('spawn', force=True)
# %%
import multiprocessing as mp
print(mp.get_start_method())
""",
    ),
    "a document of bokeh": (
        ("bokeh",),
        """
from bokeh.plotting import figure, curdoc
p = figure(title='a'); curdoc().add_root(p); curdoc().title = 'x'
# %%
from bokeh.plotting import curdoc
print(len(curdoc().roots), curdoc().title)
# %%
p.title.text = 'b'; print(curdoc().roots[0].title.text)
""",
    ),
    "a theme of bokeh": (
        ("bokeh",),
        """
from bokeh.io import curdoc
curdoc().theme = 'dark_minimal'
# %%
from bokeh.io import curdoc
from bokeh.plotting import figure
p = figure(); curdoc().add_root(p)
print(p.background_fill_color, type(curdoc().theme).__name__)
""",
    ),
    "where bokeh shows: the page": (
        ("bokeh",),
        """
from bokeh.io import output_notebook, show
from bokeh.plotting import figure
output_notebook(hide_banner=True)
p = figure(); r = p.line([1],[2])
# %%
from bokeh.io.state import curstate
print(curstate().notebook, curstate().notebook_type, curstate().file)
# %%
show(p)
print(1)
""",
    ),
    "where bokeh shows: a file": (
        ("bokeh",),
        """
from bokeh.io import output_file
output_file('x.html', title='t')
# %%
from bokeh.io.state import curstate
print(curstate().file.title, curstate().notebook)
""",
    ),
    "a registry of units for the process": (
        ("pint",),
        """
import pint
ureg = pint.UnitRegistry(); ureg.define('foo = 3 * meter')
pint.set_application_registry(ureg)
# %%
import pint
q = pint.Quantity(1, 'foo').to('meter'); print(q)
# %%
print(q + pint.Quantity(1,'foo'))
# %%
print(pint.get_application_registry().get() is ureg, q._REGISTRY is ureg)
""",
    ),
    "quantities of a registry": (
        ("pint",),
        """
import pint
ureg = pint.UnitRegistry(); q = 3 * ureg.meter
# %%
print(q + 2 * ureg.meter, q._REGISTRY is ureg, isinstance(q, ureg.Quantity), isinstance(q, pint.Quantity))
# %%
r = (q / (2*ureg.s)).to('km/h'); print(r, type(q).__name__, ureg.Quantity is type(q))
""",
    ),
    "quantities of pint's own registry": (
        ("pint",),
        """
import pint
q = pint.Quantity(3, 'm')
# %%
print(q.to('cm'), q._REGISTRY is pint.application_registry.get())
""",
    ),
    "arrays with units": (
        ("pint", "numpy"),
        """
import pint, numpy as np
ureg = pint.UnitRegistry(); ureg.define('foo = 3 m'); a = np.arange(3) * ureg.foo; u = ureg.foo
Q_ = ureg.Quantity
# %%
print(a.to('m'), u == ureg.foo, Q_(1,'foo') + a)
""",
    ),
    "limits of reprlib": (
        (),
        """
import reprlib
reprlib.aRepr.maxlist = 2
# %%
import reprlib; print(reprlib.repr([1,2,3,4]))
""",
    ),
    "the shared registry of units": (
        ("pint",),
        """
import pint
ureg = pint.get_application_registry(); q = 2 * ureg.meter; u = ureg.second
# %%
print(q / u, ureg is pint.get_application_registry(), (q + pint.Quantity(1, 'cm')).to('cm'))
""",
    ),
    "names of units, and who shares a quantity": (
        ("pint",),
        """
import pint
ureg = pint.UnitRegistry(); q = ureg.Quantity([1.0, 2.0], 'kg'); r = q; d = {'m': q}
# %%
q += ureg.Quantity(1, 'kg'); print(r is q, d['m'] is q)
# %%
print(d['m'], ureg.Quantity(3, 'kg') > q)
""",
    ),
    "loops inside of loops": (
        ("nest_asyncio2",),
        """
import nest_asyncio2
nest_asyncio2.apply()
# %%
import asyncio
async def f(): return 3
print(asyncio.get_event_loop().run_until_complete(f()))
""",
    ),
    "asyncio.run inside of a loop": (
        ("nest_asyncio2",),
        """
import nest_asyncio2
nest_asyncio2.apply()
# %%
import asyncio
async def f(): return 3
print(asyncio.run(f()))
""",
    ),
    "an adapter that is a type": (
        ("numpy",),
        """
import sqlite3, numpy as np
sqlite3.register_adapter(np.int64, int); sqlite3.register_converter('twice', lambda raw: 2 * int(raw))
# %%
import sqlite3, numpy as np
c = sqlite3.connect(':memory:', detect_types=sqlite3.PARSE_COLNAMES)
print(c.execute('select ? as "a [twice]"', (np.int64(4),)).fetchone(), 'DATE' in sqlite3.converters)
""",
    ),
    "entries share what they hold with names": (
        (),
        """
import sqlite3
class Pt: pass
seen = []
sqlite3.register_adapter(Pt, lambda p: seen.append(1) or 'pt')
# %%
import sqlite3
c = sqlite3.connect(':memory:'); c.execute('select ?', (Pt(),)).fetchone(); print(seen)
# %%
print(seen)
""",
    ),
    "a step without the library between": (
        (),
        """
import sqlite3
class Pt: pass
sqlite3.register_adapter(Pt, lambda p: 'pt')
# %%
n = 1
# %%
import sqlite3
print(sqlite3.connect(':memory:').execute('select ?', (Pt(),)).fetchone(), n)
""",
    ),
    "headers of an opener": (
        (),
        """
import urllib.request
opener = urllib.request.OpenerDirector(); opener.addheaders = [('User-agent', 'x')]
urllib.request.install_opener(opener)
# %%
import urllib.request
print(urllib.request._opener is opener, urllib.request._opener.addheaders)
# %%
opener.addheaders.append(('a', 'b'))
# %%
import urllib.request
print(urllib.request._opener.addheaders)
""",
    ),
    "a drawing over a projection": (
        ("matplotlib",),
        """
import matplotlib; matplotlib.use('agg')
import matplotlib.axes, matplotlib.projections
class Mine(matplotlib.axes.Axes): name = 'mine'
matplotlib.projections.register_projection(Mine)
# %%
import matplotlib.pyplot as plt
print(type(plt.figure().add_subplot(projection='mine')).__name__)
""",
    ),
}

REGISTERED = {name: (needs, cells_of(text)) for name, (needs, text) in _TEXT.items()}
