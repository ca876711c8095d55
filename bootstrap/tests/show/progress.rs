//! Runs as they go: pictures on a terminal, plain lines elsewhere.

use bootstrap::show::View;
use bootstrap::show::{Page, Told, picture};
use insta::assert_snapshot;
use statemachine::Stage;
use statemachine::message::{Mode, Operation, Outcome, Status};
use statemachine::plan::{Action, Item, Progress};

use crate::screens;
use crate::world::{
    BEGUN_MS, because, by_stage, denied, item, parked, plan, record, report, result, stage, view, worked,
};

fn at(seconds: u64) -> u64 {
    BEGUN_MS + seconds * 1_000
}

/// Four minutes in: the first stages are made, the slow ones are at work, the last was not called yet.
fn under_way() -> View {
    let done = |name: &str, from, to| worked(name, Action::Create, from, Some(to));
    let reason = |item: Item, reason: &str| Item { reason: Some(reason.to_owned()), ..item };
    view(vec![
        report(
            Stage::Foundation,
            Mode::Make,
            Status::Ready,
            vec![done("role/task", 4, 6), done("cluster/main", 4, 5)],
        ),
        report(
            Stage::Network,
            Mode::Make,
            Status::Ready,
            vec![done("vpc/main", 4, 6), done("subnet/public-a", 6, 7), done("subnet/private-a", 6, 8)],
        ),
        report(
            Stage::Egress,
            Mode::Make,
            Status::NotReady,
            vec![
                done("address/a", 9, 10),
                reason(worked("nat-gateway/a", Action::Create, 10, None), "AWS is still at work on it"),
                item("route/private-a", Action::Create),
            ],
        ),
        report(
            Stage::Certificate,
            Mode::Make,
            Status::Ready,
            vec![
                done("hosted-zone/main", 4, 5),
                parked("certificate/main@3dcf98", "tryarive.com does not point to these name servers yet"),
            ],
        ),
        report(
            Stage::Database,
            Mode::Make,
            Status::NotReady,
            vec![
                reason(worked("db-cluster/main", Action::Create, 12, None), "creating"),
                reason(
                    worked("db-instance/main", Action::Create, 75, None),
                    "CreateDBInstance failed: the cluster is not in a state that allows it (InvalidDBClusterStateFault)",
                ),
            ],
        ),
    ])
}

fn failed() -> View {
    let mut view = under_way();
    let mut egress = report(
        Stage::Egress,
        Mode::Make,
        Status::Failed,
        vec![
            worked("address/a", Action::Create, 9, Some(10)),
            Item {
                progress: Progress::Failed,
                started_ms: Some(at(10)),
                ..because("nat-gateway/a", Action::Create, &denied().message)
            },
        ],
    );
    egress.failure = Some(denied());
    view.stages.insert(Stage::Egress, egress);
    for stage in view.stages.values_mut().filter(|report| report.status == Status::NotReady) {
        stage.status = Status::Stopped;
    }
    view.result = Some(result(Outcome::Failed, "egress nat-gateway/a: …"));
    view
}

fn done() -> View {
    let mut view = under_way();
    let names = [
        (Stage::Egress, vec!["address/a", "nat-gateway/a", "route/private-a"]),
        (Stage::Database, vec!["db-cluster/main", "db-instance/main"]),
        (Stage::Ingress, vec!["load-balancer/main", "listener/http"]),
        (Stage::Services, vec!["target-group/api@ad5f94", "listener/https", "service/api"]),
    ];
    for (stage, names) in names {
        let items = names.iter().map(|name| worked(name, Action::Create, 10, Some(461))).collect();
        view.stages.insert(stage, report(stage, Mode::Make, Status::Ready, items));
    }
    view.result = Some(result(Outcome::Succeeded, "What was asked for is what is there."));
    view
}

#[test]
fn before_there_is_a_plan() {
    let nothing = View::default();
    let looking = View { record: Some(record(Operation::Apply)), ..View::default() };
    let mut waiting = looking.clone();
    if let Some(record) = &mut waiting.record {
        record.waits_for = Some("20261123-101233-77aa".to_owned());
    }
    let moments = [(nothing, 0), (looking, 3), (waiting, 95)];
    assert_snapshot!(screens(|page| {
        moments.iter().flat_map(|(view, second)| picture(view, at(*second), page)).collect()
    }));
}

#[test]
fn nothing_is_begun_yet() {
    assert_snapshot!(screens(|page| picture(&view(Vec::new()), at(4), page)));
}

