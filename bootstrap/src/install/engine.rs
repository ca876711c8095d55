//! What an engine consists of.

use std::time::Instant;

use events::EventRule;
use foundation::bucket::Bucket;
use foundation::log_group::LogGroup;
use foundation::role::Role;
use statemachine::Part;
use statemachine::definition::FUNCTIONS;
use statemachine::permission::Scope;
use statemachine::resource::{Context, Options, short_hash};
use statemachine::tick::Resources;

use super::boundary::Boundary;
use super::clients::{Clients, UPLOAD_WITHIN};
use super::function::Function;
use super::service_linked_role::{SERVICES, ServiceLinkedRole};
use super::state_machine::StateMachine;
use super::target::Target;
use super::{bucket, event_rule, log_group, role};
use crate::local::FunctionZip;

/// The engine as a stage: everything that it consists of, in the order in which it is made.
pub fn engine(clients: &Clients, scope: &Scope, zips: &[FunctionZip], target: &Target) -> Resources {
    let wanted = Wanted::engine(scope, zips, target);
    let machine = StateMachine::new(scope, &wanted.functions, &short_hash(&wanted));
    owns(clients, scope, wanted, vec![machine])
}

/// The engine with nothing wanted of it: all that is found is left over. Service-linked roles belong to the
/// account and stay.
pub fn no_engine(clients: &Clients, scope: &Scope) -> Resources {
    owns(clients, scope, Wanted::default(), Vec::new())
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
        let roles = FUNCTIONS.iter().chain(&["states", "events"]).map(|part| role::wanted(scope, part));
        let log_groups = FUNCTIONS.iter().chain(&["states"]).map(|part| log_group::wanted(scope, part));
        Self {
            bucket: Some(bucket::wanted(scope)),
            boundary: Some(Boundary::new(scope)),
            service_linked_roles: SERVICES.into_iter().map(ServiceLinkedRole::new).collect(),
            roles: roles.collect(),
            log_groups: log_groups.collect(),
            functions: zips.iter().map(|zip| Function::new(scope, zip, target)).collect(),
            rule: Some(event_rule::wanted(scope)),
            definition: statemachine::definition::DEFINITION,
        }
    }
}

fn owns(clients: &Clients, scope: &Scope, wanted: Wanted, machines: Vec<StateMachine>) -> Resources {
    let Wanted { bucket, boundary, service_linked_roles, roles, log_groups, functions, rule, definition: _ } =
        wanted;
    Resources::new()
        .owns(&bucket::place(&clients.s3, scope, bucket.as_ref()), bucket.into_iter().collect())
        .owns(&clients.iam, boundary.into_iter().collect())
        .owns(&clients.iam, service_linked_roles)
        .owns(&role::place(&clients.iam, scope), roles)
        .owns(&log_group::place(&clients.logs, scope), log_groups)
        .owns(&clients.lambda, functions)
        .owns(&clients.sfn, machines)
        .owns(&event_rule::place(&clients.events, scope), rule.into_iter().collect())
}

/// The tick's context for an app's engine. Nothing is ever taken over.
pub fn context(scope: &Scope, mut options: Options) -> Context {
    options.never_adopts = true;
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
