//! The state machine, with the functions named by version. Its tag `stepstack:version` says in one call
//! whether the engine is there, and how old it is.

use std::collections::BTreeMap;

use aws::{failed, gone};
use aws_sdk_sfn::Client;
use aws_sdk_sfn::operation::describe_state_machine::DescribeStateMachineOutput;
use aws_sdk_sfn::types::{
    CloudWatchLogsLogGroup, LogDestination, LogLevel, LoggingConfiguration, StateMachineStatus,
    StateMachineType, Tag,
};
use serde::Serialize;
use serde_json::Value;
use statemachine::definition::{FUNCTIONS, definition};
use statemachine::error::Optional as _;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State, short_hash,
};
use statemachine::{Error, Result};

use super::function::Function;
use super::names;

/// The version that an installed engine is compared with: this program's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The tag with the program's version that installed it.
pub(super) const VERSION_TAG: &str = "stepstack:version";
/// The tag with the short hash of all that was installed.
pub(super) const FINGERPRINT_TAG: &str = "stepstack:fingerprint";

/// The state machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StateMachine {
    /// `stepstack-{app}`
    pub state_machine_name: String,
    /// Short hash of the definition, the functions' versions left out.
    pub definition: String,
    /// What it calls: short hash of each function's code and settings, or the ARN of a version that is not
    /// the newest.
    pub functions: BTreeMap<String, String>,
    /// Its role.
    pub role: Name,
    /// Where it logs to.
    pub log_group: Option<Name>,
    /// `ERROR`
    pub log_level: String,
    /// Whether logs hold what executions carry.
    pub logs_data: bool,
    /// The program's version that installed it.
    pub version: Option<String>,
    /// Short hash of the whole engine as it was installed.
    pub fingerprint: Option<String>,
}

/// The machine and its tags.
pub struct Raw {
    machine: DescribeStateMachineOutput,
    tags: Vec<(String, String)>,
}

/// Stands for a function's version where definitions are compared.
fn marker(what: &str) -> String {
    format!("version of {what}")
}

fn hash(definition: &str) -> Result<String> {
    let value: Value = serde_json::from_str(definition)
        .map_err(|error| Error::internal(format!("the state machine's definition is no JSON: {error}")))?;
    Ok(short_hash(&value))
}

impl StateMachine {
    /// The machine that calls these functions, of an engine with this fingerprint.
    pub fn new(scope: &Scope, functions: &[Function], fingerprint: &str) -> Self {
        Self {
            state_machine_name: scope.engine(),
            definition: hash(&definition(marker))
                .expect("our definition is JSON; a test of its crate reads it"),
            functions: functions
                .iter()
                .map(|function| (function.what.clone(), function.settings()))
                .collect(),
            role: resource::role("states"),
            log_group: Some(resource::log_group("states")),
            log_level: LogLevel::Error.as_str().to_owned(),
            logs_data: false,
            version: Some(VERSION.to_owned()),
            fingerprint: Some(fingerprint.to_owned()),
        }
    }

    fn logging(&self, ctx: &Context, names: &Names) -> Result<LoggingConfiguration> {
        let level = LogLevel::from(self.log_level.as_str());
        let mut logging = LoggingConfiguration::builder().level(level).include_execution_data(self.logs_data);
        if let Some(group) = &self.log_group {
            let arn = format!("{}:*", ctx.scope().log_group_arn(&names.need(group)?));
            let group = CloudWatchLogsLogGroup::builder().log_group_arn(arn).build();
            logging =
                logging.destinations(LogDestination::builder().cloud_watch_logs_log_group(group).build());
        }
        Ok(logging.build())
    }

    /// The tags that are the machine's alone.
    fn own_tags(&self) -> Vec<(String, String)> {
        let tags = [(VERSION_TAG, &self.version), (FINGERPRINT_TAG, &self.fingerprint)];
        tags.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect()
    }

    /// The definition with the newest versions in it.
    fn filled(names: &Names) -> Result<String> {
        let arn =
            |what: &'static str| Ok((what, names.need_attribute(&names::function(what), "version_arn")?));
        let arns = FUNCTIONS.into_iter().map(arn).collect::<Result<BTreeMap<&str, String>>>()?;
        Ok(definition(|what| arns.get(what).cloned().unwrap_or_default()))
    }
}

impl Resource for StateMachine {
    type Client = Client;
    type Raw = Raw;

