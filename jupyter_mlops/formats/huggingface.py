"""Models and pipelines of transformers as the folder that ``save_pretrained`` writes: config, safetensors, tokenizer.

Nothing of such a folder runs when it is read: weights come from safetensors alone, never from a pickle beside them, and code of
the folder's own (``auto_map``) is not taken.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import Predict, Runs, UnsuitedError, Written

CONFIG = "config.json"

TASKS = {
    "ForSequenceClassification": "text-classification", "ForTokenClassification": "token-classification",
    "ForQuestionAnswering": "question-answering", "ForMaskedLM": "fill-mask", "ForCausalLM": "text-generation",
    "LMHeadModel": "text-generation", "ForImageClassification": "image-classification",
    "ForAudioClassification": "audio-classification", "ForConditionalGeneration": "text2text-generation",
}  # fmt: skip
"""How the name of an architecture ends → what its pipeline is called; of any other the features are given."""

TASK = "feature-extraction"


@dataclass(frozen=True, slots=True)
class Huggingface:
    """The folder's files lie beside the card; ``config.json`` is named for all of them."""

    name: str = "huggingface"
    needs: tuple[str, ...] = ("transformers", "torch")
    runs: Runs = "nothing"

    def owns(self, model: Any) -> bool:
        """Models of transformers for PyTorch, and pipelines."""
        return _is_model(model) or _is_pipeline(model)

    def write(self, model: Any, folder: Path) -> Written:
        """A pipeline brings its tokenizer; a model alone has none.

        Raises:
            UnsuitedError: a pipeline of another framework than PyTorch, or what transformers does not write.
        """
        if _is_pipeline(model) and not _is_model(model.model):
            raise UnsuitedError("only models for PyTorch are written as safetensors")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.save_pretrained(str(folder), safe_serialization=True)
        except (OSError, ValueError, RuntimeError, NotImplementedError) as error:
            raise UnsuitedError(f"transformers cannot write it: {str(error).partition(chr(10))[0][:300]}") from error
        if _is_pipeline(model):
            _note_task(folder / CONFIG, str(model.task))
        return Written(self.name, CONFIG, pickle=False)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """A pipeline for the task that the model is for; it takes a list of texts (or what else the task takes)."""
        del card
        folder, said = path.parent, _config(path)
        if not any(folder.glob("*.safetensors")):
            raise PlatformError(
                f"{path.name} has no weights as safetensors beside it, and others are not read", code="model-format",
                fix="Write it again: model.save_pretrained(folder, safe_serialization=True).",
            )  # fmt: skip
        import transformers

        task = str(said.get("pipeline_task") or _known(said))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = _model(transformers, folder, said)
                return _caller(transformers.pipeline(task, model=model, trust_remote_code=False, **_beside(folder)))
        except ImportError:
            raise  # told by who asked, with what is to be installed
        except Exception as error:  # it raises the plainest of errors too
            raise PlatformError(
                f"transformers cannot read the model for {task}: {str(error).partition(chr(10))[0][:300]}", code="model-file",
                fix="Register a pipeline, which brings its tokenizer along: log_model(pipeline(...), name).",
            ) from error  # fmt: skip


def _model(transformers: Any, folder: Path, said: Mapping[str, Any]) -> Any:
    """Of the very class that was written: a task's own class would drop some weights, and make up others. Raises ValueError."""
    name = next((str(one) for one in said.get("architectures") or ()), "none")
    kind: Any = getattr(transformers, name, None)
    if transformers.PreTrainedModel not in getattr(kind, "__mro__", ()):
        raise ValueError(f"this release of transformers has no model {name!r} for PyTorch")
    if (folder / "adapter_config.json").is_file():
        raise ValueError("it is an adapter of another model, whose weights need not be safetensors; merge it into that model")
    model, told = kind.from_pretrained(str(folder), use_safetensors=True, local_files_only=True, output_loading_info=True)
    if told["missing_keys"] or told.get("mismatched_keys"):
        raise ValueError(
            f"it has no weights for {', '.join(sorted(map(str, told['missing_keys'] or told['mismatched_keys']))[:3])}"
        )
    return model


def _beside(folder: Path) -> dict[str, str]:
    """What a pipeline takes besides the model, where its files are there."""
    parts = {"tokenizer": "tokenizer_config.json", "image_processor": "preprocessor_config.json"}
    return {part: str(folder) for part, file in parts.items() if (folder / file).is_file()}


def _is_model(model: Any) -> bool:
    base = getattr(sys.modules.get("transformers.modeling_utils"), "PreTrainedModel", None)
    return base is not None and isinstance(model, base)


def _is_pipeline(model: Any) -> bool:
    base = getattr(sys.modules.get("transformers.pipelines.base"), "Pipeline", None)
    return base is not None and isinstance(model, base)


def _note_task(path: Path, task: str) -> None:
    """The pipeline's own task, which one architecture can have several of; transformers keeps what it does not know."""
    said = json.loads(path.read_text(encoding="utf-8"))
    if _known(said) != task:
        path.write_text(json.dumps({**said, "pipeline_task": task}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _config(path: Path) -> Mapping[str, Any]:
    """Raises PlatformError, code ``model-file``."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise PlatformError(f"{path.name} cannot be read: {error}", code="model-file", fix="Register the model again.") from error
    if not isinstance(said, dict):
        raise PlatformError(f"{path.name} is no object", code="model-file", fix="Register the model again.")
    return said


def _known(said: Mapping[str, Any]) -> str:
    names = [str(name) for name in said.get("architectures") or ()]
    return next((task for name in names for end, task in TASKS.items() if name.endswith(end)), TASK)


def _caller(found: Any) -> Predict:
    def predict(rows: Any) -> Any:
        values = rows.squeeze("columns") if hasattr(rows, "columns") else rows
        listed = values.tolist() if hasattr(values, "tolist") else list(values)
        return found(listed)

    return predict
