//! What a run was asked for.

use statemachine::message::RunRecord;

use super::page::moment;
use super::word;

/// A run's first line: what, by whom, when.
pub fn record(record: &RunRecord) -> String {
    let run = &record.run;
    let who = run.caller.as_deref().map(|caller| format!(" by {caller}")).unwrap_or_default();
    format!(
        "{} of {}/{} ({}{who}), begun {}",
        run.operation.name(),
        run.app,
        run.environment,
        word(run.trigger),
        moment(&run.started_at)
    )
}

/// What an operation was told, beyond its name; nothing where the name says all.
pub fn parameters(record: &RunRecord) -> Option<String> {
    let told = &record.run.parameters;
    let mut words = Vec::new();
    match (&told.image, &told.tag) {
        (Some(image), Some(tag)) => words.push(format!("{tag} ({image})")),
        (Some(one), None) | (None, Some(one)) => words.push(one.clone()),
        (None, None) => {}
    }
    words.extend(told.release.map(|number| format!("release {number}")));
    words.extend(told.counts.iter().map(|(service, count)| match count {
        Some(count) => format!("{service}={count}"),
        None => format!("{service} as in the file"),
    }));
    words.extend(told.services.iter().cloned());
    if !told.command.is_empty() {
        words.push(format!("`{}`", told.command.join(" ")));
    }
    words.extend(told.snapshot.clone());
    words.extend(
        told.object.as_ref().map(|object| format!("{} as of version {}", object.key, object.version)),
    );
    (!words.is_empty()).then(|| words.join(", "))
}
