//! Engines as an option names them: by a name alone, or with a device.

use recspeed_types::spec::{Device, EngineKind};

use super::StudyError;

/// An engine on one of its devices.
pub(super) type OnDevice = (EngineKind, Device);

/// Whether it is the device that the engine takes where none is named.
pub(super) fn is_usual((kind, device): OnDevice) -> bool {
    kind.devices().first() == Some(&device)
}

/// Its name in an option, as `burn@cuda`; without the device where that is the usual one.
pub(super) fn name_of(engine: OnDevice) -> String {
    if is_usual(engine) { engine.0.as_str().to_owned() } else { full_name(engine) }
}

fn full_name((kind, device): OnDevice) -> String {
    format!("{}@{}", kind.as_str(), device.as_str())
}

/// The engine of this name among those that the study has; one without a device is on its usual one.
///
/// # Errors
/// [`StudyError::UnknownEngine`], with all that it has.
pub(super) fn find(name: &str, all: &[OnDevice]) -> Result<OnDevice, StudyError> {
    let fits = |engine: &&OnDevice| name_of(**engine) == name || full_name(**engine) == name;
    all.iter().find(fits).copied().ok_or_else(|| StudyError::UnknownEngine {
        given: name.to_owned(),
        known: all.iter().map(|engine| full_name(*engine)).collect::<Vec<_>>().join(", "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OnDevice; 3] =
        [(EngineKind::Burn, Device::Cuda), (EngineKind::Burn, Device::Flex), (EngineKind::Pytorch, Device::Cuda)];

    #[test]
    fn an_engine_without_a_device_is_on_its_usual_one_and_on_no_other() {
        let found = |name: &str| find(name, &ALL).ok();
        assert_eq!(found("burn"), Some((EngineKind::Burn, Device::Flex)), "whichever comes first");
        assert_eq!(found("burn@flex"), found("burn"));
        assert_eq!(found("burn@cuda"), Some((EngineKind::Burn, Device::Cuda)));
        assert_eq!(found("pytorch"), None, "the study has it on a GPU alone");
        assert_eq!(ALL.map(name_of), ["burn@cuda", "burn", "pytorch@cuda"]);
    }

    #[test]
    fn an_unknown_engine_is_answered_with_all_that_the_study_has() {
        let said = find("pytorhc", &ALL).expect_err("there is none").to_string();
        assert!(said.contains("`pytorhc`") && said.contains("burn@cuda, burn@flex, pytorch@cuda"), "{said}");
    }
}
