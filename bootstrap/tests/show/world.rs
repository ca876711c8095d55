//! A run's record at different moments.

use std::collections::{BTreeMap, BTreeSet};

use bootstrap::show::View;
use serde_json::Value;
use statemachine::message::{
    Document, Failure, Mode, Operation, Outcome, PlanRecord, RunRecord, RunResult, StageReport, Status,
    Trigger,
};
use statemachine::plan::{Action, Change, Item, Plan, Progress, StagePlan, Why};
use statemachine::resource::{Name, Names};
use statemachine::{Error, ErrorKind, Part, Stage};

/// 2026-11-23T10:15:00Z, when every run here begins, in milliseconds since the epoch.
pub(crate) const BEGUN_MS: u64 = 1_795_428_900_000;

pub(crate) fn item(name: &str, action: Action) -> Item {
    Item::new(Name::from_tag(name), action)
}

pub(crate) fn because(name: &str, action: Action, reason: &str) -> Item {
    Item { reason: Some(reason.to_owned()), ..item(name, action) }
}

pub(crate) fn create(name: &str, to: Value) -> Item {
    Item { to: Some(to), ..item(name, Action::Create) }
}

pub(crate) fn change(field: &str, from: impl Into<Value>, to: impl Into<Value>, why: Option<Why>) -> Change {
    Change { field: field.to_owned(), from: from.into(), to: to.into(), why }
}

pub(crate) fn update(name: &str, changes: Vec<Change>) -> Item {
    Item { changes, ..item(name, Action::Update) }
}

pub(crate) fn stage(stage: Stage, items: Vec<Item>) -> StagePlan {
    StagePlan { stage, items, names: Names::default() }
}

pub(crate) fn plan(stages: Vec<StagePlan>, notes: &[&str]) -> PlanRecord {
    let plan = Plan { stages };
    PlanRecord {
        id: "edb50224c134".to_owned(),
        plan,
        notes: notes.iter().map(|&note| note.to_owned()).collect(),
    }
}

pub(crate) fn record(operation: Operation) -> RunRecord {
    let mut run = Document::example(operation, None).run;
    run.caller = Some("arn:aws:sts::123456789012:assumed-role/Administrator/ada@example.com".to_owned());
    RunRecord { run, waits_for: None }
}

pub(crate) fn result(outcome: Outcome, message: &str) -> RunResult {
    let mut result = RunResult::without_plan(&record(Operation::Apply).run, outcome, message.to_owned());
    (result.ended_at, result.duration_ms) = ("2026-11-23T10:24:11Z".to_owned(), 551_000);
    result
}

/// An item that was worked on from second to second of the run; still at work when it has no end.
pub(crate) fn worked(name: &str, action: Action, from_s: u64, to_s: Option<u64>) -> Item {
    Item {
        progress: if to_s.is_some() { Progress::Done } else { Progress::Working },
        started_ms: Some(BEGUN_MS + from_s * 1_000),
        ended_ms: to_s.map(|to| BEGUN_MS + to * 1_000),
        ..item(name, action)
    }
}

pub(crate) fn parked(name: &str, why: &str) -> Item {
    Item { progress: Progress::Parked, ..because(name, Action::Create, why) }
}

pub(crate) fn report(stage: Stage, mode: Mode, status: Status, items: Vec<Item>) -> StageReport {
    StageReport {
        stage: stage.into(),
        mode,
        status,
        retry_after_s: 5,
        items,
        names: Names::default(),
        made: BTreeSet::new(),
        changed: BTreeSet::new(),
        waiting: Vec::new(),
        failure: None,
        stopped: None,
        left_over: 0,
        absent: BTreeSet::new(),
        at_ms: BEGUN_MS,
    }
}

pub(crate) fn denied() -> Failure {
    let error = Error {
        kind: ErrorKind::Denied,
        message: "CreateNatGateway failed: You are not authorized to perform this operation (UnauthorizedOperation)"
            .to_owned(),
        action: Some("ec2:CreateNatGateway"),
        code: Some("UnauthorizedOperation".to_owned()),
    };
    Failure::of(Stage::Egress, &Name::new("nat-gateway", "a"), &error)
}

/// The plan of a small fresh stack.
pub(crate) fn fresh() -> PlanRecord {
    let create = |names: &[&str]| names.iter().map(|name| item(name, Action::Create)).collect();
    plan(
        vec![
            stage(Stage::Foundation, create(&["role/task", "cluster/main"])),
            stage(Stage::Network, create(&["vpc/main", "subnet/public-a", "subnet/private-a"])),
            stage(Stage::Egress, create(&["address/a", "nat-gateway/a", "route/private-a"])),
            stage(Stage::Certificate, create(&["hosted-zone/main", "certificate/main@3dcf98"])),
            stage(Stage::Database, create(&["db-cluster/main", "db-instance/main"])),
            stage(Stage::Ingress, create(&["load-balancer/main", "listener/http"])),
            stage(Stage::Services, create(&["target-group/api@ad5f94", "listener/https", "service/api"])),
        ],
        &[],
    )
}

/// A run of that plan.
pub(crate) fn view(stages: Vec<StageReport>) -> View {
    View {
        record: Some(record(Operation::Apply)),
        plan: Some(fresh()),
        stages: by_stage(stages),
        result: None,
    }
}

pub(crate) fn by_stage(reports: impl IntoIterator<Item = StageReport>) -> BTreeMap<Stage, StageReport> {
    let of = |report: StageReport| match report.stage {
        Part::Stage(stage) => (stage, report),
        Part::Control | Part::Engine | Part::Github => panic!("{} is no stage", report.stage),
    };
    reports.into_iter().map(of).collect()
}

pub(crate) fn by_scale() -> Why {
    Why::Operation("scale on 2026-11-20 (run 20261120-090000-00af)".to_owned())
}

pub(crate) fn trigger(mut record: RunRecord, trigger: Trigger) -> RunRecord {
    (record.run.trigger, record.run.caller) = (trigger, None);
    record
}
