//! The names of the engine's own parts in the user's account. One app has one engine.

use crate::permission::Scope;

impl Scope {
    /// `stepstack-{app}`: begins every name of the engine, and names the permissions boundary.
    pub fn engine(&self) -> String {
        format!("stepstack-{}", self.app)
    }

    /// The provisioner's bucket: `stepstack-{app}-{account}-{region}`.
    pub fn bucket(&self) -> String {
        format!("stepstack-{}-{}-{}", self.app, self.account, self.region)
    }

    /// The name of a function: `stepstack-{app}-network`.
    pub fn function(&self, function: &str) -> String {
        format!("{}-{function}", self.engine())
    }

    /// ARN of the state machine.
    pub fn state_machine(&self) -> String {
        self.arn("states", &format!("stateMachine:{}", self.engine()))
    }

    /// Path of the engine's roles, made by bootstrap alone.
    pub fn engine_path(&self) -> String {
        format!("/stepstack/{}/engine/", self.app)
    }

    /// Path of a stack's roles, made by the foundation function.
    pub fn stack_path(&self, environment: &str) -> String {
        format!("/stepstack/{}/{environment}/", self.app)
    }

    /// Name of an engine role: `stepstack-{app}-network`, `stepstack-{app}-states`, `stepstack-{app}-events`.
    pub fn engine_role(&self, part: &str) -> String {
        self.function(part)
    }

    /// ARN of an engine role.
    pub fn engine_role_arn(&self, part: &str) -> String {
        self.global("iam", &format!("role{}{}", self.engine_path(), self.engine_role(part)))
    }

    /// ARN of the permissions boundary that every stack role carries.
    pub fn boundary(&self) -> String {
        self.global("iam", &format!("policy/{}", self.engine()))
    }

    /// The log group of the state machine.
    pub fn state_machine_log_group(&self) -> String {
        format!("/aws/vendedlogs/states/{}", self.engine())
    }
}
