//! What the last good run described: with it, a change of the file is told from a change outside.

use std::collections::BTreeMap;

use record::Described;
use statemachine::Stage;
use statemachine::message::StageReport;
use statemachine::plan::{Action, Progress};

use crate::field;

/// What is described after a run with these reports. An image deployed by itself changes what was described of the
/// services; the rest stays as it was.
pub(crate) fn described_after(mut described: Described, reports: &BTreeMap<Stage, StageReport>) -> Described {
    for (stage, report) in reports {
        let stage = described.entry(*stage).or_default();
        let mut now = BTreeMap::new();
        for item in &report.items {
            let name = item.name.to_string();
            if item.action == Action::Delete && item.progress == Progress::Done {
                continue;
            }
            match (&item.to, stage.remove(&name)) {
                (Some(to), _) => {
                    now.insert(name, to.clone());
                }
                (None, Some(mut before)) => {
                    for change in item.changes.iter().filter(|_| item.progress == Progress::Done) {
                        field::set(&mut before, &change.field, change.to.clone());
                    }
                    now.insert(name, before);
                }
                (None, None) => {}
            }
        }
        *stage = now;
    }
    described
}
