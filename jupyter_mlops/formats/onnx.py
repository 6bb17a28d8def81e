"""ONNX: a graph of operators that every runtime knows, and no code. Read by onnxruntime, on the processor."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_mlops.errors import PlatformError
from jupyter_mlops.formats.base import Predict, UnsuitedError, Written

_TYPES = {
    "tensor(float)": "float32", "tensor(double)": "float64", "tensor(int64)": "int64", "tensor(int32)": "int32",
    "tensor(bool)": "bool", "tensor(string)": "object", "tensor(float16)": "float16", "tensor(uint8)": "uint8",
}  # fmt: skip
"""What onnxruntime calls the types of inputs → numpy's names."""


@dataclass(frozen=True, slots=True)
class Onnx:
    """``model.onnx``."""

    name: str = "onnx"
    needs: tuple[str, ...] = ("onnxruntime", "onnx")
    runs: Literal["nothing"] = "nothing"

    def owns(self, model: Any) -> bool:
        """``onnx.ModelProto``, as converters of other frameworks make it."""
        return is_graph(model)

    def write(self, model: Any, folder: Path) -> Written:
        """Raises UnsuitedError where onnx itself refuses it."""
        import onnx

        try:
            onnx.checker.check_model(model)
            data = model.SerializeToString(deterministic=True)
        except Exception as error:
            raise UnsuitedError(f"it is no valid graph: {str(error).strip().partition(chr(10))[0][:300]}") from error
        (folder / "model.onnx").write_bytes(data)
        return Written(self.name, "model.onnx", pickle=False)

    def read(self, path: Path, card: Mapping[str, Any]) -> Any:
        """Rows in, the graph's first output out."""
        del card
        return _caller(str(path), path.name)


def is_graph(model: Any) -> bool:
    """Whether it is a model of ONNX; onnx is not imported to tell."""
    onnx = sys.modules.get("onnx")
    return onnx is not None and isinstance(model, onnx.ModelProto)


def graph_caller(model: Any) -> Predict:
    """A graph in memory as something to call. Raises PlatformError where no runtime takes it."""
    return _caller(model.SerializeToString(), "the graph")


def _caller(source: str | bytes, shown: str) -> Predict:
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(source, providers=["CPUExecutionProvider"])
    except Exception as error:
        said = str(error).strip().partition("\n")[0][:300]
        fix = "Check it with onnx.checker, and register it again."
        raise PlatformError(f"{shown} is no graph that onnxruntime takes: {said}", code="model-file", fix=fix) from error
    inputs = [(one.name, _TYPES.get(one.type, "float32")) for one in session.get_inputs()]
    output = session.get_outputs()[0].name

    def predict(rows: Any) -> Any:
        return session.run([output], _feeds(inputs, rows))[0]

    return predict


def _feeds(inputs: list[tuple[str, str]], rows: Any) -> dict[str, Any]:
    """Rows as the graph's inputs: all of them in one, or a column of the table for each."""
    import numpy as np

    if len(inputs) == 1:
        [(name, kind)] = inputs
        return {name: np.asarray(rows.to_numpy() if hasattr(rows, "to_numpy") else rows).astype(kind)}
    if not hasattr(rows, "columns"):
        names = ", ".join(name for name, _ in inputs)
        raise ValueError(f"the graph takes a table with the columns {names}")
    return {name: np.asarray(rows[name].to_numpy()).astype(kind).reshape(-1, 1) for name, kind in inputs}
