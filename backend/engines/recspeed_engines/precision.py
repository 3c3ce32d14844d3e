"""In what a framework multiplies matrices of 32-bit numbers."""

from __future__ import annotations

from collections.abc import Mapping


def on_a_gpu(setting: str, environment: Mapping[str, str]) -> str | None:
    """PyTorch's, by its own setting (`get_float32_matmul_precision`) and the variables that decide it beside that.

    NVIDIA's variable turns TF32 off in all of its libraries where it is 0, whatever they were asked for; its other
    values are reserved, so that nothing is known then of a framework that does not ask for TF32 itself.
    """
    nvidia = environment.get("NVIDIA_TF32_OVERRIDE", "")
    if nvidia == "0":
        return "f32"
    if setting != "highest" or environment.get("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE") == "1":
        return "tf32"
    return None if nvidia else "f32"
