//! A run at one moment, as lines: what `apply` and `attach` show on a terminal. It depends on the run's record
//! and on the time given, so that everybody who looks sees the same.

use std::collections::BTreeSet;

use jiff::Timestamp;
use owo_colors::Style;
use statemachine::Stage;
use statemachine::message::{Mode, StageReport, Status};
use statemachine::plan::{Item, Progress};

use super::page::{cut, duration};
use super::{Page, View};

/// What turns while something is at work; a step each tenth of a second.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// Where the text beside a stage's name begins.
const TEXT_AT: usize = 16;
/// Room for a time at a line's end.
const TIME: usize = 10;

/// The run as it is at `now_ms`, in milliseconds since the epoch: one line for each stage with something to do,
/// and below it one for each resource that AWS is at work on. What is done folds into its stage's line.
pub fn picture(view: &View, now_ms: u64, page: Page) -> Vec<String> {
    let spinner = spinner(now_ms);
    let since = view.record.as_ref().and_then(|record| milliseconds(&record.run.started_at));
    let took = since.map(|since| duration(now_ms.saturating_sub(since))).unwrap_or_default();
    let waits_for = view.record.as_ref().and_then(|record| record.waits_for.as_ref());
    let rows = rows(view);
    if rows.is_empty() {
        let what = match (waits_for, &view.plan) {
            _ if view.result.is_some() => return Vec::new(),
            (Some(other), None) => format!("Waiting for run {other} to end"),
            (None, None) => "Looking at AWS".to_owned(),
            (_, Some(_)) => "Beginning".to_owned(),
        };
        return vec![line(&format!("{spinner} {what}"), &took, page)];
    }
    let is_over = view.result.is_some();
    let mut lines: Vec<Vec<String>> =
        rows.iter().map(|row| row.lines(&rows, now_ms, is_over, page)).collect();
    fold(&mut lines, page.height.saturating_sub(2));
    let mut lines: Vec<String> = lines.into_iter().flatten().collect();
    if !is_over {
        let (done, all) = rows.iter().fold((0, 0), |(done, all), row| (done + row.done, all + row.all));
        lines.push(line(&format!("{spinner} {done} of {all} done"), &took, page));
    }
    lines
}

/// How a stage stands in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was not called yet; these stages come before it.
    NotStarted(Vec<Stage>),
    AtWork,
    Done,
    /// It is made, and what it no longer describes goes once everything is made.
    ToRemove(usize),
    Failed(String),
    Stopped,
}

/// One stage of a run.
pub(super) struct Row<'a> {
    pub(super) stage: Stage,
    pub(super) standing: Standing,
    pub(super) done: usize,
    pub(super) all: usize,
    /// How many resources wait for the user.
    pub(super) parked: usize,
    /// What AWS is at work on, the oldest first.
    pub(super) working: Vec<&'a Item>,
    from_ms: Option<u64>,
    to_ms: Option<u64>,
}

/// The stages that have something to do, or did something.
pub(super) fn rows(view: &View) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Stage::ALL.into_iter().filter_map(|stage| row(view, stage)).collect();
    let open: Vec<Stage> = rows.iter().filter(|row| !row.is_over()).map(|row| row.stage).collect();
    let removes = view.record.as_ref().is_some_and(|record| record.run.operation.removes_all());
    for row in &mut rows {
        if let Standing::NotStarted(before) = &mut row.standing {
            let earlier = if removes { row.stage.removed_after() } else { row.stage.after().to_vec() };
            *before = earlier.into_iter().filter(|one| open.contains(one)).collect();
        }
    }
    rows
}

