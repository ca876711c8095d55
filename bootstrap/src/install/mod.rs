//! Installs the engine in the user's account, with the same kinds and the same tick that the engine uses
//! itself: the provisioner's bucket, roles, functions, the state machine and the rule of its trigger.
//!
//! An app has one engine per account and region. Its tags say `stepstack:stack = {app}/engine`.

mod boundary;
mod bucket;
mod event_rule;
mod function;
mod github;
mod log_group;
mod policy;
mod role;
mod run;
mod service_linked_role;
mod state_machine;
mod tags;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use statemachine::Part;
use statemachine::definition::FUNCTIONS;
use statemachine::permission::Scope;
use statemachine::resource::{Context, Options, short_hash};
use statemachine::tick::Resources;

pub use crate::local::FunctionZip;
pub use boundary::Boundary;
pub use bucket::{Bucket, Lifecycle};
pub use event_rule::EventRule;
pub use function::{Code, Function};
pub use github::is_repository;
pub use log_group::LogGroup;
pub use policy::policies;
pub use role::Role;
pub use run::{
    InstallError, Installed, Present, bring_up, bring_up_github, installed, installed_version, remove,
    standing,
};
pub use service_linked_role::{SERVICES, ServiceLinkedRole};
pub use state_machine::StateMachine;

/// The version that an installed engine is compared with: this program's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// For this long an upload of a function's code may take.
const UPLOAD_WITHIN: Duration = Duration::from_mins(5);

/// The installer's clients.
#[derive(Clone, Debug)]
pub struct Clients {
    /// S3, by path where AWS is an emulator.
    pub s3: aws_sdk_s3::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// CloudWatch Logs.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Lambda, with time for uploads.
    pub lambda: aws_sdk_lambda::Client,
    /// Step Functions.
    pub sfn: aws_sdk_sfn::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
}

impl Clients {
    /// For the account, region and endpoint of `config`.
    pub fn new(config: &SdkConfig) -> Self {
        let s3 = aws_sdk_s3::config::Builder::from(config).force_path_style(config.endpoint_url().is_some());
        let patient = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(3))
            .operation_attempt_timeout(UPLOAD_WITHIN)
            .operation_timeout(2 * UPLOAD_WITHIN)
            .build();
        let lambda = aws_sdk_lambda::config::Builder::from(config).timeout_config(patient);
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            iam: aws_sdk_iam::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
            sfn: aws_sdk_sfn::Client::new(config),
            events: aws_sdk_eventbridge::Client::new(config),
        }
    }
}

/// Where the functions are to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Lambda's name of the architecture that the functions were built for: `arm64`, `x86_64`.
    pub architecture: String,
    /// The endpoint that the functions are to call instead of AWS.
    pub endpoint: Option<String>,
}

impl Target {
    /// AWS itself: arm64. An emulator runs the functions as processes of this machine: its own architecture.
    pub fn of(config: &SdkConfig) -> Self {
        let endpoint = config.endpoint_url().map(str::to_owned);
        let host = if std::env::consts::ARCH == "aarch64" { "arm64" } else { std::env::consts::ARCH };
        let architecture = if endpoint.is_some() { host } else { "arm64" };
        Self { architecture: architecture.to_owned(), endpoint }
    }
}

/// The engine as a stage: everything that it consists of, in the order in which it is made.
pub fn engine(clients: &Clients, scope: &Scope, zips: &[FunctionZip], target: &Target) -> Resources {
    let wanted = Wanted::engine(scope, zips, target);
    let machine = StateMachine::new(scope, &wanted.functions, &short_hash(&wanted));
    owns(clients, wanted, vec![machine])
}

/// The engine with nothing wanted of it: all that is found is left over. Service-linked roles belong to the
/// account and stay.
pub fn no_engine(clients: &Clients) -> Resources {
    owns(clients, Wanted::default(), Vec::new())
}

/// A short hash of all that an engine of these functions would be. The state machine of an installed engine
/// carries its own as a tag: equal means that there is nothing to install.
pub fn fingerprint(scope: &Scope, zips: &[FunctionZip], target: &Target) -> String {
    short_hash(&Wanted::engine(scope, zips, target))
}

/// What is wanted of each kind; the state machine is made of it.
#[derive(Default, serde::Serialize)]
struct Wanted {
    bucket: Option<Bucket>,
    boundary: Option<Boundary>,
    service_linked_roles: Vec<ServiceLinkedRole>,
    roles: Vec<Role>,
    log_groups: Vec<LogGroup>,
    functions: Vec<Function>,
    rule: Option<EventRule>,
    definition: &'static str,
}

impl Wanted {
    fn engine(scope: &Scope, zips: &[FunctionZip], target: &Target) -> Self {
        let roles = FUNCTIONS.iter().chain(&["states", "events"]).map(|part| Role::new(scope, part));
        let log_groups = FUNCTIONS.iter().chain(&["states"]).map(|part| LogGroup::new(scope, part));
        Self {
            bucket: Some(Bucket::new(scope)),
            boundary: Some(Boundary::new(scope)),
            service_linked_roles: SERVICES.into_iter().map(ServiceLinkedRole::new).collect(),
            roles: roles.collect(),
            log_groups: log_groups.collect(),
            functions: zips.iter().map(|zip| Function::new(scope, zip, target)).collect(),
            rule: Some(EventRule::new(scope)),
            definition: statemachine::definition::DEFINITION,
        }
    }
}

fn owns(clients: &Clients, wanted: Wanted, machines: Vec<StateMachine>) -> Resources {
    let Wanted { bucket, boundary, service_linked_roles, roles, log_groups, functions, rule, definition: _ } =
        wanted;
    Resources::new()
        .owns(&clients.s3, bucket.into_iter().collect())
        .owns(&clients.iam, boundary.into_iter().collect())
        .owns(&clients.iam, service_linked_roles)
        .owns(&clients.iam, roles)
        .owns(&clients.logs, log_groups)
        .owns(&clients.lambda, functions)
        .owns(&clients.sfn, machines)
        .owns(&clients.events, rule.into_iter().collect())
}

/// The tick's context for an app's engine.
pub fn context(scope: &Scope, options: Options) -> Context {
    Context {
        app: scope.app.clone(),
        environment: "engine".to_owned(),
        stage: Part::Engine,
        account: scope.account.clone(),
        region: scope.region.clone(),
        run: "bootstrap".to_owned(),
        options,
        deadline: Instant::now() + 4 * UPLOAD_WITHIN,
    }
}

/// A function's environment.
fn environment(scope: &Scope, target: &Target) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([
        ("STEPSTACK_ACCOUNT".to_owned(), scope.account.clone()),
        ("STEPSTACK_APP".to_owned(), scope.app.clone()),
        ("STEPSTACK_BUCKET".to_owned(), scope.bucket()),
    ]);
    if let Some(endpoint) = &target.endpoint {
        environment.insert("AWS_ENDPOINT_URL".to_owned(), endpoint.clone());
    }
    environment
}
