//! Plans.

use bootstrap::show;
use insta::assert_snapshot;
use serde_json::json;
use statemachine::Stage;
use statemachine::plan::{Action, Why};

use crate::screens;
use crate::world::{because, by_scale, change, create, item, plan, stage, update};

#[test]
fn a_plan_shows_every_sign_and_why_each_change_is_due() {
    let record = plan(
        vec![
            stage(
                Stage::Foundation,
                vec![
                    create(
                        "role/execution",
                        json!({"description": "Starts the tasks: pulls the image, reads the secrets, writes the logs", "path": "/stepstack/"}),
                    ),
                    create(
                        "log-group/api",
                        json!({"retention_days": 7, "group": "/ecs/arive-production-api"}),
                    ),
                    item("repository/main", Action::Keep),
                    update(
                        "bucket/uploads",
                        vec![
                            change("cors.max_age_s", 3000, 600, Some(Why::FileChanged)),
                            change("versioned", false, true, Some(Why::ChangedOutside)),
                            change("expire_after_days", json!(null), 365, None),
                        ],
                    ),
                    update(
                        "role/task",
                        vec![change(
                            "policy.actions",
                            json!([
                                "s3:GetObject",
                                "s3:PutObject",
                                "s3:DeleteObject",
                                "secretsmanager:GetSecretValue"
                            ]),
                            json!([
                                "s3:GetObject",
                                "s3:PutObject",
                                "s3:DeleteObject",
                                "s3:ListBucket",
                                "secretsmanager:GetSecretValue"
                            ]),
                            Some(Why::NewDefault),
                        )],
                    ),
                ],
            ),
            stage(
                Stage::Egress,
                vec![because(
                    "nat-gateway/a",
                    Action::Remake,
                    "AWS says: Network vpc-1 has no Internet gateway attached",
                )],
            ),
            stage(
                Stage::Ingress,
                vec![because("load-balancer/main", Action::Wait, "AWS is still making it")],
            ),
            stage(
                Stage::Database,
                vec![
                    update("db-cluster/main", vec![change("max_acu", 4, 8, Some(Why::FileChanged))]),
                    because(
                        "db-cluster/1",
                        Action::Kept,
                        "left by the restore of run 20261120-090000-00af on 2026-11-20; it costs as before",
                    ),
                ],
            ),
            stage(
                Stage::Services,
                vec![
                    create("target-group/api@ad5f94", json!({"port": 8080, "health_check_interval_s": 5})),
                    item("target-group/api@77aa01", Action::Delete),
                    create("task-definition/api@506e60", json!({"cpu": 256})),
                    update(
                        "service/api",
                        vec![
                            change(
                                "task_definition",
                                "task-definition/api@77aa01",
                                "task-definition/api@506e60",
                                Some(Why::FileChanged),
                            ),
                            change("desired_count", 2, 3, Some(by_scale())),
                        ],
                    ),
                    item("service/worker", Action::Delete),
                ],
            ),
        ],
        &[
            "Egress costs $36.50 a month for one NAT gateway with its address, and $0.045 a GB (us-east-1, 2026-11).",
            "api runs 3 tasks instead of the file's 2: set by scale on 2026-11-20 (run 20261120-090000-00af).",
        ],
    );
    assert_snapshot!(screens(|page| show::plan::plan(&record, page)));
}

#[test]
fn a_long_value_is_shown_whole() {
    let policy = |resource: &str| {
        format!(
            "{{\"Statement\":[{{\"Action\":[\"s3:GetObject\",\"s3:PutObject\"],\"Effect\":\"Allow\",\"Resource\":\"{resource}\"}}]}}"
        )
    };
    let long = vec![
        change("policy", policy("arn:aws:s3:::a/*"), policy("arn:aws:s3:::b/*"), Some(Why::ChangedOutside)),
        change("order", json!(["one", "two"]), json!(["two", "one"]), Some(Why::ChangedOutside)),
        change("note", "two\nlines", "", None),
    ];
    let record = plan(vec![stage(Stage::Foundation, vec![update("role/task", long)])], &[]);
    assert_snapshot!(screens(|page| show::plan::plan(&record, page)));
}

#[test]
fn nothing_to_do_is_one_line() {
    let keep = item("vpc/main", Action::Keep);
    let one = plan(vec![stage(Stage::Network, vec![keep.clone()])], &[]);
    let two = plan(
        vec![stage(Stage::Network, vec![keep, item("subnet/a", Action::Keep)])],
        &["Egress costs nothing."],
    );
    let none = plan(Vec::new(), &[]);
    let busy = plan(vec![stage(Stage::Database, vec![item("db-cluster/main", Action::Wait)])], &[]);
    let all = [one, two, none, busy];
    assert_snapshot!(screens(|page| {
        all.iter()
            .flat_map(|record| [show::plan::plan(record, page), vec!["·".to_owned()]].concat())
            .collect()
    }));
}

#[test]
fn a_refusal_says_what_to_do() {
    let record = plan(
        vec![
            stage(
                Stage::Foundation,
                vec![because(
                    "bucket/uploads",
                    Action::Refuse,
                    "bucket/uploads is not empty. Say --delete-data to delete what it holds, or --keep-data to leave it in place.",
                )],
            ),
            stage(Stage::Network, vec![item("vpc/main", Action::Delete)]),
        ],
        &[],
    );
    assert_snapshot!(screens(|page| show::plan::plan(&record, page)));
}