fn row(view: &View, stage: Stage) -> Option<Row<'_>> {
    let planned = view.plan.iter().flat_map(|record| record.plan.items());
    let mut names: BTreeSet<&str> = planned
        .filter(|(of, item)| *of == stage && item.action.is_change())
        .map(|(_, item)| item.name.as_str())
        .collect();
    let Some(report) = view.stages.get(&stage) else {
        return (!names.is_empty()).then(|| Row {
            stage,
            standing: Standing::NotStarted(Vec::new()),
            done: 0,
            all: names.len(),
            parked: 0,
            working: Vec::new(),
            from_ms: None,
            to_ms: None,
        });
    };
    let of = |progress| report.items.iter().filter(move |item| item.progress == progress);
    let worked = report.items.iter().filter(|item| item.action.is_change() || item.started_ms.is_some());
    names.extend(worked.map(|item| item.name.as_str()));
    for item in of(Progress::Parked) {
        names.remove(item.name.as_str());
    }
    let done = of(Progress::Done).filter(|item| names.contains(item.name.as_str())).count();
    let mut working: Vec<&Item> = of(Progress::Working).collect();
    working.sort_by_key(|item| item.started_ms.unwrap_or(u64::MAX));
    let parked = of(Progress::Parked).count();
    if names.is_empty() && parked == 0 && working.is_empty() && report.failure.is_none() {
        return None;
    }
    Some(Row {
        stage,
        standing: standing(report),
        done,
        all: names.len(),
        parked,
        working,
        from_ms: report.items.iter().filter_map(|item| item.started_ms).min(),
        to_ms: report.items.iter().filter_map(|item| item.ended_ms).max(),
    })
}

fn standing(report: &StageReport) -> Standing {
    match report.status {
        Status::Failed => {
            Standing::Failed(report.failure.as_ref().map(|failure| failure.name.clone()).unwrap_or_default())
        }
        Status::Stopped => Standing::Stopped,
        Status::Ready if report.mode == Mode::Make && report.left_over > 0 => {
            Standing::ToRemove(report.left_over)
        }
        Status::Ready => Standing::Done,
        Status::Pending | Status::Looked | Status::NotReady => Standing::AtWork,
    }
}

impl Row<'_> {
    /// Whether nothing more happens in it before the others are done.
    fn is_over(&self) -> bool {
        match self.standing {
            Standing::NotStarted(_) | Standing::AtWork => false,
            Standing::Done | Standing::ToRemove(_) | Standing::Failed(_) | Standing::Stopped => true,
        }
    }

    /// From its first call to AWS to its last answer, or to now.
    pub(super) fn took_ms(&self, now_ms: u64) -> Option<u64> {
        let to = if self.is_over() { self.to_ms? } else { now_ms };
        Some(to.saturating_sub(self.from_ms?))
    }

    /// `3 of 6`, and what waits for the user.
    pub(super) fn count(&self) -> String {
        match (self.all, self.parked) {
            (0, 0) => String::new(),
            (0, parked) => waiting(parked),
            (all, 0) => format!("{} of {all}", self.done),
            (all, parked) => format!("{} of {all}, {}", self.done, waiting(parked)),
        }
    }

    /// How it stands, in words.
    pub(super) fn words(&self) -> String {
        let join = |word: &str| match self.count() {
            count if count.is_empty() => word.to_owned(),
            count => format!("{word}, {count}"),
        };
        match &self.standing {
            Standing::NotStarted(before) if before.is_empty() => join("starting"),
            Standing::NotStarted(before) => format!("not started: after {}", names(before)),
            Standing::AtWork => join("at work"),
            Standing::Done if self.done == 0 && self.parked > 0 => waiting(self.parked),
            Standing::Done => join("done"),
            Standing::ToRemove(count) => format!("{}; {count} to remove after the rest", join("made")),
            Standing::Failed(name) if name.is_empty() || name == "*" => join("failed"),
            Standing::Failed(name) => format!("failed at {name}"),
            Standing::Stopped => join("stopped"),
        }
    }

    fn lines(&self, all: &[Row<'_>], now_ms: u64, is_over: bool, page: Page) -> Vec<String> {
        let (green, yellow, red) = (Style::new().green(), Style::new().yellow(), Style::new().red());
        let (sign, style) = match &self.standing {
            Standing::NotStarted(before) if is_over || !before.is_empty() => ("·", Style::new()),
            Standing::AtWork if is_over => ("·", Style::new()),
            Standing::NotStarted(_) | Standing::AtWork => (spinner(now_ms), yellow),
            Standing::Done if self.parked > 0 => ("…", yellow),
            Standing::Done => ("✓", green),
            Standing::ToRemove(_) => ("…", yellow),
            Standing::Failed(_) => ("✗", red),
            Standing::Stopped => ("·", yellow),
        };
        let words = match &self.standing {
            Standing::NotStarted(_) if is_over => "not started".to_owned(),
            Standing::AtWork if is_over => format!("left at {}", self.count()),
            Standing::NotStarted(before) if before.len() > 3 => {
                let all = before.len() + 1 == all.len();
                let others = if all { "all".to_owned() } else { before.len().to_string() };
                format!("not started: after {others} others")
            }
            Standing::NotStarted(_)
            | Standing::AtWork
            | Standing::Done
            | Standing::ToRemove(_)
            | Standing::Failed(_)
            | Standing::Stopped => self.words(),
        };
        let took = self.took_ms(now_ms).map(duration).unwrap_or_default();
        let text = format!("{sign} {:<width$}{words}", self.stage, width = TEXT_AT - 2);
        let mut lines = vec![line(&text, &took, page).replacen(sign, &page.paint(sign, style), 1)];
        if !is_over {
            lines.extend(self.working.iter().map(|item| resource(item, now_ms, page)));
        }
        lines
    }
}

