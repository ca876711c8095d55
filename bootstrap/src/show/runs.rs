//! Runs at a glance, as a person reads them.

use statemachine::message::{RunRecord, RunResult, Trigger};

use super::page::duration;
use super::{table, word};

/// A run as `runs` lists it; what its record does not have (yet) is absent.
pub type Listed = (String, Option<RunRecord>, Option<RunResult>);

/// The table of runs, the newest first as given. The release is the one that the services ran at the run's end.
pub fn runs(runs: &[Listed]) -> Vec<String> {
    let mut rows = vec![["RUN", "WHAT", "BY", "OUTCOME", "RELEASE", "TOOK"].map(str::to_owned).to_vec()];
    rows.extend(runs.iter().map(|(run, record, result)| {
        let what = record.as_ref().map(|record| record.run.operation.name().to_owned());
        let by = record.as_ref().map(|record| match record.run.trigger {
            Trigger::Cli => "cli".to_owned(),
            Trigger::ConfigUpload => "upload".to_owned(),
            Trigger::ImagePush => "push".to_owned(),
            Trigger::Schedule => "schedule".to_owned(),
        });
        let outcome = match (record, result) {
            (_, Some(result)) => word(result.outcome),
            (Some(record), None) if record.waits_for.is_some() => "waiting".to_owned(),
            (Some(_), None) => "running".to_owned(),
            (None, None) => "not begun".to_owned(),
        };
        let release = result.as_ref().and_then(|result| result.outputs.get("release").cloned());
        let took = result.as_ref().map(|result| duration(result.duration_ms));
        let row = [Some(run.clone()), what, by, Some(outcome), release, took];
        row.map(Option::unwrap_or_default).to_vec()
    }));
    table(&rows)
}
