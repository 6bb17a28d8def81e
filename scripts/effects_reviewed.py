"""What ``scripts/effects.py`` is told by people: which modules and classes to look at, and calls that no signature explains."""

# ruff: noqa: SIM905 - tables of words read better as text

from __future__ import annotations

from collections.abc import Mapping

STANDARD = tuple(
    """array bisect bz2 builtins collections configparser contextlib copy csv datetime decimal fractions functools gc glob
    gzip hashlib heapq io itertools json locale logging lzma math operator os os.path pathlib pickle pprint queue
    random re shelve shutil sqlite3 statistics string struct subprocess sys tarfile tempfile textwrap threading time
    types typing uuid warnings zipfile""".split()
)
"""Modules of the standard library whose calls stand in notebooks."""

NUMPY: Mapping[str, str] = {
    "__init__.pyi": "numpy", "_core/*.pyi": "numpy", "lib/_*_impl.pyi": "numpy", "linalg/_linalg.pyi": "numpy.linalg",
    "fft/_*.pyi": "numpy.fft", "random/mtrand.pyi": "numpy.random", "random/_generator.pyi": "numpy.random",
}  # fmt: skip
NUMPY_MAKERS = tuple("array arange empty empty_like full full_like linspace ones ones_like where zeros zeros_like".split())
"""They give an array, behind overloads and protocols."""

NUMPY_CLASSES = frozenset({"ndarray", "Generator", "RandomState"})
PANDAS = ("DataFrame", "Series", "Index", "ExcelWriter", "HDFStore", "Timestamp", "Timedelta", "Categorical")
SKLEARN = ("cluster", "datasets", "decomposition", "inspection", "metrics", "model_selection", "pipeline", "preprocessing", "utils")
PYPLOT = tuple("axes figure gca gcf imread imsave savefig subplot subplots rc rcdefaults switch_backend".split())
TORCH_CLASSES = (
    ("torch/nn/modules/module.py", "torch.nn", frozenset({"Module"})),
    ("torch/optim/optimizer.py", "torch.optim", frozenset({"Optimizer"})),
    ("torch/optim/lr_scheduler.py", "torch.optim", frozenset({"LRScheduler"})),
)
TORCH_FUNCTIONS: Mapping[str, set[str]] = {
    "writes": {"save@1:f"}, "reads": {"load@0:f"},
    "shares": {"from_numpy@0:a", "as_tensor@0:a", "asarray@0:a"},
    "process": {"manual_seed", "set_default_dtype", "set_default_device", "set_num_threads", "use_deterministic_algorithms"},
}  # fmt: skip
"""Functions that are Python's and stand in no schema."""

TORCH_STUBS = ("__init__.pyi", "_VariableFunctions.pyi")
"""Stubs that say which of torch's operators people can call."""

DRAWS = frozenset({"numpy.random.Generator", "numpy.random.RandomState", "numpy.random", "random", "random.Random"})
"""Whose calls take numbers from a stream and so move it on."""

ARTIST_READS = "|".join(
    """get_ is_ has_ contains format_ draw findobj savefig show in_axes can_ convert_ pchanged have_units pick
    properties xaxis_inv yaxis_inv ArtistList""".split()
)
"""What artists compute or show without a change that anybody could see."""

