"""In what a framework multiplies matrices of 32-bit numbers."""

from __future__ import annotations

from collections.abc import Mapping

# What oneDNN may round factors to, as its own variables say; the second is its older name.
ROUNDS = ("bf16", "f16", "tf32", "any")
ONEDNN = ("ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE")


def on_a_processor(environment: Mapping[str, str], *variables: str) -> str | None:
    """A framework's that may take oneDNN, with the variables of its own by which it tells oneDNN the same.

    They allow rounding and do not ask for it: whether anything is rounded depends on the processor and on which
    library the framework takes for which product, so that nothing is known where one of them is set.
    """
    onednn = next((environment[name] for name in ONEDNN if environment.get(name)), "")
    modes = [onednn, *(environment.get(name, "") for name in variables)]
    return None if any(mode.lower() in ROUNDS for mode in modes) else "f32"


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
