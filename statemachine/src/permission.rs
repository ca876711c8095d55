//! What a function may do: statements of an IAM policy, written beside the resources that need them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

/// For whom a policy is made: one app in one account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The app.
    pub app: String,
    /// Twelve digits.
    pub account: String,
    /// `us-east-1`.
    pub region: String,
}

impl Scope {
    /// An ARN in this account and region: `scope.arn("ecs", "cluster/arive-*")`.
    pub fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    /// An ARN of a service without regions: `scope.global("iam", "role/stepstack/arive/*")`.
    pub fn global(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}::{}:{resource}", self.account)
    }
}

/// One statement: actions, and on what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// `ec2:CreateSubnet`; never a wildcard.
    pub actions: Vec<&'static str>,
    /// ARNs; `*` only by [`Permission::unscoped`].
    pub resources: Vec<String>,
    /// Operator, key, values: `StringEquals`, `aws:ResourceTag/stepstack:stack`, …
    pub conditions: BTreeMap<&'static str, BTreeMap<String, Vec<String>>>,
    /// Why the resource is `*`, where it is.
    pub reason: Option<&'static str>,
}

impl Permission {
    /// Actions on the given ARNs.
    pub fn on(actions: &[&'static str], resources: impl IntoIterator<Item = String>) -> Self {
        let (actions, resources) = (actions.to_vec(), resources.into_iter().collect());
        Self { actions, resources, conditions: BTreeMap::new(), reason: None }
    }

    /// Actions that AWS only grants on `*`, with the reason.
    pub fn unscoped(actions: &[&'static str], reason: &'static str) -> Self {
        Self { reason: Some(reason), ..Self::on(actions, ["*".to_owned()]) }
    }

    /// With a condition: `.when("StringLike", "aws:ResourceTag/stepstack:stack", ["arive/*"])`.
    #[must_use]
    pub fn when(
        mut self,
        operator: &'static str,
        key: &str,
        values: impl IntoIterator<Item = String>,
    ) -> Self {
        self.conditions.entry(operator).or_default().insert(key.to_owned(), values.into_iter().collect());
        self
    }

    /// As a statement of a policy document.
    pub fn statement(&self) -> Value {
        let mut statement = json!({ "Effect": "Allow", "Action": self.actions, "Resource": self.resources });
        if !self.conditions.is_empty() {
            statement["Condition"] = json!(self.conditions);
        }
        statement
    }
}

/// A policy document of these permissions.
pub fn policy(permissions: &[Permission]) -> Value {
    let statements: Vec<Value> = permissions.iter().map(Permission::statement).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}