_TABLE = """\
takes  # they give what they take away: a stub shows only what they give
    *.pop *.popitem *.popleft *.setdefault *.read *.readline *.readlines *.read1 *.readinto *.fetchone *.fetchmany
    *.fetchall *.send *.throw *.get_nowait
takes  # they give a count and move the file
    io.IOBase.seek io.IOBase.truncate io.TextIOBase.write io.StringIO.write io.BytesIO.write io.RawIOBase.write
    io.TextIOWrapper.write io.BufferedWriter.write io.BufferedRandom.write typing.IO.write
takes  # it takes the item out; dict.get of the same name does not
    queue.Queue.get queue.SimpleQueue.get
takes  # a draw moves the stream on
    random.Random.random random.Random.randint random.Random.choice random.Random.sample random.Random.uniform
    random.Random.gauss random.Random.randrange random.Random.choices
pure  # what they do is not to the value
    *.close *.flush *.show *.info *.debug *.warning *.error *.critical *.exception *.log pandas.DataFrame.plot
    pandas.Series.plot pandas.DataFrame.hist pandas.DataFrame.boxplot
    pandas.Series.hist pandas.DataFrame.combine_first numpy.random.default_rng
pure  # they give nothing, and only show or wait
    builtins.print builtins.help builtins.breakpoint time.sleep pprint.pprint pprint.pp
shares@0:a  # the reference manual says view where one is possible; a signature cannot
    numpy.reshape numpy.ravel numpy.transpose numpy.squeeze numpy.swapaxes numpy.moveaxis numpy.rollaxis numpy.asarray
    numpy.asanyarray numpy.ascontiguousarray numpy.atleast_1d numpy.atleast_2d numpy.atleast_3d numpy.expand_dims
    numpy.broadcast_to numpy.diagonal numpy.flip numpy.fliplr numpy.flipud numpy.rot90 numpy.real numpy.imag numpy.split
    numpy.array_split numpy.hsplit numpy.vsplit
argument@0:obj  # a stub takes any object
    builtins.setattr builtins.delattr
reads@0:file  # written or read by its mode, which the analysis looks at
    builtins.open io.open
process  # they set the process; some give the old value
    os.chdir os.putenv os.unsetenv os.umask locale.setlocale random.seed random.setstate numpy.random.seed
    numpy.random.set_state numpy.seterr numpy.set_printoptions pandas.set_option pandas.reset_option gc.disable
    sys.setrecursionlimit matplotlib.use matplotlib.rc matplotlib.rcdefaults matplotlib.pyplot.rc
    matplotlib.pyplot.rcdefaults matplotlib.pyplot.switch_backend warnings.filterwarnings warnings.simplefilter
    logging.basicConfig
writes@0:path  # the folder is another one afterwards
    os.remove os.unlink os.rmdir os.mkdir os.makedirs shutil.rmtree
reads@0:src writes@1:dst  # the second path is new
    shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.move os.rename os.replace
argument@0:x  # it permutes its argument, whatever its annotation says
    random.shuffle numpy.random.shuffle
shares  # until pandas 3 they may show the frame's own memory
    pandas.DataFrame.loc pandas.DataFrame.iloc pandas.DataFrame.at pandas.DataFrame.iat pandas.DataFrame.values
    pandas.DataFrame.T pandas.DataFrame.transpose pandas.DataFrame.to_numpy pandas.DataFrame.squeeze pandas.Series.loc
    pandas.Series.iloc pandas.Series.at pandas.Series.iat pandas.Series.values pandas.Series.array pandas.Series.to_numpy
    pandas.Series.T
shares  # the reference manual says view; a signature cannot
    numpy.ndarray.reshape numpy.ndarray.ravel numpy.ndarray.squeeze numpy.ndarray.swapaxes numpy.ndarray.transpose
    numpy.ndarray.view numpy.ndarray.diagonal numpy.ndarray.T numpy.ndarray.flat numpy.ndarray.real numpy.ndarray.imag
    numpy.ndarray.mT numpy.ndarray.data
pure  # a copy on write, shown
    pandas.DataFrame.head pandas.DataFrame.tail pandas.Series.head pandas.Series.tail
takes  # a module converts its parameters in place and gives itself
    torch.nn.Module.to torch.nn.Module.cuda torch.nn.Module.cpu torch.nn.Module.half torch.nn.Module.float
    torch.nn.Module.double torch.nn.Module.train torch.nn.Module.eval torch.nn.Module.requires_grad_ torch.nn.Module.apply
    torch.nn.Module.zero_grad torch.nn.Module.load_state_dict
changes  # they write through parameters that the optimizer holds
    torch.optim.Optimizer.step torch.optim.Optimizer.zero_grad torch.optim.LRScheduler.step
changes  # gradients are written beside the leaves
    torch.Tensor.backward
"""
"""Effect and reason, then the calls: ``Class.name`` with its module, or ``*.name`` for a method of any class."""


def _read() -> dict[str, str]:
    found: dict[str, str] = {}
    effect = ""
    for line in _TABLE.splitlines():
        if line[0] == " ":
            found |= dict.fromkeys(line.split(), effect)
        else:
            effect = line.partition("  #")[0]
    return found


REVIEWED: Mapping[str, str] = _read()
"""Call → effect, with ``@place:name`` of the argument that it is about."""
