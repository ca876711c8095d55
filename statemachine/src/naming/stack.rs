//! The AWS names of a stack's resources.
//!
//! An app's name has at most 20 characters, an environment's at most 12, a service's at most 20
//! (`config/check/names.rs`): what is made of them fits AWS's lengths, or is fitted here.

use super::fit;
use crate::config::Stack;
use crate::permission::Scope;
use crate::resource::Context;

/// Makes the AWS names of one environment of an app.
#[derive(Clone, Copy, Debug)]
pub struct AwsNames<'a> {
    app: &'a str,
    environment: &'a str,
}

impl Context {
    /// The AWS names of the stack.
    pub fn aws_names(&self) -> AwsNames<'_> {
        AwsNames::new(&self.app, &self.environment)
    }
}

impl Stack {
    /// The AWS names of the stack.
    pub fn aws_names(&self) -> AwsNames<'_> {
        AwsNames::new(&self.app, &self.environment)
    }
}

impl Scope {
    /// The AWS names of every stack of the app, as patterns for the resources of policies: `*` stands for the
    /// environment.
    pub fn every_stack(&self) -> AwsNames<'_> {
        AwsNames::new(&self.app, "*")
    }
}

impl<'a> AwsNames<'a> {
    /// Of an app and one of its environments.
    pub fn new(app: &'a str, environment: &'a str) -> Self {
        Self { app, environment }
    }

    /// `{app}-{env}`: begins nearly every name.
    pub fn prefix(self) -> String {
        format!("{}-{}", self.app, self.environment)
    }

    /// `{app}/{env}`: what people call the stack, and the value of its tag.
    pub fn stack(self) -> String {
        format!("{}/{}", self.app, self.environment)
    }

    /// The ECS cluster. Up to 255 letters, digits, underscores and hyphens (ECS API, `CreateCluster`).
    pub fn ecs_cluster(self) -> String {
        self.prefix()
    }

    /// The family of a service's task definitions. Up to 255 letters, digits, underscores and hyphens (ECS API,
    /// `RegisterTaskDefinition`).
    pub fn task_family(self, service: &str) -> String {
        format!("{}-{service}", self.prefix())
    }

    /// What Application Auto Scaling calls a service: `service/`, the cluster and the service (Application Auto
    /// Scaling API, `RegisterScalableTarget`).
    pub fn scaling_target(self, service: &str) -> String {
        format!("service/{}/{service}", self.ecs_cluster())
    }

    /// Where a service's tasks log to. Log groups have up to 512 letters, digits and `_-/.#` (CloudWatch Logs
    /// API, `CreateLogGroup`).
    pub fn service_log_group(self, service: &str) -> String {
        service_log_group(&self.prefix(), service)
    }

    /// Begins the name of every service's log group.
    pub fn service_log_groups(self) -> String {
        format!("/ecs/{}", self.prefix())
    }

    /// Begins the name of every flow log's log group.
    pub fn flow_log_groups(self) -> String {
        format!("/vpc/{}", self.prefix())
    }

    /// Begins the name of every log group of a database.
    pub fn database_log_groups(self) -> String {
        format!("/aws/rds/cluster/{}", self.prefix())
    }

    /// The service whose log group has this name.
    pub fn service_of_log_group(self, log_group: &str) -> Option<&str> {
        log_group.strip_prefix(&self.service_log_group(""))
    }

    /// Where the VPC's flow log is written.
    pub fn flow_log_group(self) -> String {
        format!("{}/flow", self.flow_log_groups())
    }

    /// Where RDS exports the log of a generation of the database to. The name is RDS's: the cluster's in the
    /// middle (Aurora User Guide, "Publishing Aurora PostgreSQL logs to Amazon CloudWatch Logs").
    pub fn database_log_group(self, generation: u32) -> String {
        format!("{}-{generation}/postgresql", self.database_log_groups())
    }

    /// The generation of the database whose log group has this name.
    pub fn generation_of_log_group(self, log_group: &str) -> Option<u32> {
        let generation = log_group.strip_prefix(&self.database_log_groups())?.strip_prefix('-')?;
        generation.strip_suffix("/postgresql")?.parse().ok()
    }

    /// The image repository, `{app}/{env}`. 2 to 256 lower-case letters, digits and `-_./` (ECR API,
    /// `CreateRepository`).
    pub fn repository(self) -> String {
        self.stack()
    }

    /// The bucket for uploads of a file that does not name one. 3 to 63 lower-case letters, digits and hyphens
    /// (S3 User Guide, "General purpose bucket naming rules").
    pub fn uploads_bucket(self) -> String {
        format!("{}-uploads-{}", self.app, self.environment)
    }

    /// The bucket for access logs, fitted to S3's 63 characters.
    pub fn logs_bucket(self, account: &str) -> String {
        fit(&[&self.prefix(), "logs", account], 63)
    }

    /// A role: up to 64 letters, digits and `+=,.@_-` (IAM API, `CreateRole`).
    pub fn role(self, what: &str) -> String {
        role(&self.prefix(), what)
    }

    /// The path of the stack's roles: up to 512 characters, a slash at both ends (IAM API, `CreateRole`).
    pub fn role_path(self) -> String {
        format!("/stepstack/{}/{}/", self.app, self.environment)
    }

    /// A security group: up to 255 characters, not beginning with `sg-` (EC2 API, `CreateSecurityGroup`).
    pub fn security_group(self, what: &str) -> String {
        format!("{}-{what}", self.prefix())
    }