/// A resource at work: its name, what AWS says, and for how long.
fn resource(item: &Item, now_ms: u64, page: Page) -> String {
    let took = item.started_ms.map(|from| duration(now_ms.saturating_sub(from))).unwrap_or_default();
    line(&format!("    {}{}", item.name, says(item)), &took, page)
}

/// Why a resource is not done. A call that AWS refuses for now did not fail: it is repeated.
pub(super) fn says(item: &Item) -> String {
    // That it is at work stands in its line already.
    let Some(reason) = item.reason.as_ref().filter(|reason| *reason != "AWS is still at work on it") else {
        return String::new();
    };
    match reason.split_once(" failed: ") {
        Some((_, said)) if item.progress == Progress::Working => format!(": not yet, {said}"),
        _ => format!(": {reason}"),
    }
}

fn names(stages: &[Stage]) -> String {
    stages.iter().map(|stage| stage.name()).collect::<Vec<_>>().join(", ")
}

fn waiting(parked: usize) -> String {
    if parked == 1 { "1 waits for you".to_owned() } else { format!("{parked} wait for you") }
}

/// Text to the left, a time to the right. The text gives way: a line that breaks is two lines.
fn line(text: &str, time: &str, page: Page) -> String {
    let room = page.width.saturating_sub(TIME + 1).min(90);
    format!("{:<room$}{time:>TIME$}", cut(text, room)).trim_end().to_owned()
}

fn spinner(now_ms: u64) -> &'static str {
    let step = usize::try_from(now_ms / 100 % 10).unwrap_or(0);
    SPINNER.get(step).copied().unwrap_or(SPINNER[0])
}

fn milliseconds(at: &str) -> Option<u64> {
    u64::try_from(at.parse::<Timestamp>().ok()?.as_millisecond()).ok()
}

/// Keeps the stages' lines in sight: where there are too many lines, those of resources are counted instead.
fn fold(stages: &mut [Vec<String>], height: usize) {
    let most = stages.iter().map(|lines| lines.len() - 1).max().unwrap_or(0);
    // A single line is as short as its count.
    let shown = |all: usize, cap: usize| if all <= cap + 1 { all } else { cap + 1 };
    let total = |cap: usize| stages.iter().map(|lines| 1 + shown(lines.len() - 1, cap)).sum::<usize>();
    let cap = (0..=most).rev().find(|cap| total(*cap) <= height).unwrap_or(0);
    for lines in stages {
        let all = lines.len() - 1;
        if shown(all, cap) < all {
            lines.truncate(1 + cap);
            lines.push(format!("    … and {} more", all - cap));
        }
    }
}