    const KIND: &'static str = names::STATE_MACHINE;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let actions = [
            "states:CreateStateMachine",
            "states:DeleteStateMachine",
            "states:DescribeStateMachine",
            "states:ListTagsForResource",
            "states:TagResource",
            "states:UpdateStateMachine",
        ];
        vec![Permission::on(&actions, [scope.state_machine()])]
    }

    fn name(&self) -> Name {
        names::state_machine()
    }

    fn needs(&self) -> Vec<Need> {
        let functions = self.functions.keys().map(|what| Need::Settled(names::function(what)));
        let log_group = self.log_group.iter().cloned().map(Need::Settled);
        functions.chain(log_group).chain([Need::Settled(self.role.clone())]).collect()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<Raw>> {
        let arn = ctx.scope().state_machine();
        let machine = client.describe_state_machine().state_machine_arn(&arn).send().await;
        let machine = machine.map_err(failed("states:DescribeStateMachine")).map_err(missing).optional()?;
        let Some(machine) = machine else { return Ok(Vec::new()) };
        let tags = tags_of(client, &arn).await?.unwrap_or_default();
        Ok(vec![Raw { machine, tags }])
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = raw.machine.state_machine_arn();
        let owned = ctx.owned(raw.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        let ours = owned == Some(names::state_machine()) && raw.machine.name() == ctx.scope().engine();
        Some(if ours {
            Identity::ours(names::state_machine(), id)
        } else {
            Identity::theirs(names::state_machine(), id)
        })
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        match raw.machine.status() {
            Some(StateMachineStatus::Active) | None => {}
            Some(StateMachineStatus::Deleting) => return Ok(State::Deleting),
            Some(other) => return Err(Error::unknown_status("state machine", other.as_str())),
        }
        let mut text = raw.machine.definition().to_owned();
        let mut functions = BTreeMap::new();
        for what in FUNCTIONS {
            let function = names::function(what);
            let Some(called) = names.id(&function).and_then(|arn| version_called(&text, arn)) else {
                continue;
            };
            text = text.replace(&called, &marker(what));
            let is_newest = names.attribute(&function, "version_arn") == Some(called.as_str());
            let settings = names.attribute(&function, "settings").filter(|_| is_newest);
            functions.insert(what.to_owned(), settings.map_or(called, str::to_owned));
        }
        let logging = raw.machine.logging_configuration();
        let destinations = logging.and_then(|logging| logging.destinations().first());
        let group = destinations.and_then(|to| to.cloud_watch_logs_log_group()?.log_group_arn());
        let tag = |wanted| raw.tags.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone());
        Ok(State::Settled(Self {
            state_machine_name: raw.machine.name().to_owned(),
            definition: hash(&text)?,
            functions,
            role: names.name_of(names::role_of_arn(raw.machine.role_arn())),
            log_group: group.map(|arn| names.name_of(log_group_of(arn))),
            log_level: logging
                .and_then(LoggingConfiguration::level)
                .unwrap_or(&LogLevel::Off)
                .as_str()
                .to_owned(),
            logs_data: logging.is_some_and(LoggingConfiguration::include_execution_data),
            version: tag(VERSION_TAG),
            fingerprint: tag(FINGERPRINT_TAG),
        }))
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let tags = ctx.tags(&names::state_machine()).into_iter().chain(self.own_tags());
        let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
        let create = client
            .create_state_machine()
            .name(&self.state_machine_name)
            .r#type(StateMachineType::Standard)
            .definition(Self::filled(&names)?)
            .role_arn(names.need_attribute(&self.role, "arn")?)
            .logging_configuration(self.logging(&ctx, &names)?)
            .set_tags(Some(tags));
        let made = create.send().await.map_err(failed("states:CreateStateMachine"))?;
        Ok(Made::settled(made.state_machine_arn))
    }

    async fn update(self, now: Self, id: String, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let untagged = |machine: &Self| Self { version: None, fingerprint: None, ..machine.clone() };
        if untagged(&self) != untagged(&now) {
            let update = client
                .update_state_machine()
                .state_machine_arn(&id)
                .definition(Self::filled(&names)?)
                .role_arn(names.need_attribute(&self.role, "arn")?)
                .logging_configuration(self.logging(&ctx, &names)?);
            update.send().await.map_err(failed("states:UpdateStateMachine"))?;
        }
        // Last: the tags say that all of this version is in place.
        if self.own_tags() != now.own_tags() {
            let tags = self.own_tags().into_iter();
            let tags = tags.map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
            let tag = client.tag_resource().resource_arn(&id).set_tags(Some(tags)).send().await;
            tag.map_err(failed("states:TagResource"))?;
        }
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete = client.delete_state_machine().state_machine_arn(id).send().await;
        // AWS deletes it once its executions have ended.
        gone(delete.map_err(failed("states:DeleteStateMachine")).map_err(missing), Gone::Going)
    }
}

/// The tags of a state machine; `None` when there is none.
pub(super) async fn tags_of(client: &Client, arn: &str) -> Result<Option<Vec<(String, String)>>> {
    let tags = client.list_tags_for_resource().resource_arn(arn).send().await;
    let tags = tags.map_err(failed("states:ListTagsForResource")).map_err(missing).optional()?;
    let pair = |tag: Tag| Some((tag.key?, tag.value?));
    Ok(tags.map(|answer| answer.tags.unwrap_or_default().into_iter().filter_map(pair).collect()))
}

/// Step Functions' own words for "there is none".
fn missing(error: Error) -> Error {
    let is_missing = matches!(error.code.as_deref(), Some("StateMachineDoesNotExist" | "ResourceNotFound"));
    if is_missing { Error { kind: statemachine::ErrorKind::Missing, ..error } } else { error }
}

/// The version of the function `arn` that a definition calls.
fn version_called(definition: &str, arn: &str) -> Option<String> {
    let start = format!("{arn}:");
    let rest = &definition[definition.find(&start)? + start.len()..];
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then(|| format!("{start}{digits}"))
}

/// `/aws/…` of `arn:aws:logs:us-east-1:123456789012:log-group:/aws/…:*`.
fn log_group_of(arn: &str) -> &str {
    let name = arn.split_once(":log-group:").map_or(arn, |(_, name)| name);
    name.strip_suffix(":*").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_is_compared_without_the_versions_in_it() {
        let arn = "arn:aws:lambda:us-east-1:123456789012:function:stepstack-arive-network";
        let text = format!(r#"{{"Resource": "{arn}:12"}}"#);
        assert_eq!(version_called(&text, arn), Some(format!("{arn}:12")));
        assert_eq!(version_called(&text, &arn.replace("network", "database")), None);
        assert_eq!(version_called(&format!(r#"{{"Resource": "{arn}"}}"#), arn), None);
    }

    #[test]
    fn a_log_group_is_named_by_its_arn() {
        let arn = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/vendedlogs/states/stepstack-arive:*";
        assert_eq!(log_group_of(arn), "/aws/vendedlogs/states/stepstack-arive");
    }
}
