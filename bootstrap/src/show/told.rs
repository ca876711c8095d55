//! A run as plain lines, one after the other: what a log keeps of it.

use std::collections::{BTreeMap, BTreeSet};

use statemachine::Stage;
use statemachine::plan::{Action, Item, Progress};

use super::View;
use super::page::duration;
use super::picture::{Standing, rows, says};

/// A resource that is still at work is told again after so long: a log that is silent looks dead.
const AGAIN_MS: u64 = 60_000;

/// What was told of a run already.
#[derive(Debug, Default)]
pub struct Told {
    done: BTreeSet<(Stage, String)>,
    /// When each resource was last said to be at work.
    working: BTreeMap<(Stage, String), u64>,
    /// How each stage was last said to stand.
    stages: BTreeMap<Stage, String>,
    waits_for: Option<String>,
}

impl Told {
    /// The lines that are new at `now_ms`, in milliseconds since the epoch: each resource as it completes, what
    /// AWS is at work on, each stage as it ends.
    pub fn news(&mut self, view: &View, now_ms: u64) -> Vec<String> {
        let mut lines = Vec::new();
        let waits_for = view.record.as_ref().and_then(|record| record.waits_for.clone());
        if let Some(other) = waits_for.filter(|other| self.waits_for.as_ref() != Some(other))
            && view.plan.is_none()
        {
            lines.push(format!("Waiting for run {other} to end."));
            self.waits_for = Some(other);
        }
        for stage in Stage::ALL {
            let items = view.stages.get(&stage).into_iter().flat_map(|report| &report.items);
            lines.extend(items.filter_map(|item| self.item(stage, item, now_ms)));
        }
        for row in rows(view) {
            let text = match row.standing {
                Standing::NotStarted(_) | Standing::AtWork => continue,
                Standing::Done | Standing::ToRemove(_) | Standing::Failed(_) | Standing::Stopped => {
                    row.words()
                }
            };
            if self.stages.get(&row.stage) != Some(&text) {
                let took = row.took_ms(now_ms).map(duration).unwrap_or_default();
                lines.push(format!("{:<12} {text}  {took}", row.stage).trim_end().to_owned());
                self.stages.insert(row.stage, text);
            }
        }
        lines
    }

    fn item(&mut self, stage: Stage, item: &Item, now_ms: u64) -> Option<String> {
        let key = (stage, format!("{} {:?}", item.name, item.action));
        let reason = says(item);
        match item.progress {
            Progress::Done if item.action.is_change() && self.done.insert(key.clone()) => {
                let mark = match item.action {
                    Action::Create => "+",
                    Action::Delete => "-",
                    Action::Remake => "-/+",
                    Action::Update | Action::Keep | Action::Kept | Action::Wait | Action::Refuse => "~",
                };
                let took = item.started_ms.zip(item.ended_ms).map(|(from, to)| to.saturating_sub(from));
                let took = took.map(duration).unwrap_or_default();
                Some(format!("{stage:<12} {mark} {}  {took}", item.name).trim_end().to_owned())
            }
            Progress::Working => {
                let last = self.working.get(&key).copied();
                if last.is_some_and(|last| now_ms.saturating_sub(last) < AGAIN_MS) {
                    return None;
                }
                self.working.insert(key, now_ms);
                let took = item.started_ms.map(|from| duration(now_ms.saturating_sub(from)));
                let took = took.unwrap_or_default();
                Some(format!("{stage:<12} … {}{reason}  {took}", item.name).trim_end().to_owned())
            }
            Progress::Parked => {
                let is_new = self.working.insert(key, now_ms).is_none();
                is_new.then(|| format!("{stage:<12} … {} waits for you{reason}", item.name))
            }
            Progress::Failed => self.done.insert(key).then(|| format!("{stage:<12} ! {}{reason}", item.name)),
            Progress::Done | Progress::Pending => None,
        }
    }
}
