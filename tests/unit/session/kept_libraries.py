"""Small notebooks about what libraries keep without a name: open figures, random streams, templates, callbacks, tracebacks.

Written as in ``libraries``: what each needs, and its cells.
"""

from __future__ import annotations

from tests.unit.session.objects import cells_of

_TEXT: dict[str, tuple[tuple[str, ...], str]] = {
    "figure numbers closed": (
        ("matplotlib",),
        """
%matplotlib inline
import matplotlib.pyplot as plt
fig = plt.figure(); fig2 = plt.figure(5)
# %%
import matplotlib.pyplot as plt
print(plt.figure().number, plt.get_fignums())
""",
    ),
    "figures open agg gcf": (
        ("matplotlib",),
        """
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
plt.plot([1,2]); plt.title('a')
# %%
import matplotlib.pyplot as plt
print(plt.get_fignums(), plt.gca().get_title(), len(plt.gcf().axes)); plt.xlabel('x')
# %%
print(plt.gca().get_xlabel(), plt.figure().number); plt.close('all')
# %%
print(plt.get_fignums(), plt.figure().number)
""",
    ),
    "figures open with name": (
        ("matplotlib",),
        """
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
fig, ax = plt.subplots(); ax.plot([1,2])
# %%
print(plt.gcf() is fig, plt.gca() is ax, plt.get_fignums()); plt.title('b')
# %%
print(ax.get_title(), fig.number, plt.fignum_exists(fig.number)); plt.close(fig)
# %%
print(plt.get_fignums())
""",
    ),
    "figure inline close_figures off": (
        ("matplotlib",),
        """
%matplotlib inline
%config InlineBackend.close_figures = False
import matplotlib.pyplot as plt
fig, ax = plt.subplots(); ax.plot([1,2])
# %%
print(plt.gcf() is fig); plt.title('b')
# %%
print(plt.get_fignums())
""",
    ),
    "cv2": (
        ("cv2", "numpy"),
        """
import cv2, numpy as np
cv2.setRNGSeed(7)
# %%
import cv2, numpy as np
a = np.zeros((2,3)); cv2.randu(a, 0, 1); print(a)
""",
    ),
    "cv2 second": (
        ("cv2", "numpy"),
        """
import cv2, numpy as np
cv2.setRNGSeed(7); a = np.zeros((2,3)); cv2.randu(a, 0, 1)
# %%
import cv2
cv2.randu(a, 0, 1); print(a)
""",
    ),
    "cv2 kmeans": (
        ("cv2", "numpy"),
        """
import cv2, numpy as np
x = np.random.RandomState(0).rand(50,2).astype('f4')
_, l, c = cv2.kmeans(x, 3, None, (3, 10, 1.), 1, cv2.KMEANS_RANDOM_CENTERS)
# %%
_, l, c = cv2.kmeans(x, 3, None, (3, 10, 1.), 1, cv2.KMEANS_RANDOM_CENTERS); print(c)
""",
    ),
    "cv2 threads": (
        ("cv2",),
        """
import cv2
cv2.setUseOptimized(False)
# %%
import cv2; print(cv2.useOptimized())
""",
    ),
    "altair theme": (
        ("altair",),
        """
import altair as alt
alt.theme.enable('dark')
# %%
import altair as alt
print(alt.theme.active, alt.Chart({'values': []}).mark_bar().to_dict()['config'])
""",
    ),
    "altair own theme": (
        ("altair",),
        """
import altair as alt
@alt.theme.register('mine', enable=True)
def mine(): return alt.theme.ThemeConfig({'config': {'background': 'red'}})
# %%
import altair as alt
print(alt.theme.active, alt.Chart({'values': []}).mark_bar().to_dict()['config'], 'mine' in alt.theme.names())
""",
    ),
    "altair old themes": (
        ("altair",),
        """
import altair as alt
alt.themes.register('m2', lambda: {'config': {'background': 'blue'}}); alt.themes.enable('m2')
# %%
import altair as alt
print(alt.themes.active, alt.Chart({'values': []}).mark_bar().to_dict()['config'])
""",
    ),
    "altair transformer of the notebook": (
        ("altair",),
        """
import altair as alt
seen = []
def t(data, **k):
    seen.append(1); return alt.default_data_transformer(data)
alt.data_transformers.register('mine', t); alt.data_transformers.enable('mine')
# %%
import altair as alt
print(alt.data_transformers.active)
alt.Chart({'values': []}).mark_bar().to_dict()
# %%
print(seen)
""",
    ),
    "plotly template": (
        ("plotly",),
        """
import plotly.io as pio, plotly.graph_objects as go
pio.templates['mine'] = go.layout.Template(layout={'paper_bgcolor': 'red'})
pio.templates.default = 'plotly_white+mine'
# %%
import plotly.io as pio, plotly.graph_objects as go
print(pio.templates.default, go.Figure().layout.template.layout.paper_bgcolor, 'mine' in pio.templates)
""",
    ),
    "plotly template changed": (
        ("plotly",),
        """
import plotly.io as pio, plotly.graph_objects as go
pio.templates['plotly'].layout.title.x = 0.5
# %%
import plotly.io as pio, plotly.graph_objects as go
print(go.Figure().layout.template.layout.title.x)
""",
    ),
    "rich install": (
        ("rich",),
        """
from rich import pretty
pretty.install()
# %%
{'a': 1, 'b': [1,2]}
# %%
list(range(50))
""",
    ),
    "widgets observe": (
        ("ipywidgets",),
        """
import ipywidgets as w
s = w.IntSlider(value=3); log = []
s.observe(lambda c: log.append(c['new']), 'value')
# %%
s.value = 5
# %%
print(log, s.value)
""",
    ),
    "widgets interact link": (
        ("ipywidgets",),
        """
import ipywidgets as w
a, b = w.IntText(1), w.IntText(2)
l = w.link((a,'value'),(b,'value'))
# %%
a.value = 9
# %%
print(b.value)
""",
    ),
    "mimetypes": (
        (),
        """
import mimetypes
mimetypes.add_type('x/y', '.zzz')
# %%
import mimetypes
print(mimetypes.guess_type('a.zzz'))
""",
    ),
    "dh": (
        (),
        """
%cd -q ..
# %%
import os; print(len(_dh), len(get_ipython().user_ns['_dh']))
""",
    ),
    "traceback": (
        (),
        """
try: 1/0
except ZeroDivisionError as x: e = x
# %%
import traceback
print(e.__traceback__ is None)
traceback.print_exception(e)
# %%
print(''.join(traceback.format_exception(e)))
""",
    ),
    "traceback lineno": (
        (),
        """
def f(): return 1/0
try: f()
except ZeroDivisionError as x: e = x
# %%
print(e.__traceback__.tb_lineno, e.__traceback__.tb_next.tb_frame.f_code.co_name)
""",
    ),
    "figures, interactive or not": (
        ("matplotlib",),
        """
import matplotlib.pyplot as plt
plt.ioff()
# %%
import matplotlib.pyplot as plt
print(plt.isinteractive())
""",
    ),
    "traceback of an error that is raised again": (
        (),
        """
def f(): raise ValueError('a')
try: f()
except ValueError as x: e = x
# %%
try: raise e
except ValueError as y: print([(one.name, one.lineno) for one in __import__('traceback').extract_tb(y.__traceback__)])
# %%
print(len(__import__('traceback').extract_tb(e.__traceback__)), e.__traceback__.tb_next.tb_next.tb_frame.f_globals['__name__'])
""",
    ),
    "pushed folders": (
        (),
        """
import os; os.mkdir('a'); from contextlib import redirect_stdout
with redirect_stdout(None): get_ipython().run_line_magic('pushd', 'a')
home = None
# %%
with redirect_stdout(None): get_ipython().run_line_magic('pushd', '.')
home = None
# %%
with redirect_stdout(None): get_ipython().run_line_magic('popd', '')
print([os.path.relpath(one, _dh[0]) for one in _dh], len(get_ipython().dir_stack))
""",
    ),
    "bokeh": (
        ("bokeh",),
        """
from bokeh.plotting import figure
p = figure(title='a'); r = p.line([1,2],[3,4])
# %%
p.title.text = 'b'; r.glyph.line_width = 3
# %%
print(p.title.text, p.renderers[0] is r, r.glyph.line_width)
""",
    ),
    "bokeh source": (
        ("bokeh",),
        """
from bokeh.models import ColumnDataSource
src = ColumnDataSource({'a': [1,2]})
# %%
print(src.data)
""",
    ),
    "arrays of ctypes": (
        (),
        """
import ctypes
a = (ctypes.c_int * 3)(1, 2, 3); b = ctypes.c_double(2.5)
# %%
a[0] = 9
# %%
print(list(a), b.value)
""",
    ),
    "names of pylab": (
        ("matplotlib",),
        """
%pylab inline
# %%
cos = 3
print(linspace(0, 1, 3), plt is not None, pylab.__name__)
# %%
plot([1, 2]); print(cos, 'linspace' in get_ipython().user_ns_hidden)
""",
    ),
    "pylab, a few names": (
        ("matplotlib",),
        """
%pylab inline --no-import-all
# %%
print(np.linspace(0, 1, 3), 'linspace' in globals())
""",
    ),
    "random stream of tensorflow": (
        ("tensorflow",),
        """
import tensorflow as tf
tf.random.set_seed(3); a = tf.random.uniform((2,))
# %%
print(tf.random.uniform((2,)).numpy())
""",
    ),
}

KEPT = {name: (needs, cells_of(text)) for name, (needs, text) in _TEXT.items()}
