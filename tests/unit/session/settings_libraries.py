"""Small notebooks about what cells register with libraries and set in them: the same with a process for every cell.

Written as in ``libraries``: what each needs, and its cells.
"""

from __future__ import annotations

from tests.unit.session.objects import cells_of

_TEXT: dict[str, tuple[tuple[str, ...], str]] = {
    "accessor by cell": (
        ("pandas",),
        """
import pandas as pd
@pd.api.extensions.register_dataframe_accessor('geo')
class Geo:
    calls = []
    def __init__(self, df): self.df = df
    def n(self): Geo.calls.append(1); return len(self.df)
df = pd.DataFrame({'a': [1, 2]})
# %%
df.geo.n()
# %%
print(pd.DataFrame({'a': [1]}).geo.n(), df.geo.n(), len(Geo.calls))
""",
    ),
    "accessor only frame": (
        ("pandas",),
        """
import pandas as pd
@pd.api.extensions.register_series_accessor('my')
class My:
    def __init__(self, s): self.s = s
    def tot(self): return self.s.sum()
df = pd.DataFrame({'a': [1, 2]})
# %%
print(df.a.my.tot())
""",
    ),
    "xarray accessor": (
        ("xarray",),
        """
import xarray as xr, numpy as np
@xr.register_dataset_accessor('geo')
class G:
    def __init__(self, o): self.o = o
    def n(self): return dict(self.o.sizes)
ds = xr.Dataset({'v': (('x', 'y'), np.arange(6.).reshape(2, 3))}, coords={'x': [1, 2]}, attrs={'a': [1]})
da = ds['v']
# %%
da[0, 0] = 50; ds.attrs['a'].append(2)
# %%
print(ds.geo.n(), float(ds['v'][0, 0]), ds.attrs, float(ds.sum()['v']))
""",
    ),
    "xarray options": (
        ("xarray",),
        """
import xarray as xr
xr.set_options(display_width=40, keep_attrs=True)
# %%
import xarray as xr
print(xr.get_options()['display_width'], xr.get_options()['keep_attrs'])
""",
    ),
    "polars namespace": (
        ("polars",),
        """
import polars as pl
@pl.api.register_expr_namespace('greet')
class Gr:
    def __init__(self, e): self._e = e
    def two(self): return self._e * 2
# %%
print(pl.DataFrame({'a': [1]}).select(pl.col('a').greet.two()))
""",
    ),
    "numpy err callback": (
        ("numpy",),
        """
import numpy as np
log = []
np.seterrcall(lambda t, f: log.append(t)); np.seterr(all='call')
# %%
np.array([1.]) / 0
# %%
print(log, np.geterr()['divide'])
""",
    ),
    "xgboost details": (
        ("xgboost",),
        """
import xgboost as xgb, numpy as np
X, y = np.random.default_rng(0).random((60, 3)), np.arange(60) % 2
dm = xgb.DMatrix(X, y)
m = xgb.XGBRegressor(n_estimators=2, n_jobs=1, callbacks=[xgb.callback.EarlyStopping(2)])
xgb.set_config(verbosity=0)
# %%
m.fit(X, y, eval_set=[(X, y)], verbose=False)
# %%
print(m.predict(X[:2]).round(3), m.best_iteration, xgb.get_config()['verbosity'])
""",
    ),
    "datasets": (
        ("datasets",),
        """
import datasets
ds = datasets.Dataset.from_dict({'a': list(range(5))}); dd = datasets.DatasetDict({'t': ds})
datasets.disable_progress_bars()
# %%
ds2 = ds.map(lambda r: {'b': r['a'] * 2}); ds.set_format('numpy')
# %%
print(ds2[1], dd['t'] is ds, type(ds['a'][:]).__name__, datasets.are_progress_bars_disabled())
""",
    ),
    "seaborn plotly altair bokeh defaults": (
        (
            "seaborn",
            "plotly",
            "altair",
        ),
        """
import seaborn as sns, plotly.io as pio, altair as alt
sns.set_theme(style='whitegrid', palette='pastel', font_scale=1.5)
pio.templates.default = 'plotly_dark'
alt.data_transformers.disable_max_rows()
import plotly.graph_objects as go
fig = go.Figure(go.Scatter(y=[1, 2]))
# %%
fig.add_bar(y=[3]); fig.update_layout(title='t')
# %%
import matplotlib as mpl, plotly.io as pio, altair as alt
print(mpl.rcParams['axes.grid'], pio.templates.default, alt.data_transformers.active, alt.data_transformers.options, len(fig.data), fig.layout.title.text, fig.layout.template.layout.paper_bgcolor)
""",
    ),
    "sklearn user function": (
        ("sklearn",),
        """
import numpy as np
from sklearn.preprocessing import FunctionTransformer
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_val_score
from sklearn.linear_model import LogisticRegression
from sklearn.base import clone
import sklearn
sklearn.set_config(transform_output='pandas', enable_metadata_routing=True)
seen = []
def sc(y, p): seen.append(len(y)); return float((y == p).mean())
scorer = make_scorer(sc); X, y = np.arange(20.).reshape(10, 2), np.arange(10) % 2
lr = LogisticRegression(random_state=np.random.RandomState(0)); rs = lr.random_state
# %%
cross_val_score(lr, X, y, scoring=scorer, cv=2)
# %%
print(seen, lr.random_state is rs, clone(lr).get_params()['C'], sklearn.get_config()['transform_output'])
""",
    ),
    "defaults of plotly express": (
        ("plotly", "pandas"),
        """
import plotly.io as pio, plotly.express as px
pio.renderers.default = 'json'; px.defaults.width = 300; px.defaults.template = 'simple_white'
# %%
import plotly.io as pio, plotly.express as px
print(pio.renderers.default, px.defaults.width, px.defaults.template)
""",
    ),
}

SETTINGS = {name: (needs, cells_of(text)) for name, (needs, text) in _TEXT.items()}
