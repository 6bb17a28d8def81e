"""PyTorch's modules: which format keeps which, what comes back in a fresh process, and that nothing of the module changes.

PyTorch is too large to be installed for these tests: they run where it is there, and are skipped by name where it is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import MlopsError, PlatformError, WrongUsage
from jupyter_mlops.formats.calling import predict_of
from jupyter_mlops.formats.modules import as_rows, caller, evaluating, is_module
from jupyter_mlops.formats.table import FORMATS, NAMES, keepers, write
from jupyter_mlops.registry.sniff import sniff
from jupyter_mlops.registry.tensors import read_header
from jupyter_mlops.runner.card import write_model

HAS = pytest.importorskip("torch", reason="PyTorch is not installed (on Debian: apt install python3-torch)")
np = pytest.importorskip("numpy")

SOURCE = """
import torch
class Two(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.drop, self.last = torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.Linear(4, 2)
    def forward(self, x):
        return self.last(self.drop(torch.relu(self.first(x))))
class Odd(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(3))
        self.names = {1, 2}
    def forward(self, x, *more, **named):
        return sum([x * self.weight for _ in self.names]) + len(globals()) * 0
"""
ROWS = [[1.0, 2.0, 3.0], [4, 5, 6], [-1, 0, 1]]


def tied() -> Any:
    import torch

    model = torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    model[2].weight = model[0].weight
    return model


def linear() -> Any:
    import torch

    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Dropout(0.5), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def half() -> Any:
    return linear().double()


def embedding() -> Any:
    import torch

    return torch.nn.Sequential(torch.nn.Embedding(10, 4), torch.nn.Flatten(), torch.nn.Linear(12, 2))


@pytest.fixture
def of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Classes of a module that is not installed, as a notebook's are not."""
    (tmp_path / "mine.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield pytest.importorskip("mine")
    del sys.modules["mine"]


READ = """
import json, sys
from pathlib import Path
sys.path[:0] = json.loads(sys.argv[3])
from jupyter_mlops.formats.calling import predict_of
from jupyter_mlops.formats.table import NAMES
import numpy
card = json.loads(sys.argv[1])
found = predict_of(NAMES[card["format"]].read(Path(sys.argv[2]), card))
print(json.dumps(found(json.loads(sys.argv[4])).tolist()), "mine" in sys.modules)
"""


def elsewhere(folder: Path, card: dict[str, Any], rows: Any) -> Any:
    """What the model says in a process that has none of the test's modules."""
    root = str(Path(__file__).parents[3])
    path = [root, *(one for one in sys.path if "site-packages" in one or "dist-packages" in one)]
    given = [json.dumps(card), str(folder / card["file"]), json.dumps(path), json.dumps(rows)]
    done = subprocess.run([sys.executable, "-c", READ, *given], cwd="/", capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr
    answer, _, mine = done.stdout.strip().rpartition(" ")
    assert mine == "False"
    return json.loads(answer)


MODELS: dict[str, tuple[Callable[[], Any], Any]] = {
    "layers": (linear, ROWS),
    "doubles": (half, ROWS),
    "tied weights": (tied, ROWS),
    "an embedding": (embedding, [[1, 2, 3], [4, 5, 6]]),
}


@pytest.mark.parametrize(("make", "rows"), MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("wanted", ["torchscript", "torch", "python"])
def test_a_module_says_the_same_elsewhere(make: Callable[[], Any], rows: Any, wanted: str, tmp_path: Path) -> None:
    model = make()
    expected = caller(model)(rows)
    card = write_model(
        tmp_path, model, "net", data=np.asarray(rows, dtype="float32" if rows is ROWS else "int64"), metrics={}, wanted=wanted
    )
    assert (card["format"], card["pickle"]) == (wanted, True)
    assert card["signature"]["inputs"][0]["shape"] == [-1, 3]
    assert card["signature"]["outputs"][0]["shape"][0] == -1
    assert card["packages"]["torch"] == HAS.__version__ or "torch" in card["packages"]
    assert np.allclose(elsewhere(tmp_path, card, rows), expected, rtol=1e-6)


def test_classes_of_the_notebook(of_file: Any, tmp_path: Path) -> None:
    """TorchScript needs none of them; what it cannot say is kept by value, and the card says why."""
    two = of_file.Two()
    (tmp_path / "a").mkdir()
    card = write_model(tmp_path / "a", two, "two", data=None, metrics={})
    assert (card["format"], card["class"]) == ("torchscript", "mine.Two")
    assert np.allclose(elsewhere(tmp_path / "a", card, ROWS), caller(two)(ROWS))
    odd = of_file.Odd()
    (tmp_path / "b").mkdir()
    card = write_model(tmp_path / "b", odd, "odd", data=None, metrics={})
    assert card["format"] == "python"
    assert "torchscript: TorchScript cannot say" in card["format_note"]
    assert "torch: the module has classes" in card["format_note"]
    assert np.allclose(elsewhere(tmp_path / "b", card, ROWS), np.asarray(ROWS) * 2)
    with pytest.raises(WrongUsage) as refused:
        write(odd, tmp_path / "b", "torch")
    assert refused.value.code == "model-format"


def test_the_module_is_as_it_was(tmp_path: Path) -> None:
    """Its modes, one part frozen on purpose, its gradients, its weights."""
    model = linear()
    model[2].eval()
    before = {name: one.clone() for name, one in model.state_dict().items()}
    model(HAS.ones(4, 3)).sum().backward()
    grads = [one.grad.clone() for one in model.parameters() if one.grad is not None]
    write_model(tmp_path, model, "net", data=HAS.ones(2, 3), metrics={})
    assert [part.training for part in model] == [True, True, False, True]
    assert all(bool((one == before[name]).all()) for name, one in model.state_dict().items() if "num_batches" not in name)
    assert all(
        bool((one.grad == grad).all())
        for one, grad in zip([p for p in model.parameters() if p.grad is not None], grads, strict=True)
    )
    assert all(one.requires_grad for one in model.parameters())


def test_modes_come_back_after_an_error() -> None:
    model = linear()

    def fails() -> None:
        with evaluating(model):
            assert not model.training
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert model.training


@pytest.mark.parametrize("wanted", ["torchscript", "torch"])
def test_calls_at_the_same_time_do_not_disturb_one_another(wanted: str, tmp_path: Path) -> None:
    """A module that was registered while it was trained is read in its mode of evaluation, and stays in it."""
    model = linear().train()
    read = predict_of(NAMES[wanted].read(tmp_path / write(model, tmp_path, wanted).file, {}))
    expected = caller(model)(ROWS)
    with ThreadPoolExecutor(4) as pool:
        assert all(np.allclose(found, expected) for found in pool.map(read, [ROWS] * 200))


def test_two_writings_are_the_same_bytes(tmp_path: Path) -> None:
    """Layers are shared by their digests."""
    model = linear()
    for wanted in ("torchscript", "safetensors"):
        files = []
        for number in (1, 2):
            folder = tmp_path / f"{wanted}{number}"
            folder.mkdir()
            files.append((folder / write(model, folder, wanted).file).read_bytes())
        assert files[0] == files[1], wanted


def test_weights_alone(tmp_path: Path) -> None:
    pytest.importorskip("safetensors")
    model = tied()
    card = write_model(tmp_path, {name: one.clone() for name, one in model.state_dict().items()}, "net", data=None, metrics={})
    assert (card["format"], card["pickle"]) == ("safetensors", False)
    path = tmp_path / card["file"]
    with path.open("rb") as file:
        header = read_header(file, path.stat().st_size, "it")
    assert {one.name for one in header.tensors} == set(model.state_dict())
    assert header.metadata == {"format": "pt"}
    with pytest.raises(PlatformError, match="weights alone"):
        NAMES["safetensors"].read(path, card)
    with pytest.raises(WrongUsage, match="safetensors"):
        write(model.state_dict(), tmp_path)  # two names of one tensor
    (tmp_path / "of").mkdir()
    assert write(model, tmp_path / "of", "safetensors").pickle is False


def test_a_file_of_weights_by_torch_is_told_from_a_module(tmp_path: Path) -> None:
    HAS.save(linear().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(PlatformError, match="weights alone"):
        NAMES["torch"].read(tmp_path / "weights.pt", {})


@pytest.mark.parametrize("name", ["torch", "torchscript"])
@pytest.mark.parametrize("data", [b"", b"junk" * 50, b"PK\x03\x04" + bytes(50)])
def test_junk_is_our_error(name: str, data: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.pt").write_bytes(data)
    with pytest.raises(MlopsError) as refused:
        NAMES[name].read(tmp_path / "model.pt", {})
    assert refused.value.code == "model-file"


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")  # of releases that would rather have the module exported
def test_files_are_told_apart(tmp_path: Path) -> None:
    model = linear()
    HAS.jit.save(HAS.jit.script(model), str(tmp_path / "a.bin"))
    HAS.save(model, tmp_path / "b.bin")
    assert (sniff(tmp_path / "a.bin").format, sniff(tmp_path / "b.bin").format) == ("torchscript", "torch")
    assert sniff(tmp_path / "a.bin").pickle
    assert sniff(tmp_path / "b.bin").pickle


def test_who_owns_what() -> None:
    assert [each.name for each in keepers(linear())] == ["torchscript", "torch", "python", "safetensors"]
    assert [each.name for each in keepers(linear().state_dict())] == ["safetensors"]
    assert not any(each.owns({}) or each.owns({"a": 1}) for each in FORMATS)
    assert not is_module(HAS.nn.Linear)
    assert as_rows([1]) == [1]
    assert as_rows(HAS.ones(2)).tolist() == [1, 1]


def test_what_a_module_does_not_take_is_a_plain_error() -> None:
    with pytest.raises(TypeError, match="takes numbers"):
        caller(linear())([["a", "b", "c"]])
    assert caller(linear().bfloat16())(ROWS).dtype == np.float32
