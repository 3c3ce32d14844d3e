//! The command that draws the schedule in a terminal.

use std::fmt::Write as _;

use recspeed_plan::Outlook;

use super::setup::Setup;

/// The same schedule for `recspeed plan`, which takes every stage to be alike.
pub(crate) fn command(setup: &Setup, outlook: &Outlook) -> String {
    let mut text = format!(
        "recspeed plan --stages {} --micro-batches {} --schedule {}",
        setup.ranks, setup.micro_batches, setup.schedule
    );
    // Writing to a String does not fail.
    if setup.chunks > 1 {
        let _ = write!(text, " --chunks {}", setup.chunks);
    }
    if setup.recompute != "never" {
        let _ = write!(text, " --recompute {}", setup.recompute);
    }
    if setup.replicas > 1 {
        let parameters: u64 = outlook.stages.iter().map(|stage| stage.parameters).sum();
        let _ = write!(text, " --parameters {parameters} --ranks {}", setup.replicas);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_says_what_the_terminal_can_plan() {
        let mut setup = Setup { recompute: "always", replicas: 2, ..Setup::default() };
        setup.choose_schedule("interleaved");
        let (_, outlook) = setup.plan().expect("it is possible");
        let parameters: u64 = outlook.stages.iter().map(|stage| stage.parameters).sum();
        let expected = format!(
            "recspeed plan --stages 4 --micro-batches 8 --schedule interleaved --chunks 2 --recompute always --parameters {parameters} --ranks 2"
        );
        assert_eq!(command(&setup, &outlook), expected);
    }
}
