//! The AWS names of the engine's own parts in the user's account. One app has one engine, and an app's name has
//! at most 20 characters.

use crate::permission::Scope;

impl Scope {
    /// `stepstack-{app}`: begins every name of the engine, and is that of the state machine (up to 80 characters,
    /// Step Functions API, `CreateStateMachine`) and of the permissions boundary (up to 128, IAM API,
    /// `CreatePolicy`).
    pub fn engine(&self) -> String {
        format!("stepstack-{}", self.app)
    }

    /// The provisioner's bucket: `stepstack-{app}-{account}-{region}`. 3 to 63 lower-case letters, digits and
    /// hyphens (S3 User Guide, "General purpose bucket naming rules").
    pub fn bucket(&self) -> String {
        format!("{}-{}-{}", self.engine(), self.account, self.region)
    }

    /// ARN of the provisioner's bucket.
    pub fn bucket_arn(&self) -> String {
        bucket_arn(&self.bucket())
    }

    /// The name of a function: `stepstack-{app}-network`. Up to 64 letters, digits, hyphens and underscores
    /// (Lambda API, `CreateFunction`).
    pub fn function(&self, function: &str) -> String {
        format!("{}-{function}", self.engine())
    }

    /// ARN of a function.
    pub fn function_arn(&self, function: &str) -> String {
        self.arn("lambda", &format!("function:{}", self.function(function)))
    }

    /// `network` of `stepstack-{app}-network`. No function has a hyphen in its name, so that those of an app
    /// `arive-admin` are none of `arive`'s.
    pub fn what_of_function<'a>(&self, function: &'a str) -> Option<&'a str> {
        let what = function.strip_prefix(&self.function(""))?;
        (!what.contains('-')).then_some(what)
    }

    /// ARN of the state machine.
    pub fn state_machine(&self) -> String {
        self.arn("states", &format!("stateMachine:{}", self.engine()))
    }

    /// ARN of an execution of the state machine; `*` for any.
    pub fn execution(&self, run: &str) -> String {
        self.arn("states", &format!("execution:{}:{run}", self.engine()))
    }

    /// Path of the engine's roles, made by bootstrap alone.
    pub fn engine_path(&self) -> String {
        format!("/stepstack/{}/engine/", self.app)
    }

    /// Name of an engine role: `stepstack-{app}-network`, `stepstack-{app}-states`, `stepstack-{app}-events`. Up to
    /// 64 characters (IAM API, `CreateRole`).
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

    /// The log group of a part: where Lambda writes by itself, and for `states` a name that Step Functions'
    /// resource policy covers already (Step Functions Developer Guide, "Logging using CloudWatch Logs").
    pub fn engine_log_group(&self, part: &str) -> String {
        if part == "states" {
            format!("/aws/vendedlogs/states/{}", self.engine())
        } else {
            format!("/aws/lambda/{}", self.function(part))
        }
    }

    /// The part whose log group has this name.
    pub fn part_of_log_group<'a>(&self, log_group: &'a str) -> Option<&'a str> {
        if log_group == self.engine_log_group("states") {
            return Some("states");
        }
        self.what_of_function(log_group.strip_prefix("/aws/lambda/")?)
    }

    /// ARN of a log group, the engine's or a stack's.
    pub fn log_group_arn(&self, log_group: &str) -> String {
        self.arn("logs", &format!("log-group:{log_group}"))
    }

    /// A rule of the engine itself: up to 64 letters, digits and `.-_` (EventBridge API, `PutRule`).
    pub fn engine_rule(&self, what: &str) -> String {
        format!("{}-{what}", self.engine())
    }
}

/// ARN of a bucket, in any account.
pub fn bucket_arn(bucket: &str) -> String {
    format!("arn:aws:s3:::{bucket}")
}

#[cfg(test)]
mod tests {
    use crate::permission::Scope;

    #[test]
    fn the_parts_of_an_engine_are_known_by_their_names_and_none_of_another() {
        let scope = |app: &str| Scope {
            app: app.to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let (ours, theirs) = (scope("arive"), scope("arive-admin"));
        for part in ["network", "states"] {
            assert_eq!(ours.part_of_log_group(&ours.engine_log_group(part)), Some(part));
            assert_eq!(ours.part_of_log_group(&theirs.engine_log_group(part)), None);
        }
        assert_eq!(ours.what_of_function(&ours.function("network")), Some("network"));
        assert_eq!(ours.what_of_function(&theirs.function("network")), None);
    }
}
