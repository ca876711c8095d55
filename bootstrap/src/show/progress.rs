//! Progress while something goes on: live lines on a terminal, plain lines elsewhere. All on standard error.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use owo_colors::Style;
use statemachine::message::{STAGES, StageReport, Status};
use statemachine::plan::{Action, Item, Progress as Done};

use super::{colours, cut, duration, note, paint, width};
use crate::follow::View;

/// One line that says what is being done.
pub(crate) struct Progress(Option<ProgressBar>);

/// A line that says what is being done; off a terminal, a line each time that changes.
pub(crate) fn progress(what: &str) -> Progress {
    if !std::io::stderr().is_terminal() {
        return Progress(None);
    }
    let bar = ProgressBar::new_spinner().with_style(style()).with_message(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(100));
    Progress(Some(bar))
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Progress {
    /// Something else is being done now.
    pub(crate) fn say(&self, what: &str) {
        match &self.0 {
            Some(bar) => bar.set_message(what.to_owned()),
            None => note(what),
        }
    }

    /// It is over; the line goes.
    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// A run as it goes: one line per stage, and one per resource when it is done.
pub(crate) struct Live {
    bars: Option<MultiProgress>,
    stages: BTreeMap<&'static str, ProgressBar>,
    /// Resources that were shown already, by stage and name.
    shown: BTreeSet<(String, String)>,
    /// How each stage was last said to be, off a terminal.
    said: BTreeMap<String, String>,
    waits_for: Option<String>,
    colours: bool,
}

impl Live {
    pub(crate) fn new() -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        Self {
            bars: is_terminal.then(MultiProgress::new),
            stages: BTreeMap::new(),
            shown: BTreeSet::new(),
            said: BTreeMap::new(),
            waits_for: None,
            colours: colours(is_terminal),
        }
    }

    /// Shows what is new.
    pub(crate) fn seen(&mut self, view: &View) {
        if let Some(waits_for) = view.record.as_ref().and_then(|record| record.waits_for.clone())
            && self.waits_for.as_ref() != Some(&waits_for)
            && view.plan.is_none()
        {
            self.print(&format!("Waiting for run {waits_for} to end."));
            self.waits_for = Some(waits_for);
        }
        for stage in STAGES {
            if let Some(report) = view.stages.get(stage) {
                self.stage(stage, report);
            }
        }
        if view.result.is_some() {
            self.clear();
        }
    }

    fn stage(&mut self, stage: &'static str, report: &StageReport) {
        for item in &report.items {
            let key = (stage.to_owned(), format!("{}{:?}", item.name, item.action));
            if item.progress == Done::Done
                && item.action.is_change()
                && self.shown.insert(key)
                && self.bars.is_some()
            {
                let line = self.item(stage, item);
                self.print(&line);
            }
        }
        let (text, over) = summary(report);
        match &self.bars {
            Some(bars) => {
                let bar = self.stages.entry(stage).or_insert_with(|| {
                    let bar = bars.add(ProgressBar::new_spinner().with_style(style()));
                    bar.enable_steady_tick(Duration::from_millis(100));
                    bar
                });
                bar.set_message(format!("{stage:<12} {text}"));
                if over {
                    bar.disable_steady_tick();
                }
            }
            None => {
                if self.said.get(stage) != Some(&text) {
                    note(&format!("{stage:<12} {text}"));
                    self.said.insert(stage.to_owned(), text);
                }
            }
        }
    }

    fn item(&self, stage: &str, item: &Item) -> String {
        let (mark, style) = match item.action {
            Action::Create => ("+", Style::new().green()),
            Action::Delete => ("-", Style::new().red()),
            Action::Update | Action::Remake | Action::Keep | Action::Wait | Action::Refuse | Action::Kept => {
                ("~", Style::new().yellow())
            }
        };
        let took = item.started_ms.zip(item.ended_ms).map(|(from, to)| duration(to.saturating_sub(from)));
        let took = took.unwrap_or_default();
        // The name gives way to the time: a line that breaks is two lines.
        let room = width().saturating_sub(18 + took.chars().count());
        let name = cut(item.name.as_str(), room);
        format!(
            "  {} {stage:<12} {name:<room$} {took}",
            paint(mark, style, self.colours),
            room = room.min(50)
        )
    }

    /// A line above the live ones.
    pub(crate) fn print(&self, line: &str) {
        match &self.bars {
            Some(bars) => {
                let _ = bars.println(line);
            }
            None => note(line),
        }
    }

    /// The live lines go.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            let _ = bars.clear();
        }
    }
}

/// How a stage stands, in words, and whether it is over.
fn summary(report: &StageReport) -> (String, bool) {
    let done =
        report.items.iter().filter(|item| item.action.is_change() && item.progress == Done::Done).count();
    let parked = report.items.iter().filter(|item| item.progress == Done::Parked).count();
    let working: Vec<&str> = report
        .items
        .iter()
        .filter(|item| item.progress == Done::Working)
        .map(|item| item.name.as_str())
        .collect();
    let done = format!("{done} done");
    let wait = if parked > 0 { format!(", {parked} waiting for you") } else { String::new() };
    match report.status {
        Status::Ready => (format!("ready: {done}{wait}"), true),
        Status::Failed => ("failed".to_owned(), true),
        Status::Stopped => ("stopped".to_owned(), true),
        Status::Pending | Status::Looked | Status::NotReady if working.is_empty() => (done, false),
        Status::Pending | Status::Looked | Status::NotReady => {
            (format!("{done}, at work: {}", working.join(", ")), false)
        }
    }
}
