//! Our names of what one stage makes and others use: in needs, in the document's ids, in what people are told.
//! The stage that makes a thing names it by the same function.

use crate::resource::Name;

/// Kinds, the first halves of names.
pub mod kind {
    /// Foundation: a bucket.
    pub const BUCKET: &str = "bucket";
    /// Certificate: the certificate of the stack's hosts.
    pub const CERTIFICATE: &str = "certificate";
    /// Foundation: the ECS cluster.
    pub const CLUSTER: &str = "cluster";
    /// Database: the Aurora cluster.
    pub const DB_CLUSTER: &str = "db-cluster";
    /// Certificate: the hosted zone of the stack's domain.
    pub const HOSTED_ZONE: &str = "hosted-zone";
    /// Ingress: the load balancer.
    pub const LOAD_BALANCER: &str = "load-balancer";
    /// Foundation, and the installer: a log group.
    pub const LOG_GROUP: &str = "log-group";
    /// Foundation: the image repository.
    pub const REPOSITORY: &str = "repository";
    /// Foundation, and the installer: a role.
    pub const ROLE: &str = "role";
    /// Database: a secret.
    pub const SECRET: &str = "secret";
    /// Network: a security group.
    pub const SECURITY_GROUP: &str = "security-group";
    /// Services: an ECS service.
    pub const SERVICE: &str = "service";
    /// Network: a subnet.
    pub const SUBNET: &str = "subnet";
    /// Services: the target group of a public service.
    pub const TARGET_GROUP: &str = "target-group";
    /// Services: a task of its own.
    pub const TASK: &str = "task";
    /// Services: a task definition.
    pub const TASK_DEFINITION: &str = "task-definition";
    /// Network: the VPC.
    pub const VPC: &str = "vpc";
}

/// What the one resource of a kind is called.
const MAIN: &str = "main";

/// `bucket/logs`: where access logs go.
pub fn logs_bucket() -> Name {
    bucket("logs")
}

/// `bucket/uploads`.
pub fn uploads_bucket() -> Name {
    bucket("uploads")
}

/// `bucket/uploads`, `bucket/logs`, and the installer's `bucket/provisioner`.
pub fn bucket(what: &str) -> Name {
    Name::new(kind::BUCKET, what)
}

/// `cluster/main`: the ECS cluster.
pub fn cluster() -> Name {
    Name::new(kind::CLUSTER, MAIN)
}

/// `db-cluster/main`: the live generation of the database.
pub fn db_cluster() -> Name {
    Name::new(kind::DB_CLUSTER, MAIN)
}

/// `hosted-zone/main`.
pub fn hosted_zone() -> Name {
    Name::new(kind::HOSTED_ZONE, MAIN)
}

/// `image/current`: no resource, but what the stage `services` tells of the image that it runs.
pub fn current_image() -> Name {
    Name::new("image", "current")
}

/// `load-balancer/main`.
pub fn load_balancer() -> Name {
    Name::new(kind::LOAD_BALANCER, MAIN)
}

/// `log-group/api`: of a service, and of a part of the engine.
pub fn log_group(what: &str) -> Name {
    Name::new(kind::LOG_GROUP, what)
}

/// `log-group/vpc.flow`. No service can have this name: it has a dot.
pub fn flow_log_group() -> Name {
    log_group("vpc.flow")
}

/// `repository/main`.
pub fn repository() -> Name {
    Name::new(kind::REPOSITORY, MAIN)
}

/// `role/task`, `role/execution`, `role/flow-log`, and the engine's: `role/network`.
pub fn role(what: &str) -> Name {
    Name::new(kind::ROLE, what)
}

/// `secret/database-password`.
pub fn database_password() -> Name {
    Name::new(kind::SECRET, "database-password")
}

/// `secret/database-url`.
pub fn database_url() -> Name {
    Name::new(kind::SECRET, "database-url")
}

/// `security-group/load-balancer`, `security-group/database`.
pub fn security_group(what: &str) -> Name {
    Name::new(kind::SECURITY_GROUP, what)
}

/// `security-group/service-api`.
pub fn security_group_of_service(service: &str) -> Name {
    security_group(&format!("service-{service}"))
}

/// `subnet/public-a`.
pub fn subnet(what: &str) -> Name {
    Name::new(kind::SUBNET, what)
}

/// `target-group/api@…`: AWS cannot change a group's port, so another port is another group.
pub fn target_group(service: &str, port: i32) -> Name {
    Name::hashed(kind::TARGET_GROUP, service, &port)
}

/// `task/release`: the release command.
pub fn release_task() -> Name {
    Name::new(kind::TASK, "release")
}

/// `task/run`: the command of the operation `run`.
pub fn run_task() -> Name {
    Name::new(kind::TASK, "run")
}

/// `vpc/main`.
pub fn vpc() -> Name {
    Name::new(kind::VPC, MAIN)
}
