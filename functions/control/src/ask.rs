//! What is asked for: the state machine's input, whichever of the three triggers it came from.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use record::keys;
use serde::Deserialize;
use serde_json::Value;
use statemachine::message::{Operation, Parameters, Request, Trigger};
use statemachine::naming::{of_event_rule, of_repository};
use statemachine::resource::Options;

/// What a trigger asks for.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the fields without a comment say by name and type what they are")]
pub struct Ask {
    pub trigger: Trigger,
    /// Who, where it is known: only the command line names a person.
    pub caller: Option<String>,
    pub environment: String,
    pub operation: Operation,
    /// Where the configuration stands; absent: it is the one accepted last.
    pub source: Option<Source>,
    pub parameters: Parameters,
    /// It waits for a run that holds the lock, instead of being refused.
    pub waits: bool,
    /// The plan's id that the joined plan must have.
    pub plan: Option<String>,
    pub options: Options,
}

impl Ask {
    /// What asks for an operation and says nothing more of it.
    pub fn new(trigger: Trigger, environment: String, operation: Operation) -> Self {
        Self {
            trigger,
            caller: None,
            environment,
            operation,
            source: None,
            parameters: Parameters::default(),
            waits: true,
            plan: None,
            options: Options::default(),
        }
    }
}

/// Where the configuration stands in the provisioner's bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The key.
    pub key: String,
    /// The exact version, where the event names one.
    pub version: Option<String>,
}

/// An input that asks for nothing we do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAsked {
    /// The environment, as far as it can be told.
    pub environment: String,
    /// What started it.
    pub trigger: Trigger,
    /// One sentence.
    pub reason: String,
}