    /// The load balancer, fitted to 32 letters, digits and hyphens, neither at an end nor `internal-` at the
    /// beginning (Elastic Load Balancing API, `CreateLoadBalancer`).
    pub fn load_balancer(self) -> String {
        fit(&[&self.prefix()], MOST_OF_BALANCING)
    }

    /// A service's target group, `{app}-{env}-{service}-{hash}`, fitted to 32 letters, digits and hyphens, none
    /// at an end (Elastic Load Balancing API, `CreateTargetGroup`).
    pub fn target_group(self, service: &str, hash: &str) -> String {
        format!("{}-{hash}", fit(&[&self.prefix(), service], MOST_OF_BALANCING - 1 - hash.len()))
    }

    /// A generation of the database's cluster: the first is 1, a restore makes the next. Up to 63 letters, digits
    /// and single hyphens, a letter first, no hyphen last (RDS API, `CreateDBCluster`).
    pub fn db_cluster(self, generation: u32) -> String {
        format!("{}-{generation}", self.prefix())
    }

    /// The instance of a generation of the cluster, by the cluster's rules (RDS API, `CreateDBInstance`).
    pub fn db_instance(self, generation: u32) -> String {
        format!("{}-1", self.db_cluster(generation))
    }

    /// The database's subnet group: up to 255 letters, digits and `._ -` (RDS API, `CreateDBSubnetGroup`).
    pub fn db_subnet_group(self) -> String {
        self.prefix()
    }

    /// The parameter group of a family: up to 255 letters, digits and single hyphens, a letter first (RDS API,
    /// `CreateDBClusterParameterGroup`).
    pub fn db_parameter_group(self, hash: &str) -> String {
        format!("{}-{hash}", self.prefix())
    }

    /// A snapshot, from what a person calls it: with or without the stack's prefix. Up to 63 letters, digits and
    /// single hyphens, a letter first (RDS API, `CreateDBClusterSnapshot`).
    pub fn db_snapshot(self, asked: &str) -> String {
        let prefix = format!("{}-", self.prefix());
        if asked.starts_with(&prefix) { asked.to_owned() } else { format!("{prefix}{asked}") }
    }

    /// A secret, `{app}/{env}/{what}`: up to 512 letters, digits and `/_+=.@-`, not ending in a hyphen and six
    /// characters (Secrets Manager API, `CreateSecret`).
    pub fn secret(self, what: &str) -> String {
        format!("{}/{what}", self.stack())
    }

    /// A rule that starts runs: up to 64 letters, digits and `.-_` (EventBridge API, `PutRule`).
    pub fn event_rule(self, what: &str) -> String {
        format!("stepstack-{}-{what}", self.prefix())
    }
}

/// [`AwsNames::service_log_group`] where only the stack's prefix is known.
pub fn service_log_group(prefix: &str, service: &str) -> String {
    format!("/ecs/{prefix}-{service}")
}

/// [`AwsNames::role`] where only the stack's prefix is known.
pub fn role(prefix: &str, what: &str) -> String {
    format!("{prefix}-{what}")
}

/// The most characters that Elastic Load Balancing takes.
const MOST_OF_BALANCING: usize = 32;

/// Environment and `what` of the [`AwsNames::event_rule`] of this name, if it is this app's.
pub fn of_event_rule<'a>(app: &str, rule: &'a str) -> Option<(&'a str, &'a str)> {
    rule.strip_prefix("stepstack-")?.strip_prefix(app)?.strip_prefix('-')?.rsplit_once('-')
}

/// The environment whose [`AwsNames::repository`] has this name, if it is this app's.
pub fn of_repository<'a>(app: &str, repository: &'a str) -> Option<&'a str> {
    repository.strip_prefix(app)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    use super::{AwsNames, of_event_rule, of_repository};

    /// The longest that a configuration takes.
    const LONGEST: AwsNames<'_> = AwsNames { app: "an-app-of-20-letters", environment: "environment1" };
    const SERVICE: &str = "a-service-of-20-lett";

    #[test]
    fn the_longest_names_are_within_what_aws_takes() {
        let names = LONGEST;
        for (name, most) in [
            (names.load_balancer(), 32),
            (names.target_group(SERVICE, "abcdef"), 32),
            (names.logs_bucket("123456789012"), 63),
            (names.uploads_bucket(), 63),
            (names.db_cluster(u32::MAX), 63),
            (names.db_instance(u32::MAX), 63),
            (names.role("execution"), 64),
            (names.event_rule("image-push"), 64),
            (names.security_group(SERVICE), 255),
            (names.task_family(SERVICE), 255),
        ] {
            assert!(name.len() <= most, "{name} has {} characters", name.len());
        }
    }

    #[test]
    fn what_is_made_of_a_name_is_read_out_of_it_again() {
        let names = AwsNames::new("arive", "production");
        assert_eq!(names.service_of_log_group(&names.service_log_group("api")), Some("api"));
        assert_eq!(names.service_of_log_group("/ecs/arive-staging-api"), None);
        assert_eq!(names.generation_of_log_group(&names.database_log_group(12)), Some(12));
        assert_eq!(names.generation_of_log_group("/aws/rds/cluster/arive-staging-1/postgresql"), None);
        assert_eq!(of_event_rule("arive", &names.event_rule("rotate")), Some(("production", "rotate")));
        assert_eq!(of_event_rule("arrive", &names.event_rule("rotate")), None);
        assert_eq!(of_repository("arive", &names.repository()), Some("production"));
        assert_eq!(of_repository("arive", "other/production"), None);
    }
}
