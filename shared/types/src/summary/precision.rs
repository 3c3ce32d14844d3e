//! In what an engine multiplies matrices, as far as its environment tells.

use serde::{Deserialize, Serialize};

use crate::spec::Device;

/// What the products of matrices of 32-bit numbers are computed in. All numbers are kept in 32 bits, whatever this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum MatrixPrecision {
    /// IEEE 754 single precision.
    F32,
    /// NVIDIA's TensorFloat-32: factors are rounded to 10 bits behind the point, sums are of 32 bits.
    Tf32,
}

impl MatrixPrecision {
    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "TF32",
        }
    }

    /// That of Burn on any of these devices, with the variables of the environment that decide it. By CUDA its own kernels take matrix
    /// units for numbers of 32 bits, which have no others. Unknown where nothing says what a variable does.
    pub fn of_burn(devices: &[Device], variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let has = |device| devices.contains(&device);
        if has(Device::Cuda) {
            return Some(Self::Tf32);
        }
        let on_gpu = if has(Device::LibtorchCuda) { Self::of_libtorch_on_a_gpu(&variable) } else { Some(Self::F32) };
        let on_processor = if has(Device::LibtorchCpu) { Self::of_onednn(&variable) } else { Some(Self::F32) };
        // One stage that rounds is enough, and one of which nothing is known.
        if on_gpu == Some(Self::F32) { on_processor } else { on_gpu }
    }

    /// That of oneDNN, by which frameworks multiply on processors. Its variable allows it to round factors to fewer bits, `bf16`, `f16`,
    /// `tf32` or `any` of them, and does not make it: whether it does depends on the processor and on which library a framework takes for which
    /// product. So nothing is known then. Letters may be of either size; `strict`, and words that oneDNN does not know, allow nothing.
    pub fn of_onednn(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        // As oneDNN looks: the second is its older name, and counts where the first is not set.
        let names = ["ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE"];
        let mode = names.iter().find_map(|name| variable(name).filter(|mode| !mode.is_empty())).unwrap_or_default();
        let rounds = ["bf16", "f16", "tf32", "any"].contains(&mode.to_ascii_lowercase().as_str());
        (!rounds).then_some(Self::F32)
    }

    /// That of LibTorch on a GPU where no program has set it: f32, unless its own variable is `1`. NVIDIA's variable turns TF32 off in all of
    /// its libraries where it is `0`, whatever they were asked for; its other values are reserved.
    pub fn of_libtorch_on_a_gpu(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let [nvidia, torch] = ["NVIDIA_TF32_OVERRIDE", "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"].map(variable);
        if nvidia.as_deref() == Some("0") {
            Some(Self::F32)
        } else if torch.as_deref() == Some("1") {
            Some(Self::Tf32)
        } else {
            nvidia.is_none_or(|value| value.is_empty()).then_some(Self::F32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::EngineInfo;
    use super::*;

    #[test]
    fn an_engine_says_in_what_it_multiplies_and_an_older_one_is_still_read() {
        let told = r#"{"kind":"burn","device":"flex","versions":{},"host":"h","threads":1}"#;
        let older: EngineInfo = serde_json::from_str(told).expect("an engine");
        assert_eq!(older.precision, None);
        assert_eq!(serde_json::to_string(&older).expect("JSON"), told);
        let of = |devices: &[Device]| {
            let precision = MatrixPrecision::of_burn(devices, |_| None);
            serde_json::to_value(EngineInfo { precision, ..older.clone() }).expect("JSON")["precision"].clone()
        };
        assert_eq!(of(&[Device::Flex, Device::LibtorchCuda, Device::Vulkan]), "f32");
        assert_eq!(of(&[Device::Flex, Device::Cuda]), "tf32", "a stage of a network is enough");
    }

    #[test]
    fn what_libtorch_multiplies_in_on_a_gpu_is_what_the_environment_says() {
        let (f32, tf32) = (Some(MatrixPrecision::F32), Some(MatrixPrecision::Tf32));
        for (nvidia, torch, expected) in [
            (None, None, f32),
            (None, Some("0"), f32),
            (None, Some("yes"), f32),
            (None, Some("1"), tf32),
            (Some(""), Some("1"), tf32),
            (Some("0"), Some("1"), f32),
            (Some("0"), None, f32),
            (Some("1"), Some("1"), tf32),
            (Some("1"), None, None),
        ] {
            let variable = |name: &str| match name {
                "NVIDIA_TF32_OVERRIDE" => nvidia.map(str::to_owned),
                "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE" => torch.map(str::to_owned),
                "ONEDNN_DEFAULT_FPMATH_MODE" | "DNNL_DEFAULT_FPMATH_MODE" => None,
                other => panic!("{other} is asked for"),
            };
            let of = |devices: &[Device]| MatrixPrecision::of_burn(devices, variable);
            assert_eq!(of(&[Device::Flex, Device::LibtorchCuda]), expected, "{nvidia:?}, {torch:?}");
            assert_eq!(of(&[Device::LibtorchCpu]), f32, "a processor has no TF32");
            assert_eq!(of(&[Device::LibtorchCuda, Device::Cuda]), tf32, "Burn's own kernels read no variable");
        }
    }

    #[test]
    fn what_is_multiplied_in_is_unknown_where_onednn_may_round_and_only_of_what_takes_it() {
        let (f32, tf32) = (Some(MatrixPrecision::F32), Some(MatrixPrecision::Tf32));
        for (mode, older, expected) in [
            (None, None, f32),
            (Some(""), None, f32),
            (Some("strict"), None, f32),
            (Some("fast"), None, f32),
            (Some("bf16"), None, None),
            (Some("BF16"), None, None),
            (Some("f16"), None, None),
            (Some("tf32"), None, None),
            (Some("ANY"), None, None),
            (None, Some("BF16"), None),
            (Some(""), Some("any"), None),
            (Some("strict"), Some("any"), f32),
        ] {
            let variable = |name: &str| match name {
                "ONEDNN_DEFAULT_FPMATH_MODE" => mode.map(str::to_owned),
                "DNNL_DEFAULT_FPMATH_MODE" => older.map(str::to_owned),
                _ => None,
            };
            let of = |devices: &[Device]| MatrixPrecision::of_burn(devices, variable);
            assert_eq!(of(&[Device::Flex, Device::LibtorchCpu]), expected, "{mode:?}, {older:?}");
            assert_eq!(of(&[Device::LibtorchCuda, Device::LibtorchCpu]), expected, "{mode:?}, {older:?}");
            for others in [Device::Flex, Device::Vulkan, Device::LibtorchCuda, Device::Browser] {
                assert_eq!(of(&[others]), f32, "{others:?} does not take oneDNN");
            }
            assert_eq!(of(&[Device::LibtorchCpu, Device::Cuda]), tf32, "that is known whatever the other does");
        }
    }
}
