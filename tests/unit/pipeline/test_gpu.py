"""Which cells use a GPU, from the ways in which people write it."""

from __future__ import annotations

import pytest

from jupyter_mlops.notebook.document import Cell
from jupyter_mlops.pipeline.gpu import gpu_use

SURE, MAYBE = True, False

CASES: list[tuple[str, list[str], dict[int, bool]]] = [
    ("nothing", ["import torch", "x = torch.zeros(3)", "print(torch.cuda.is_available())"], {}),
    ("cuda-method", ["net = make()", "net.cuda()"], {1: SURE}),
    ("cuda-value-is-carried", ["net = make().cuda()", "y = 1", "net(y)"], {0: SURE, 2: SURE}),
    ("to-text", ["net.to('cuda:1')"], {0: SURE}),
    ("to-cpu", ["net.to('cpu')", "net.to(torch.float16)"], {}),
    ("to-if-there", ["net.to('cuda' if torch.cuda.is_available() else 'cpu')"], {0: MAYBE}),
    (
        "the-usual-device",
        ["device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')", "x = 1", "net = Net().to(device)", "net.train()"],
        {2: MAYBE, 3: MAYBE},
    ),
    ("device-as-text", ["device = 'cuda'", "net.to(device)"], {1: SURE}),
    ("device-rebound", ["device = 'cuda'", "device = 'cpu'", "net.to(device)"], {}),
    ("keyword", ["x = torch.zeros(3, device='cuda')"], {0: SURE}),
    ("xgboost", ["model = XGBClassifier(device='cuda')", "model.fit(X, y)"], {0: SURE, 1: SURE}),
    ("xgboost-old", ["params = {'tree_method': 'gpu_hist'}", "booster = xgb.train(params, data)"], {1: SURE}),
    ("lightgbm", ["params = dict(device_type='gpu')"], {0: SURE}),
    ("catboost", ["model = CatBoostClassifier(task_type='GPU')"], {0: SURE}),
    ("lightning", ["trainer = Trainer(accelerator='gpu', devices=1)"], {0: SURE}),
    ("lightning-auto", ["trainer = Trainer(accelerator='auto')"], {}),
    ("tensorflow", ["with tf.device('/GPU:0'):\n    y = tf.matmul(a, b)"], {0: SURE}),
    ("jax", ["x = jax.device_put(x, 'gpu')"], {}),
    ("cupy", ["import cupy as cp", "n = 3", "x = cp.zeros(n)"], {2: SURE}),
    ("cudf-from", ["from cudf import read_csv", "read_csv('a.csv')"], {1: SURE}),
    ("in-a-function", ["def train(net):\n    net.cuda()\n    return net", "n = 1", "train(net)"], {2: SURE}),
    ("in-a-function-of-a-function", ["def move(x):\n    return x.to('cuda')", "def go():\n    return move(1)", "go()"], {2: SURE}),
    ("in-a-class", ["class Net:\n    def __init__(self):\n        self.x = make().cuda()", "Net()"], {1: SURE}),
    ("magic", ["!nvidia-smi", "%time net.cuda()"], {}),
    ("not-python", ["def (", "net.cuda()"], {1: SURE}),
    ("a-text-is-no-device", ["print('cuda')", "labels = ['gpu', 'cpu']"], {}),
    ("read-in-a-subscript", ["net = make().cuda()", "found[net] = 1"], {0: SURE, 1: SURE}),
]


@pytest.mark.parametrize(("sources", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_the_ways_in_which_people_write_it(sources: list[str], expected: dict[int, bool]) -> None:
    found = gpu_use(Cell(index, "code", source) for index, source in enumerate(sources))
    assert {cell: use.sure for cell, use in found.items()} == expected
    assert all(use.what for use in found.values())


def test_it_says_where() -> None:
    found = gpu_use([Cell(4, "code", "\n\nx = 1\nnet = make(\n    x\n).to('cuda')")])
    assert (found[4].line, found[4].what) == (4, "make(x).to('cuda')")
