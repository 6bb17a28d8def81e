"""Small notebooks with objects of libraries that people hold between cells: each must print the same with a process a cell.

``LIBRARIES`` maps a name to the modules that it needs and its cells, parted by ``# %%``. What is not installed is skipped by name.
"""

from __future__ import annotations

from tests.unit.session.objects import cells_of

_TEXT: dict[str, tuple[tuple[str, ...], str]] = {
    # -- numpy ---------------------------------------------------------------------------------------------------------
    "views of one array": (
        ("numpy",),
        """
import numpy as np
base = np.arange(24.0)
m = base.reshape(4, 6); t = m.T; rev = base[::-1]; col = m[:, 1]; row = m[2]; diag = m.diagonal(); flat = m.ravel()
as_int = base.view('i8'); z = np.zeros(4, 'c16'); re = z.real; b = np.broadcast_to(base[:3], (2, 3))
# %%
m[2, 1] = -1; rev[0] = 99; re[:] = 5; base[0] = 7
# %%
print(base.tolist(), t[1, 2], col[2], row[1], flat[-1], z.tolist(), as_int.dtype, b[1, 0], np.shares_memory(m, rev), t.base is base, diag[0])
""",
    ),
    "large views of a large array": (
        ("numpy",),
        """
import numpy as np
big = np.arange(100_000.0).reshape(100, 1000)
left, right, t = big[:, :500], big[:, 500:], big.T
# %%
left[0, 0] = -5; t[999, 99] = 1; right += 1
# %%
print(big[0, 0], big[99, 999], big.sum(), left.base is big, np.shares_memory(left, right), t.flags.f_contiguous)
""",
    ),
    "arrays of every kind": (
        ("numpy",),
        """
import numpy as np
xs = [np.array(3), np.array([]), np.zeros((0, 3)), np.array(['a', 'bb']), np.array([b'x']), np.array([1, None], object), np.arange(3, dtype='>i4'),
      np.array([(1, 'a')], dtype=[('n', 'i4'), ('s', 'U2')]), np.array(['2024-01', 'NaT'], 'M8[M]'), np.float32(1.5), np.datetime64('2024-01-01'),
      np.rec.array([(1, 2.0)], names='a,b'), np.ma.masked_array([1, 2], [0, 1]), np.asfortranarray(np.ones((2, 3))), np.memmap('f.bin', 'u1', 'w+', shape=4), np.nan]
xs[-2][:] = 5
rng = np.random.default_rng(5); same = rng; old = np.random.RandomState(3); bits = rng.bit_generator
poly, vec, uf = np.poly1d([1, 2]), np.vectorize(lambda v: v + 1), np.add
# %%
first = rng.random()
# %%
print([str(x) for x in xs], [getattr(x, 'dtype', None) for x in xs], first, same.random(), same is rng, old.rand(), rng.bit_generator is bits, poly(2), vec([1]), uf is np.add, xs[-1] is np.nan)
""",
    ),
    "functions of numpy's one generator": (
        ("numpy",),
        """
from numpy.random import seed, rand
import numpy as np
shuffle, one = np.random.shuffle, np.random.mtrand._rand
# %%
seed(3)
# %%
x = list(range(9)); shuffle(x)
print(rand(2), one is np.random.mtrand._rand, one.rand(), x)
# %%
print(np.random.rand(), rand())
""",
    ),
    "distributions of scipy": (
        ("scipy",),
        """
from scipy import stats
import numpy as np
class Held: pass
one, held, frozen, seeded = stats.t, Held(), stats.norm(0, 1), stats.gamma(2)
held.one, own, seeded.random_state = stats.t, stats.expon(), 7
own.random_state = 5
# %%
np.random.seed(2)
# %%
print(frozen.rvs(2), held.one is one, one is stats.t, one.rvs(3, size=2), seeded.rvs(), own.rvs())
# %%
print(np.random.rand(), frozen.rvs(), seeded.rvs(), own.rvs())
""",
    ),
    "precision and domains of sympy": (
        ("sympy",),
        """
from sympy import *
from mpmath import mp, mpf
half = mpf(1) / 3
# %%
mp.dps = 40
# %%
import mpmath
print(mpmath.mpf(1) / 3, half, mp is mpmath.mp, RR.convert(2.5), CC, QQ(1, 3), Poly(Symbol('x') + 1, domain=ZZ).domain is ZZ)
""",
    ),
    "columns that a frame hands out again": (
        ("pandas",),
        """
import pandas as pd
df = pd.DataFrame({'a': [1.0, None, 3.0], 'b': [1.0, 2.0, 3.0]})
s, t = df['a'], df['b']
# %%
u = df['a']
import warnings; warnings.simplefilter('ignore')
s.fillna(0, inplace=True)
# %%
print(df, df['a'] is s, u is s, df['b'] is t)
t.iloc[0] = 9
# %%
print(df, t.tolist(), s.tolist())
""",
    ),
    "names that a query asks its caller for": (
        ("pandas",),
        """
import pandas as pd
df = pd.DataFrame({'size': [1, 2, 3], 'b': [4, 5, 6]})
least, most, other, where = 1, 3, pd.Series([7, 8, 9]), 'size > @least and b < @limits[1]'
limits = (0, 6)
# %%
print(df.query('size > @least'), df.eval('b + @most').tolist())
# %%
print(df.query(where), pd.eval('other + 1').tolist())
""",
    ),
    "names that a formula asks its caller for": (
        ("patsy",),
        """
import numpy as np
import patsy
x, y, formula = np.array([1.0, 2.0]), np.array([3.0, 4.0]), 'y ~ np.log(x)'
def half(v): return v / 2
# %%
print(patsy.dmatrices('y ~ half(x)'), patsy.dmatrix('np.sqrt(y)'))
# %%
print(patsy.dmatrices(formula))
""",
    ),
    "methods of classes": (
        ("pandas",),
        """
import pandas as pd
from datetime import datetime
make, other, now = pd.DataFrame.from_dict, pd.DataFrame.from_dict, datetime.fromisoformat
# %%
print(make({'a': [1]}), make == pd.DataFrame.from_dict, make.__func__ is pd.DataFrame.from_dict.__func__, now('2024-01-02'))
# %%
print(make == other, other.__self__ is pd.DataFrame)
""",
    ),
    "numpy's own types are the same everywhere": (
        ("numpy", "pandas"),
        """
import numpy as np, pandas as pd
kinds = [np.zeros(3, dtype=kind) for kind in ('f8', 'i4', '?', 'c16', '>f4', 'U3', 'M8[s]')]
s, kind = pd.Series([1.0, 2.0]), np.dtype('f8')
# %%
same = [np.asarray(one, one.dtype.str) is one for one in kinds]
# %%
print(same, kind is np.dtype('f8'), np.asarray(s, float) is s.values, [one.dtype for one in kinds], s.dtype is kind)
""",
    ),
    "what libraries have once": (
        ("matplotlib", "pandas"),
        """
import matplotlib as mpl, pandas as pd
rc, maps, options = mpl.rcParams, mpl.colormaps, pd.options
# %%
rc['lines.linewidth'] = 7; options.display.max_rows = 5
# %%
print(mpl.rcParams['lines.linewidth'], rc is mpl.rcParams, maps is mpl.colormaps, options is pd.options, pd.get_option('display.max_rows'))
del rc, maps, options
""",
    ),
    "settings of numpy": (
        ("numpy",),
        """
import numpy as np
np.random.seed(1); np.set_printoptions(precision=3, suppress=True); np.seterr(all='ignore')
# %%
a = np.random.rand(3); np.random.shuffle(a)
# %%
print(a, np.random.randint(100), np.array([1.0]) / 0, np.random.get_state()[0])
""",
    ),
    # -- pandas --------------------------------------------------------------------------------------------------------
    "frames of every kind": (
        ("pandas",),
        """
import pandas as pd, numpy as np
df = pd.DataFrame({'i': [1, 2], 's': ['x', None], 'c': pd.Categorical(['a', 'b'], ordered=True), 't': pd.to_datetime(['2024-01-01', None]), 'n': pd.array([1, None], 'Int64'), 'o': [[1], {}]}, index=pd.Index(['r', 'q'], name='idx'))
mi = df.set_index('i', append=True); td = pd.Series(pd.to_timedelta([1, 2], 'h')); iv = pd.cut(pd.Series([1, 5]), 2); sp = pd.Series([0, 1], dtype='Sparse[int]')
df.attrs['note'] = [1]
inner, g, roll, st = df['o'].iloc[0], df.groupby('i'), df['i'].rolling(2), pd.io.formats.style.Styler if False else None
tz = pd.Timestamp('2024-01-01', tz='Europe/Paris'); per = pd.period_range('2024', periods=2, freq='M')
# %%
inner.append(2); df.attrs['note'].append(2); df.loc['r', 'i'] = 10; df['z'] = df['i'] * 2
# %%
print(df, df.attrs, mi.index.names, td.sum(), iv.tolist(), sp.sparse.density, g.size().tolist(), roll.sum().tolist(), tz.tz_convert('UTC'), per[1], df.dtypes.astype(str).tolist(), pd.NA is df['n'].iloc[1])
""",
    ),
    "copy on write": (
        ("pandas",),
        """
import pandas as pd
df = pd.DataFrame({'a': range(5), 'b': 1.5})
head, col, renamed, reset = df.head(2), df['a'], df.rename(columns={'a': 'z'}), df.reset_index(drop=True)
box = {'df': df, 'again': df}
# %%
head.iloc[0, 0] = 100; df.loc[1, 'a'] = -1
# %%
renamed.iloc[2, 0] = 7; box['again']['new'] = 1
# %%
print(df, head, col.tolist(), renamed.z.tolist(), reset.a.tolist(), box['df'] is df)
""",
    ),
    "frames and arrays under them": (
        ("pandas",),
        """
import pandas as pd, numpy as np
a = np.arange(40_000.0).reshape(20_000, 2)
df = pd.DataFrame(a, copy=False); v = df.to_numpy(); s = pd.Series(a[:, 0], copy=False)
# %%
a[0, 0] = 55
# %%
print(df.iloc[0, 0], v[0, 0], s.iloc[0], np.shares_memory(a, v))
""",
    ),
    "own subclass of a frame": (
        ("pandas",),
        """
import pandas as pd
class MyFrame(pd.DataFrame):
    _metadata = ['tag']
    @property
    def _constructor(self): return MyFrame
m = MyFrame({'a': [1.0]}); m.tag = 't'
# %%
m['b'] = 2.0
# %%
import pandas as pd
print(type(m).__name__, m.tag, type(m[['a']]).__name__)
""",
    ),
    "options of pandas": (
        ("pandas",),
        """
import pandas as pd
pd.set_option('display.max_columns', 3, 'display.precision', 2); pd.options.mode.copy_on_write if False else None
pd.set_option('display.float_format', lambda v: f'<{v:.1f}>')
# %%
print(pd.DataFrame([[1.234] * 6]))
""",
    ),
    # -- scipy, scikit-learn -------------------------------------------------------------------------------------------
    "sparse matrices": (
        ("scipy",),
        """
import numpy as np, scipy.sparse as sp
m = sp.csr_matrix(np.eye(3)); same = m; data = m.data; lil, coo, arr = m.tolil(), m.tocoo(), sp.csr_array(m)
# %%
data[0] = 9; lil[1, 2] = 4
# %%
print(m.toarray().tolist(), same is m, m.data is data, lil.toarray()[1].tolist(), coo.sum(), type(arr).__name__)
""",
    ),
    "scipy objects": (
        ("scipy",),
        """
from scipy import stats, interpolate, spatial, optimize
d = stats.norm(2, 3); k = stats.gaussian_kde([1.0, 2.0, 3.0]); f = interpolate.interp1d([0, 1], [0, 10]); t = spatial.KDTree([[0, 0], [1, 1]])
r = optimize.minimize(lambda x: (x - 1) ** 2, 0.0)
# %%
print(d.mean(), float(k(2.0)[0]) > 0, float(f(0.5)), t.query([0.9, 0.9])[1], round(float(r.x[0]), 3), r.success)
""",
    ),
    "estimators": (
        ("sklearn",),
        """
import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler, FunctionTransformer, OneHotEncoder
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.base import BaseEstimator, TransformerMixin
class Half(BaseEstimator, TransformerMixin):
    def __init__(self, by=2): self.by = by
    def fit(self, X, y=None): self.n_ = len(X); return self
    def transform(self, X): return np.asarray(X) / self.by
X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
half = Half(); pipe = Pipeline([('h', half), ('s', StandardScaler()), ('f', FunctionTransformer(lambda v: v + 1)), ('m', RandomForestClassifier(4, random_state=0))])
search = GridSearchCV(pipe, {'h__by': [1, 2]}, cv=KFold(2)); folds = KFold(2).split(X)
# %%
pipe.fit(X, y); search.fit(X, y)
# %%
print(pipe.predict(X[:4]), half.n_, pipe.named_steps['h'] is half, search.best_params_, type(search.best_estimator_['h']) is Half, pipe.get_params()['h__by'])
""",
    ),
    # -- matplotlib, tqdm ------------------------------------------------------------------------------------------------
    "figures": (
        ("matplotlib",),
        """
import matplotlib; matplotlib.use('agg')
import matplotlib.pyplot as plt
fig, axes = plt.subplots(1, 2); ax = axes[0]
line, = ax.plot([1, 2], label='l'); plt.close(fig)
plt.rcParams['lines.linewidth'] = 4; plt.style.use('ggplot'); cmap = plt.get_cmap('viridis')
# %%
ax.set_title('set later'); line.set_color('red'); axes[1].plot([3, 4])
# %%
import matplotlib.pyplot as plt
print(fig.axes[0].get_title(), ax.figure is fig, ax.lines[0] is line, line.get_color(), len(fig.axes[1].lines), plt.rcParams['lines.linewidth'], plt.rcParams['axes.facecolor'], cmap(0.0)[0] > 0, plt.get_fignums())
""",
    ),
    "progress bars": (
        ("tqdm", "pandas"),
        """
from tqdm import tqdm
import pandas as pd, io
tqdm.pandas(desc='apply', file=io.StringIO())
def rows(n): return [x for x in tqdm(range(n), disable=True)]
# %%
out = rows(3)
# %%
import pandas as pd
print(out, pd.Series([1, 2]).progress_apply(lambda v: v + 1).tolist())
""",
    ),
    # -- Arrow, boosting -------------------------------------------------------------------------------------------------
    "arrow tables": (
        ("pyarrow", "pandas"),
        """
import pyarrow as pa, pyarrow.compute as pc, pandas as pd
t = pa.table({'a': range(30_000), 's': ['x'] * 30_000}); part = t.slice(5, 3); col = t['a']; sch = t.schema; b = t.to_batches()[0]
df = t.to_pandas(types_mapper=pd.ArrowDtype); sc = pa.scalar(3)
# %%
df['b'] = df['a'] * 2; t = t.append_column('z', pc.multiply(t['a'], 3))
# %%
print(t.num_columns, part.to_pylist(), col.type, sch.names, b.num_rows, df.dtypes.astype(str).tolist(), df['b'].sum(), sc.as_py(), t['z'][2])
""",
    ),
    "lightgbm": (
        ("lightgbm",),
        """
import lightgbm as lgb, numpy as np
X, y = np.random.default_rng(0).random((100, 3)), np.arange(100) % 2
model = lgb.LGBMClassifier(n_estimators=3, verbose=-1); booster = lgb.train({'objective': 'binary', 'verbose': -1}, lgb.Dataset(X, y), 3)
# %%
model.fit(X, y)
# %%
print(model.predict(X[:5]), booster.predict(X[:2]).round(4), booster.num_trees())
""",
    ),
    "xgboost": (
        ("xgboost",),
        """
import xgboost as xgb, numpy as np
X, y = np.random.default_rng(0).random((100, 3)), np.arange(100) % 2
model = xgb.XGBClassifier(n_estimators=3, nthread=1); booster = xgb.train({'objective': 'binary:logistic', 'nthread': 1}, xgb.DMatrix(X, y), 3)
# %%
model.fit(X, y); same = model
# %%
print(model.predict(X[:5]), booster.num_boosted_rounds(), same is model)
""",
    ),
    # -- torch ---------------------------------------------------------------------------------------------------------
    "tensors that share storage": (
        ("torch",),
        """
import torch
base = torch.arange(30_000.0); m = base.view(300, 100); t = m.t(); part = base[10:20]; clone = base.clone()
p = torch.nn.Parameter(torch.ones(2)); d = p.data; det = p.detach()
# %%
m[0, 0] = -1; part[0] = 99; d[1] = 5
# %%
print(base[0].item(), base[10].item(), t[10, 0].item(), clone[0].item(), p.tolist(), det.tolist(), p.requires_grad, m.storage().data_ptr() == base.storage().data_ptr(), t.stride())
""",
    ),
    "module, optimizer and loader": (
        ("torch",),
        """
import torch
torch.manual_seed(0)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__(); self.a = torch.nn.Linear(4, 4); self.b = torch.nn.Linear(4, 1); self.b.tied = self.a.weight
    def forward(self, x): return self.b(torch.relu(self.a(x)))
net = Net(); opt = torch.optim.Adam(net.parameters(), lr=0.1); sched = torch.optim.lr_scheduler.StepLR(opt, 1)
data = torch.utils.data.TensorDataset(torch.rand(8, 4), torch.rand(8, 1)); loader = torch.utils.data.DataLoader(data, batch_size=4, shuffle=True)
calls = []
hook = net.a.register_forward_hook(lambda *_: calls.append(1))
# %%
for x, y in loader:
    opt.zero_grad(); ((net(x) - y) ** 2).mean().backward(); opt.step()
sched.step()
# %%
before = net.a.weight.clone()
for x, y in loader:
    opt.zero_grad(); ((net(x) - y) ** 2).mean().backward(); opt.step()
# %%
print([round(v, 5) for v in net(torch.ones(1, 4))[0].tolist()], net.b.tied is net.a.weight, opt.param_groups[0]['params'][0] is net.a.weight, bool((before != net.a.weight).any()), opt.param_groups[0]['lr'], len(calls), torch.rand(1).item(), sched.optimizer is opt, net.a.weight.grad is not None)
""",
    ),
    "options of torch": (
        ("torch",),
        """
import torch
torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False); torch.use_deterministic_algorithms(True); torch.set_printoptions(precision=2)
g = torch.Generator(); g.manual_seed(3)
# %%
a = torch.rand(1, generator=g)
# %%
import torch
print(torch.ones(1).dtype, torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), torch.tensor([1.23456]), a.item(), torch.rand(1, generator=g).item())
""",
    ),
}

LIBRARIES = {name: (needs, cells_of(text)) for name, (needs, text) in _TEXT.items()}