/// Detail of S3's "Object Created" event, as S3 documents it for EventBridge.
#[derive(Debug, Deserialize)]
struct ObjectCreated {
    bucket: Bucket,
    object: Object,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Bucket {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Object {
    key: String,
    #[serde(rename = "version-id")]
    version: Option<String>,
}

/// Detail of ECR's "ECR Image Action" event.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageAction {
    action_type: String,
    result: String,
    repository_name: String,
    image_digest: String,
    #[serde(default)]
    image_tag: Option<String>,
}

/// Why S3 says that an object was created, where it means a person's or a program's upload. `CopyObject` is
/// our own copy of an accepted configuration.
const UPLOADS: [&str; 3] = ["PutObject", "POST Object", "CompleteMultipartUpload"];

/// Reads the state machine's input. `bucket` and `app` are the engine's own: an event about another's is
/// not acted on.
pub fn ask(input: Value, app: &str, bucket: &str) -> Result<Ask, NotAsked> {
    if input.get("detail-type").is_none() {
        return from_request(input, app);
    }
    let not = |environment: &str, trigger, reason: String| NotAsked {
        environment: environment.to_owned(),
        trigger,
        reason,
    };
    let unknown = |reason: String| not("unknown", Trigger::ConfigUpload, reason);
    let event: EventBridgeEvent<Value> = serde_json::from_value(input)
        .map_err(|error| unknown(format!("The event has not EventBridge's shape: {error}.")))?;
    match event.detail_type.as_str() {
        "Object Created" => {
            let detail: ObjectCreated = serde_json::from_value(event.detail)
                .map_err(|error| unknown(format!("The event of S3 has not S3's shape: {error}.")))?;
            from_upload(detail, bucket)
        }
        "Scheduled Event" => from_schedule(event.resources.as_deref().unwrap_or_default(), app),
        "ECR Image Action" => {
            let detail: ImageAction = serde_json::from_value(event.detail).map_err(|error| {
                not("unknown", Trigger::ImagePush, format!("The event of ECR has not ECR's shape: {error}."))
            })?;
            from_push(detail, app)
        }
        other => Err(unknown(format!("Events of the type {other:?} start nothing."))),
    }
}

fn from_request(input: Value, app: &str) -> Result<Ask, NotAsked> {
    let not = |environment: &str, reason: String| NotAsked {
        environment: if is_name(environment) { environment.to_owned() } else { "unknown".to_owned() },
        trigger: Trigger::Cli,
        reason,
    };
    let request: Request = serde_json::from_value(input).map_err(|error| {
        not("unknown", format!("The request cannot be read: {error}. Is the program as new as the engine?"))
    })?;
    if request.app != app {
        return Err(not(
            &request.environment,
            format!("The request is for the app {:?}; this engine serves {app:?}.", request.app),
        ));
    }
    if !is_name(&request.environment) {
        return Err(not("unknown", format!("{:?} is no environment's name.", request.environment)));
    }
    let key = match request.config_key {
        _ if request.operation.is_overlay() => None,
        Some(key) if key.starts_with(&keys::runs(&request.environment)) => Some(key),
        Some(key) => {
            return Err(not(
                &request.environment,
                format!("{key:?} is not a key of this environment's runs."),
            ));
        }
        None => Some(keys::environment(&request.environment)),
    };
    if request.operation == Operation::Deploy
        && !request.parameters.image.as_ref().is_some_and(|image| is_digest(image))
    {
        return Err(not(
            &request.environment,
            "A deploy needs the digest of an image, `sha256:…`.".to_owned(),
        ));
    }
    Ok(Ask {
        trigger: Trigger::Cli,
        caller: request.caller,
        environment: request.environment,
        operation: request.operation,
        source: key.map(|key| Source { key, version: None }),
        parameters: request.parameters,
        waits: request.wait || !request.operation.is_overlay(),
        plan: request.plan,
        options: request.options,
    })
}

fn from_upload(detail: ObjectCreated, bucket: &str) -> Result<Ask, NotAsked> {
    let key = detail.object.key;
    let environment =
        key.strip_prefix("environments/").and_then(|rest| rest.strip_suffix(".toml")).unwrap_or("");
    let not = |reason: String| NotAsked {
        environment: if is_name(environment) { environment.to_owned() } else { "unknown".to_owned() },
        trigger: Trigger::ConfigUpload,
        reason,
    };
    if detail.bucket.name != bucket {
        return Err(not(format!("The bucket {:?} is not the provisioner's.", detail.bucket.name)));
    }
    if !is_name(environment) {
        return Err(not(format!("{key:?} is not `environments/NAME.toml` with the name of an environment.")));
    }
    if !UPLOADS.contains(&detail.reason.as_str()) {
        return Err(not(format!("An object made by {:?} is not an upload.", detail.reason)));
    }
    let ask = Ask::new(Trigger::ConfigUpload, environment.to_owned(), Operation::Apply);
    Ok(Ask { source: Some(Source { key, version: detail.object.version }), ..ask })
}

/// A rule of ours with a schedule: `…:rule/stepstack-{app}-{env}-{what}`.
fn from_schedule(resources: &[String], app: &str) -> Result<Ask, NotAsked> {
    let rule = resources.first().and_then(|arn| arn.rsplit('/').next()).unwrap_or_default();
    let (environment, what) = of_event_rule(app, rule).unwrap_or_default();
    let operation = match what {
        "rotate" => Some(Operation::Rotate),
        // AWS starts a stopped cluster again after seven days; the pause goes on.
        "pause" => Some(Operation::Pause),
        _ => None,
    };
    match operation.filter(|_| is_name(environment)) {
        Some(operation) => Ok(Ask::new(Trigger::Schedule, environment.to_owned(), operation)),
        None => Err(NotAsked {
            environment: if is_name(environment) { environment.to_owned() } else { "unknown".to_owned() },
            trigger: Trigger::Schedule,
            reason: format!("The rule {rule:?} is none of {app}'s."),
        }),
    }
}

fn from_push(detail: ImageAction, app: &str) -> Result<Ask, NotAsked> {
    let environment = of_repository(app, &detail.repository_name).unwrap_or("");
    let not = |reason: String| NotAsked {
        environment: if is_name(environment) { environment.to_owned() } else { "unknown".to_owned() },
        trigger: Trigger::ImagePush,
        reason,
    };
    if !is_name(environment) {
        return Err(not(format!("The repository {:?} is none of {app}'s.", detail.repository_name)));
    }
    if detail.action_type != "PUSH" || detail.result != "SUCCESS" {
        return Err(not(format!("{} {} is no successful push.", detail.action_type, detail.result)));
    }
    if !is_digest(&detail.image_digest) {
        return Err(not(format!("{:?} is no digest.", detail.image_digest)));
    }
    let parameters = Parameters {
        image: Some(detail.image_digest),
        tag: detail.image_tag.filter(|tag| !tag.is_empty()),
        ..Parameters::default()
    };
    Ok(Ask { parameters, ..Ask::new(Trigger::ImagePush, environment.to_owned(), Operation::Deploy) })
}

/// An environment's name, as the configuration has it: it becomes part of keys.
fn is_name(text: &str) -> bool {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=12).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(letters)
}

fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:")
        .is_some_and(|hex| hex.len() == 64 && hex.chars().all(|c| c.is_ascii_hexdigit()))
}