#[test]
fn at_work_with_a_line_for_each_resource_and_its_reason() {
    assert_snapshot!(screens(|page| picture(&under_way(), at(247), page)));
}

#[test]
fn a_stage_after_many_says_how_many() {
    let ready = report(
        Stage::Foundation,
        Mode::Make,
        Status::Ready,
        vec![worked("role/task", Action::Create, 4, Some(6))],
    );
    let lines = picture(&view(vec![ready]), at(9), Page::plain(80));
    assert!(lines.iter().any(|line| line == "· services      not started: after 5 others"), "{lines:#?}");
}

#[test]
fn the_same_picture_moves_with_the_time_alone() {
    let page = Page::plain(80);
    assert_eq!(picture(&under_way(), at(247), page), picture(&under_way(), at(247), page));
    assert_ne!(picture(&under_way(), at(247), page), picture(&under_way(), at(248), page));
    assert_eq!(picture(&done(), at(600), page), picture(&done(), at(900), page), "what is over stands still");
}

#[test]
fn a_failure_stops_the_others() {
    assert_snapshot!(screens(|page| picture(&failed(), at(251), page)));
}

#[test]
fn done_is_a_line_for_each_stage() {
    assert_snapshot!(screens(|page| picture(&done(), at(551), page)));
}

#[test]
fn what_is_left_over_goes_after_the_rest() {
    let mut view = done();
    view.result = None;
    let plan = plan(vec![stage(Stage::Services, vec![item("service/worker", Action::Delete)])], &[]);
    view.plan = Some(plan);
    let mut services = report(
        Stage::Services,
        Mode::Make,
        Status::Ready,
        vec![worked("service/api", Action::Update, 2, Some(40)), item("service/worker", Action::Delete)],
    );
    services.left_over = 1;
    view.stages.retain(|stage, _| *stage == Stage::Services);
    view.stages.insert(Stage::Services, services);
    assert_snapshot!(screens(|page| picture(&view, at(41), page)));
}

#[test]
fn a_destroy_goes_backward() {
    let names = |names: &[&str]| names.iter().map(|name| item(name, Action::Delete)).collect();
    let view = View {
        record: Some(record(Operation::Destroy)),
        plan: Some(plan(
            vec![
                stage(Stage::Foundation, names(&["cluster/main"])),
                stage(Stage::Network, names(&["vpc/main", "subnet/public-a"])),
                stage(Stage::Database, names(&["db-cluster/main", "db-instance/main"])),
                stage(Stage::Services, names(&["service/api"])),
            ],
            &[],
        )),
        stages: by_stage([
            report(
                Stage::Services,
                Mode::Remove,
                Status::Ready,
                vec![worked("service/api", Action::Delete, 5, Some(35))],
            ),
            report(
                Stage::Database,
                Mode::Remove,
                Status::NotReady,
                vec![
                    worked("db-instance/main", Action::Delete, 36, None),
                    item("db-cluster/main", Action::Delete),
                ],
            ),
        ]),
        result: None,
    };
    assert_snapshot!(screens(|page| picture(&view, at(90), page)));
}

#[test]
fn a_small_terminal_sees_every_stage_and_counts_the_rest() {
    let many = |stage: Stage, count: u64| {
        let items = (0..count).map(|n| worked(&format!("thing/{n}"), Action::Create, n, None)).collect();
        report(stage, Mode::Make, Status::NotReady, items)
    };
    let view = view(vec![many(Stage::Network, 30), many(Stage::Database, 3)]);
    let page = Page { height: 20, ..Page::plain(80) };
    let lines = picture(&view, at(60), page);
    assert!(lines.len() < 20, "one line is left for the cursor:\n{}", lines.join("\n"));
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn off_a_terminal_each_thing_is_told_once() {
    let mut told = Told::default();
    let mut waiting = View { record: Some(record(Operation::Apply)), ..View::default() };
    if let Some(record) = &mut waiting.record {
        record.waits_for = Some("20261123-101233-77aa".to_owned());
    }
    let moments = [
        ("it waits", waiting, 1),
        ("it has begun", view(Vec::new()), 3),
        ("it is under way", under_way(), 247),
        ("nothing is new", under_way(), 252),
        ("a minute later", under_way(), 310),
        ("it is done", done(), 551),
    ];
    let mut lines = Vec::new();
    for (what, view, second) in moments {
        lines.push(format!("[{what}]"));
        lines.extend(told.news(&view, at(second)));
    }
    lines.push("[another run failed]".to_owned());
    lines.extend(Told::default().news(&failed(), at(251)));
    assert_snapshot!(lines.join("\n"));
}
