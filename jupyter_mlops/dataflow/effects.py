"""Tables of effects: which calls change an object in place, which surely do not, which touch files.

Wrong in one direction costs time, in the other a result: a call that is taken for a change makes a new version of a value and
less can run side by side; a change that is overlooked leaves a later step with the old value in the graph. So what is not
listed as harmless counts as a change wherever its result is thrown away.
"""

# ruff: noqa: SIM905 - tables of words read better as text

from __future__ import annotations

import re
from collections.abc import Mapping

from jupyter_mlops.dataflow.facts import NO_NAMES, Role
from jupyter_mlops.dataflow.table import CHANGES, CONTAINERS, Effect, table

MUTATORS = frozenset(
    """append extend insert remove pop popitem clear sort reverse update setdefault add discard appendleft extendleft popleft rotate
    difference_update intersection_update symmetric_difference_update subtract __setitem__ __delitem__ __setattr__
    fit fit_transform fit_predict fit_resample partial_fit fit_generator train_on_batch load_state_dict zero_grad backward step
    load_weights set_params compile set_index_names add_module register_buffer register_parameter requires_grad_ train
    write writelines send throw close seek readline readlines put put_nowait get_nowait""".split()
)
"""Methods that change their receiver whatever becomes of the result."""

PURE = frozenset(
    """head tail info describe plot hist show boxplot scatter summary display view value_counts sample to_csv to_parquet to_json
    to_pickle to_excel to_sql to_string to_html to_latex to_markdown to_feather to_hdf to_dict to_list tolist tofile savefig save
    save_model save_pretrained save_weights write_csv write_parquet evaluate predict predict_proba predict_log_proba
    decision_function score transform inverse_transform items keys values copy get shape mean sum std var min max count nunique
    unique corr cov groupby agg aggregate print format join split strip lower upper hexdigest digest state_dict parameters
    isna isnull notna notnull any all quantile median mode memory_usage equals query filter select exists is_file is_dir
    read_text read_bytes write_text write_bytes glob iterdir joinpath as_posix bar line pie area kde startswith endswith encode
    decode index get_params cpu numpy detach item size dim""".split()
)
"""Methods called for what they show or write: they leave their receiver as it was."""

ARGUMENT_MUTATORS: Mapping[str, int] = {
    "shuffle": 0, "heappush": 0, "heappop": 0, "heapify": 0, "heapreplace": 0, "heappushpop": 0, "setattr": 0, "delattr": 0,
    "next": 0, "insort": 0, "insort_left": 0, "insort_right": 0, "copyto": 0, "fill_diagonal": 0, "place": 0, "putmask": 0,
    "put_along_axis": 0, "clip_grad_norm_": 0, "clip_grad_value_": 0, "xavier_uniform_": 0, "xavier_normal_": 0,
    "kaiming_uniform_": 0, "kaiming_normal_": 0, "uniform_": 0, "normal_": 0, "constant_": 0, "zeros_": 0, "ones_": 0,
}  # fmt: skip
"""Function → place of the argument that it changes."""

SETUP = re.compile(r"(?:seed|manual_seed\w*|use|filterwarnings|simplefilter|basicConfig|chdir|set_\w+|set|enable_\w+|putenv)")
"""Functions of modules that change the process and no value."""

MODULE_LISTS = frozenset({"append", "insert", "update", "extend"})
"""Methods that make ``sys.path.append(…)`` and ``os.environ.update(…)`` setup."""

WRITERS = frozenset(
    """to_csv to_parquet to_json to_pickle to_excel to_feather to_hdf savefig save savez savez_compressed savetxt write_text
    write_bytes write_csv write_parquet imwrite save_model save_pretrained dump tofile write_table write_image write_html""".split()
)
READERS = frozenset(
    """read_csv read_parquet read_json read_pickle read_excel read_feather read_hdf read_table load loadtxt genfromtxt imread
    load_model from_pretrained read_text read_bytes scan_csv scan_parquet fromfile read_sql load_workbook""".split()
)
MAKES_FILES = re.compile(
    r"(?i)extract|unpack|download|retrieve|clone|^system$|popen|check_call|check_output|^run$|^call$|^save|^write|^dump$"
    r"|^to_(?:csv|parquet|json|pickle|excel|feather|hdf)$"
)
"""Calls that may make files whose names the source does not spell."""

