"""Folders of transformers: a pipeline and a model come back from what ``save_pretrained`` wrote, and from nothing else.

transformers and PyTorch are too large to be installed for these tests: they run where both are there, and are skipped by name
where they are not. What needs neither is in the last part, and always runs.
"""

from __future__ import annotations

import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.huggingface import CONFIG, TASKS, Huggingface
from jupyter_mlops.formats.table import NAMES, keepers, write
from jupyter_mlops.oci.layout import Layout
from jupyter_mlops.registry.imports import import_model
from jupyter_mlops.registry.models import Models
from jupyter_mlops.registry.ranges import headers_of
from jupyter_mlops.runner.card import write_model

LACKS = [name for name in ("torch", "transformers", "safetensors") if find_spec(name) is None]
needs_transformers = pytest.mark.skipif(bool(LACKS), reason=f"not installed: {', '.join(LACKS)}")
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "very", "day"]
TEXTS = ["very good day", "bad day"]


@pytest.fixture
def classifier(tmp_path: Path) -> Any:
    """A pipeline of the smallest BERT there is."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast, pipeline

    (tmp_path / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, max_position_embeddings=16
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    return pipeline("text-classification", model=model, tokenizer=BertTokenizerFast(str(tmp_path / "vocab.txt")))


def close(found: Any, expected: Any) -> bool:
    return [one["label"] for one in found] == [one["label"] for one in expected] and all(
        abs(one["score"] - other["score"]) < 1e-5 for one, other in zip(found, expected, strict=True)
    )


@needs_transformers
def test_a_pipeline_comes_back(classifier: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    card = write_model(tmp_path / "out", classifier, "mood", data=TEXTS, metrics={})
    assert (card["format"], card["file"], card["pickle"]) == ("huggingface", CONFIG, False)
    assert card["sample"]["instances"] == TEXTS
    files = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"model.safetensors", CONFIG, "tokenizer.json", "mlops.json"} <= files
    assert not any(name.endswith((".bin", ".pt", ".pkl")) for name in files)
    assert close(NAMES["huggingface"].read(tmp_path / "out" / CONFIG, card)(TEXTS), classifier(TEXTS))


@needs_transformers
def test_rows_of_a_table_are_texts(classifier: Any, tmp_path: Path) -> None:
    np = pytest.importorskip("numpy")
    (tmp_path / "out").mkdir()
    write(classifier, tmp_path / "out")
    read = NAMES["huggingface"].read(tmp_path / "out" / CONFIG, {})
    assert close(read(np.asarray(TEXTS)), classifier(TEXTS))


@needs_transformers
def test_the_task_of_the_pipeline_is_kept(classifier: Any, tmp_path: Path) -> None:
    """One architecture can do several things; what was registered is what is served."""
    from transformers import pipeline

    other = pipeline("feature-extraction", model=classifier.model, tokenizer=classifier.tokenizer)
    (tmp_path / "out").mkdir()
    write(other, tmp_path / "out")
    assert json.loads((tmp_path / "out" / CONFIG).read_text())["pipeline_task"] == "feature-extraction"
    found = NAMES["huggingface"].read(tmp_path / "out" / CONFIG, {})(TEXTS)
    assert found[0][0] == pytest.approx(other(TEXTS)[0][0], abs=1e-5)


@needs_transformers
def test_a_model_alone_lacks_its_tokenizer_and_says_so(classifier: Any, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert next(each.name for each in keepers(classifier.model)) == "huggingface"
    written = write(classifier.model, tmp_path / "out")
    assert (written.format, written.pickle) == ("huggingface", False)
    with pytest.raises(PlatformError) as refused:
        NAMES["huggingface"].read(tmp_path / "out" / CONFIG, {})(TEXTS)
    assert "pipeline" in refused.value.fix


@needs_transformers
def test_weights_that_are_missing_are_not_made_up(classifier: Any, tmp_path: Path) -> None:
    """transformers would draw them at random, and warn."""
    from safetensors.torch import load_file, save_file

    (tmp_path / "out").mkdir()
    write(classifier, tmp_path / "out")
    weights = load_file(tmp_path / "out" / "model.safetensors")
    del weights["classifier.bias"]
    save_file(weights, tmp_path / "out" / "model.safetensors", {"format": "pt"})
    with pytest.raises(PlatformError, match=r"classifier\.bias"):
        NAMES["huggingface"].read(tmp_path / "out" / CONFIG, {})


@needs_transformers
def test_weights_in_a_pickle_and_code_beside_them_are_not_taken(classifier: Any, tmp_path: Path) -> None:
    """A pickle that would tell on itself lies where transformers looks for weights."""
    import torch

    class Bomb:
        def __reduce__(self) -> Any:
            return (open, (str(tmp_path / "owned"), "w"))

    out = tmp_path / "out"
    out.mkdir()
    write(classifier, out)
    torch.save(Bomb(), out / "pytorch_model.bin")
    said = json.loads((out / CONFIG).read_text())
    (out / "mine.py").write_text(f"open({str(tmp_path / 'owned')!r}, 'w')")
    (out / CONFIG).write_text(json.dumps({**said, "auto_map": {"AutoModelForSequenceClassification": "mine.Mine"}}))
    assert close(NAMES["huggingface"].read(out / CONFIG, {})(TEXTS), classifier(TEXTS))
    (out / "model.safetensors").unlink()
    with pytest.raises(PlatformError, match="safetensors"):
        NAMES["huggingface"].read(out / CONFIG, {})
    assert not (tmp_path / "owned").exists()


@needs_transformers
def test_what_save_pretrained_wrote_is_imported_and_served(classifier: Any, tmp_path: Path) -> None:
    classifier.save_pretrained(str(tmp_path / "in"), safe_serialization=True)
    store = Layout(tmp_path / "registry")
    import_model(store, tmp_path / "in", "mood")
    models = Models(store)
    version = models.find("mood")
    assert version.card["huggingface"]["tokenizer"]
    assert headers_of(store, version)["model.safetensors"].parameters == sum(
        one.numel() for one in classifier.model.state_dict().values()
    )
    models.extract(version, tmp_path / "out")
    assert close(NAMES["huggingface"].read(tmp_path / "out" / "models" / CONFIG, version.card)(TEXTS), classifier(TEXTS))


@needs_transformers
@pytest.mark.parametrize(
    ("architecture", "file", "why"),
    [
        ("BertTokenizerFast", "", "no model 'BertTokenizerFast'"),
        ("os", "", "no model 'os'"),
        ("NoSuchModel", "", "no model 'NoSuchModel'"),
        ("", "", "no model 'none'"),
        ("BertForSequenceClassification", "adapter_config.json", "adapter of another"),
    ],
)
def test_only_models_are_made(architecture: str, file: str, why: str, classifier: Any, tmp_path: Path) -> None:
    """What the config names is looked up, so that it has to be a model; adapters bring weights of their own."""
    (tmp_path / "out").mkdir()
    write(classifier, tmp_path / "out")
    said = json.loads((tmp_path / "out" / CONFIG).read_text())
    (tmp_path / "out" / CONFIG).write_text(json.dumps({**said, "architectures": [architecture] if architecture else []}))
    if file:
        (tmp_path / "out" / file).write_text("{}")
    with pytest.raises(PlatformError, match=why) as refused:
        NAMES["huggingface"].read(tmp_path / "out" / CONFIG, {})
    assert refused.value.code == "model-file"


# -- without transformers --------------------------------------------------------------------------------------------------


def test_nothing_is_owned_where_transformers_was_not_imported() -> None:
    if "transformers" not in sys.modules:
        assert not any(Huggingface().owns(each) for each in (print, {}, object(), [1]))


@pytest.mark.parametrize("said", ["no JSON", "[]", "5"])
def test_a_bad_config_is_our_error(said: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(said)
    with pytest.raises(PlatformError) as refused:
        Huggingface().read(tmp_path / CONFIG, {})
    assert refused.value.code == "model-file"


@pytest.mark.parametrize("weights", ["pytorch_model.bin", ""])
def test_other_weights_are_refused_before_transformers_is_asked(weights: str, tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"architectures": ["BertModel"]}))
    if weights:
        (tmp_path / weights).write_bytes(b"x")
    with pytest.raises(PlatformError, match="safetensors") as refused:
        Huggingface().read(tmp_path / CONFIG, {})
    assert refused.value.code == "model-format"


@pytest.mark.skipif("transformers" not in LACKS, reason="transformers is installed")
def test_what_it_takes_is_named(tmp_path: Path) -> None:
    (tmp_path / CONFIG).write_text(json.dumps({"architectures": ["BertModel"]}))
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModuleNotFoundError, match="transformers"):
        Huggingface().read(tmp_path / CONFIG, {})
    assert Huggingface().needs[0] == "transformers"


@pytest.mark.parametrize("end", TASKS)
def test_an_architecture_tells_its_task(end: str) -> None:
    from jupyter_mlops.formats.huggingface import _known

    assert _known({"architectures": [f"Some{end}"]}) == TASKS[end]
    assert _known({"architectures": ["SomeModel"]}) == _known({}) == "feature-extraction"
