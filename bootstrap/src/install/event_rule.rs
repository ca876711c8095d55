//! The rule of the upload trigger: a configuration put into the provisioner's bucket starts the state
//! machine, the event passed whole.

use events::{EventRule, Lookup, Rules, Unlisted};
use serde_json::json;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::Need;

use super::names;

/// [`EventRule::what`] of the engine's one rule.
const WHAT: &str = "config-upload";

/// The rule of an app's engine.
pub fn wanted(scope: &Scope) -> EventRule {
    // A copy within the bucket (`CopyObject`) is our own, of an accepted configuration.
    let uploads = ["PutObject", "POST Object", "CompleteMultipartUpload"];
    let pattern = json!({
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {
            "bucket": { "name": [scope.bucket()] },
            "object": { "key": [{ "prefix": "environments/" }] },
            "reason": uploads,
        },
    });
    EventRule {
        what: WHAT.to_owned(),
        description: Some("Starts a run when a configuration is uploaded".to_owned()),
        pattern: Some(pattern),
        schedule: None,
        enabled: true,
        target: Some((scope.state_machine(), scope.engine_role_arn("events"))),
        unlisted: Unlisted {
            needs: vec![Need::Settled(names::state_machine()), Need::Settled(resource::role("events"))],
            retry: None,
        },
    }
}

/// Where it is looked for.
pub(super) fn place(events: &aws_sdk_eventbridge::Client, scope: &Scope) -> Rules {
    Rules { events: events.clone(), prefix: scope.engine_rule(""), whats: &[WHAT], lookup: Lookup::Each }
}

/// What making it, changing it and removing it needs.
pub(super) fn permissions(scope: &Scope) -> Vec<Permission> {
    let actions = [
        "events:DeleteRule",
        "events:DescribeRule",
        "events:ListTagsForResource",
        "events:ListTargetsByRule",
        "events:PutRule",
        "events:PutTargets",
        "events:RemoveTargets",
        "events:TagResource",
    ];
    vec![Permission::on(&actions, [scope.arn("events", &format!("rule/{}", scope.engine_rule(WHAT)))])]
}
