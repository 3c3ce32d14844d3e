//! `recspeed engines check`: whether what is installed is whole and starts.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use recspeed_engines::{Checked, Engines, LIBTORCH, LibtorchState, Reference, State};
use serde_json::{Value, json};

use super::{CheckArgs, EnginesError, libtorch, listed, named};
use crate::command::failure::CommandError;
use crate::command::once::each_once;
use crate::command::output;

/// Asks every engine; exit status 1 where one of them is not whole or does not start.
pub(super) fn check(args: &CheckArgs) -> Result<u8, CommandError> {
    let engines = Engines::open(args.place.home.as_deref()).map_err(EnginesError::from)?;
    let names = each_once(("the command", "checked"), &args.names, String::clone);
    let (of_libtorch, others): (Vec<&String>, Vec<&String>) = names.iter().partition(|name| *name == LIBTORCH);
    let given = others.into_iter().map(|name| named(name)).collect::<Result<Vec<_>, _>>()?;
    let all = names.is_empty();
    let wanted: Vec<&Reference> = if all {
        Reference::all().iter().filter(|reference| engines.state(reference.kind) != State::Missing).collect()
    } else {
        given
    };
    let with_libtorch = if all { engines.libtorch_state() != LibtorchState::Missing } else { !of_libtorch.is_empty() };
    let mut answers = Vec::new();
    for reference in wanted {
        answers.push(engine(args, &engines, reference)?);
    }
    if with_libtorch {
        answers.push(of_libtorch_itself(args, &engines)?);
    }
    if args.place.json {
        output::say(&json!({ "engines": answers }).to_string())?;
    } else if answers.is_empty() {
        output::say("No engine is installed; `recspeed engines list` shows which there are.")?;
    }
    Ok(u8::from(answers.iter().any(|answer| answer["starts"] != true)))
}

/// Asks one engine and says what it answered.
fn engine(args: &CheckArgs, engines: &Engines, reference: &Reference) -> Result<Value, CommandError> {
    let kind = reference.kind.as_str();
    if engines.compiles(reference.kind) && matches!(engines.state(reference.kind), State::Ready(_)) {
        output::complain(&format!("{kind}: compiling a part of it, which takes a minute or more"));
    }
    let answer = engines.check(reference.kind);
    if !args.place.json {
        let line = match &answer {
            Ok(checked) => format!("{kind}: starts, {}{}", listed(&checked.versions), remarks(reference, checked)),
            Err(error) => format!("{kind}: {error}"),
        };
        output::say(&output::printable(&line))?;
    }
    let (checked, failure) = (answer.as_ref().ok(), answer.as_ref().err().map(ToString::to_string));
    Ok(json!({
        "name": kind,
        "starts": checked.is_some(),
        "versions": checked.map(|checked| &checked.versions),
        "changes": checked.map(|checked| &checked.changes),
        "other_version": checked.map(|checked| checked.other_version),
        "failure": failure,
    }))
}

/// LibTorch starts nothing by itself: all of its files are looked at.
fn of_libtorch_itself(args: &CheckArgs, engines: &Engines) -> Result<Value, CommandError> {
    let answer = engines.check_libtorch();
    if !args.place.json {
        let line = match &answer {
            Ok(whole) => format!("{LIBTORCH}: whole, {}", libtorch::words(whole)),
            Err(error) => format!("{LIBTORCH}: {error}"),
        };
        output::say(&output::printable(&line))?;
    }
    let version = answer.as_ref().ok().map(|whole| BTreeMap::from([(LIBTORCH, whole.version.as_str())]));
    let failure = answer.as_ref().err().map(ToString::to_string);
    Ok(json!({ "name": LIBTORCH, "starts": answer.is_ok(), "versions": version, "failure": failure }))
}

/// What is to be said of an engine that starts and is not as it was installed.
fn remarks(reference: &Reference, checked: &Checked) -> String {
    let mut remarks = String::new();
    if checked.other_version {
        remarks.push_str("; installed by another version of the lab, it does for this one too");
    }
    if !checked.changes.is_empty() {
        let (changes, install) = (checked.changes.join(", "), reference.install_command());
        // Writing into a String cannot fail.
        let _ = match &checked.existing {
            None => write!(remarks, "; since it was installed it has {changes}: {install}"),
            Some(python) => write!(
                remarks,
                "; since it was named it has {changes}: whoever keeps that environment puts the former back, or `{install} --existing {}` \
                 takes it as it is",
                python.display()
            ),
        };
    }
    remarks
}
