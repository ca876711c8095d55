//! Workflows for a user's repository on GitHub. Actions are pinned by commit; credentials come by OIDC, from
//! the role that `stepstack bootstrap --github OWNER/REPO` makes.

use statemachine::config::Stack;
use statemachine::permission::Scope;
use statemachine::template::fill;

/// A workflow around its steps. An arm64 machine builds arm64 images without emulation.
const WORKFLOW: &str = include_str!("workflow.yml");
/// The step that uploads the configuration.
const PUT_CONFIGURATION: &str = include_str!("put-configuration.yml");
/// The steps that build the image and push it.
const PUSH_IMAGE: &str = include_str!("push-image.yml");
/// What comes before the push where the first run makes the repository while the image is built: it may not be
/// there yet.
const WAIT_FOR_REPOSITORY: &str = include_str!("wait-for-repository.yml");

/// A workflow's file name and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workflow {
    /// Below `.github/workflows/`.
    pub name: &'static str,
    /// YAML.
    pub text: String,
}

/// The three workflows of a stack, whose configuration stands at `file` in the repository.
pub fn workflows(stack: &Stack, scope: &Scope, file: &str) -> Vec<Workflow> {
    let (app, environment) = (("APP", stack.app.as_str()), ("ENVIRONMENT", stack.environment.as_str()));
    let upload = fill(PUT_CONFIGURATION, &[("FILE", file), ("BUCKET", &scope.bucket()), environment]);
    let tag = stack.image.deploy_on_push.first().map_or("latest", String::as_str);
    let push_after = |wait: &str| fill(PUSH_IMAGE, &[app, environment, ("TAG", tag), ("WAIT", wait)]);
    let one = |name, title: &str, what: &str, paths: &str, steps: &str| Workflow {
        name,
        text: fill(
            WORKFLOW,
            &[
                ("WHAT", what),
                ("TITLE", title),
                ("PATHS", paths),
                app,
                environment,
                ("ROLE", &scope.engine_role_arn("github")),
                ("REGION", &scope.region),
                ("STEPS", steps),
            ],
        ),
    };
    vec![
        one(
            "stepstack.yml",
            "Configuration and image",
            "Puts the configuration in its place and pushes the image, at every push to main.",
            "",
            &format!("{upload}{}", push_after(WAIT_FOR_REPOSITORY)),
        ),
        one(
            "stepstack-infrastructure.yml",
            "Configuration",
            "Puts the configuration in its place when it has changed.",
            &format!("    paths: [\"{file}\"]"),
            &upload,
        ),
        one(
            "stepstack-application.yml",
            "Image",
            "Pushes the image when anything but the configuration has changed; the push deploys it.",
            &format!("    paths-ignore: [\"{file}\"]"),
            &push_after(""),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workflows_name_the_stack_s_own_places() {
        let file = "app = \"arive\"\nenvironment = \"production\"\n[services.api]\nport = 8000\n";
        let stack = statemachine::config::parse(file.as_bytes(), "stepstack.toml").expect("a good file");
        let scope = Scope {
            app: "arive".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        };
        let workflows = workflows(&stack, &scope, "stepstack.toml");
        for workflow in &workflows {
            for line in workflow
                .text
                .lines()
                .filter(|line| line.trim_start().trim_start_matches("- ").starts_with("uses:"))
            {
                let (_, pin) = line.split_once('@').expect("a pin");
                let (commit, version) = pin.split_once(" # v").expect("a version beside it");
                assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{line}");
                assert!(!version.is_empty());
            }
            assert!(!workflow.text.contains("secrets."), "no key is kept anywhere");
        }
        let all: Vec<String> = workflows
            .into_iter()
            .map(|workflow| format!("== {}\n{}", workflow.name, workflow.text))
            .collect();
        insta::assert_snapshot!("workflows", all.join("\n"));
    }
}