PATH_CLASSES = frozenset({"Path", "PurePath", "pathlib"})

NAMESPACE_READERS = frozenset({"globals", "exec", "eval", "locals"})
"""Builtins that reach names which the source does not spell."""

OPENERS: Mapping[str, str] = {
    "open": "an open file", "ThreadPoolExecutor": "a thread pool", "ProcessPoolExecutor": "a process pool", "Lock": "a lock",
    "RLock": "a lock", "Thread": "a thread", "socket": "a socket", "connect": "a connection", "create_connection": "a connection",
}  # fmt: skip
"""Calls whose result surely cannot be stored: builtin ``open``, and these members of standard modules (``OPENER_MODULES``)."""

OPENER_MODULES = frozenset({"threading", "concurrent.futures", "socket", "sqlite3", "multiprocessing"})

ROLES: Mapping[str, Role] = {
    **dict.fromkeys(
        """read_csv read_parquet read_json read_pickle read_excel read_feather read_hdf read_table read_sql loadtxt genfromtxt
        load_dataset load_iris load_wine load_breast_cancer load_digits load_diabetes fetch_openml fetch_california_housing
        fetch_20newsgroups make_classification make_regression make_blobs make_moons scan_csv scan_parquet""".split(),
        "load",
    ),
    **dict.fromkeys("fit fit_transform fit_predict partial_fit train_on_batch fit_generator backward".split(), "train"),
    **dict.fromkeys(
        """score evaluate accuracy_score f1_score roc_auc_score mean_squared_error mean_absolute_error r2_score
        classification_report confusion_matrix cross_val_score log_loss precision_score recall_score""".split(),
        "evaluate",
    ),
}  # fmt: skip
"""What a call is for, in notebooks without headings."""


def changes_receiver(method: str, *, discarded: bool, kind: str = "") -> bool:
    """Whether calling ``x.method()`` may change ``x``.

    Args:
        method: its name.
        discarded: whether the result is thrown away.
        kind: class of ``x`` in the table of effects; '' where nobody knows: then all classes that have the method are asked.
    """
    of_class = table().known(kind, method) if kind else NO_NAMES
    if of_class:
        return bool(of_class & CHANGES)
    if method in MUTATORS or (method.endswith("_") and not method.startswith("_")):
        return True
    if method in PURE:
        return False
    known = table().known("", method)
    if known and known <= CHANGES:
        return True
    return discarded and (not known or bool(known & CHANGES))


def shows(name: str, kind: str, *, called: bool) -> bool:
    """Whether ``x.name``, or ``x.name()``, is a view of ``x``.

    Of an unknown class, whether it is one of any that has it; ``x.split()`` is rather a text's, ``x.values`` no method of a dict.
    """
    found = table()
    if kind in found.owners:
        return "shares" in found.known(kind, name)
    return "shares" in found.known("", name) and not (called and any(found.of(owner, name) for owner in CONTAINERS))


def file_effects(path: str, method: str) -> list[Effect]:
    """The arguments that name a file: of a function by its ``path``, of a method by its name in any class."""
    found = table()
    owner, _, name = path.rpartition(".")
    effects = found.of(owner, name) if path else found.files.get(method, ())
    return [effect for effect in effects if effect.kind in {"reads", "writes"}]


def argument_effects(path: str) -> list[Effect]:
    """The arguments that a function changes, ``out`` among them."""
    owner, _, name = path.rpartition(".")
    return [effect for effect in table().of(owner, name) if effect.kind in {"argument", "out"}]


def sets_process(path: str, name: str) -> bool:
    """Whether a function of a module changes the process; a module that the table does not know is judged by the name."""
    found = table()
    owner = path.rpartition(".")[0]
    if found.of(owner, name):
        return any(effect.kind == "process" for effect in found.of(owner, name))
    return SETUP.fullmatch(name) is not None or name in MODULE_LISTS
