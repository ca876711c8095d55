//! Workflows for a user's repository on GitHub. Actions are pinned by commit; credentials come by OIDC, from
//! the role that `stepstack bootstrap --github OWNER/REPO` makes.

use statemachine::config::Stack;
use statemachine::permission::Scope;

/// Each action with its commit and the version that it is of.
const CHECKOUT: &str = "actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2";
const CREDENTIALS: &str =
    "aws-actions/configure-aws-credentials@e3dd6a429d7300a6a4c196c26e071d42e0343502 # v4.0.2";
const LOGIN: &str = "aws-actions/amazon-ecr-login@062b18b96a7aff071d4dc91bc00c4c1a7945b076 # v2.0.1";

/// An arm64 machine builds arm64 images without emulation.
const RUNNER: &str = "ubuntu-24.04-arm";

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
    let upload = format!(
        "      - name: Put the configuration in its place\n        run: aws s3 cp \"{file}\" \"s3://{}/environments/{}.toml\"\n",
        scope.bucket(),
        stack.environment
    );
    let tag = stack.image.deploy_on_push.first().map_or("latest", String::as_str);
    let build = format!(
        "      - name: Log in to ECR\n        id: ecr\n        uses: {LOGIN}\n      - name: Build and push the image\n        env:\n          IMAGE: ${{{{ steps.ecr.outputs.registry }}}}/{}/{}:{tag}\n        run: |\n          docker build --platform linux/arm64 --tag \"$IMAGE\" .\n",
        stack.app, stack.environment
    );
    let push = format!("{build}          docker push \"$IMAGE\"\n");
    // The first run makes the repository while the image is built, and may not be there yet.
    let push_soon = format!(
        "{build}          # The first configuration makes the repository: it may take a minute.\n          for pause in 15 30 60; do\n            docker push \"$IMAGE\" && exit 0\n            sleep \"$pause\"\n          done\n          docker push \"$IMAGE\"\n"
    );
    let paths = format!("    paths: [\"{file}\"]\n");
    let but = format!("    paths-ignore: [\"{file}\"]\n");
    let about = |what: &str| {
        format!(
            "# {what}\n# The run itself goes on in AWS: `stepstack runs` shows it.\n# Made by `stepstack init --github`; the role by `stepstack bootstrap --github OWNER/REPO`.\n"
        )
    };
    let one = |name, title: &str, what: &str, on: &str, steps: String| Workflow {
        name,
        text: format!(
            "{}name: {title}\non:\n  workflow_dispatch:\n  push:\n    branches: [main]\n{on}permissions:\n  contents: read\n  id-token: write\nconcurrency: stepstack-{}-{}\njobs:\n  deploy:\n    runs-on: {}\n    steps:\n      - uses: {CHECKOUT}\n      - name: Take the role\n        uses: {CREDENTIALS}\n        with:\n          role-to-assume: {}\n          aws-region: {}\n{steps}",
            about(what),
            stack.app,
            stack.environment,
            RUNNER,
            scope.engine_role_arn("github"),
            scope.region,
        ),
    };
    vec![
        one(
            "stepstack.yml",
            "Configuration and image",
            "Puts the configuration in its place and pushes the image, at every push to main.",
            "",
            format!("{upload}{push_soon}"),
        ),
        one(
            "stepstack-infrastructure.yml",
            "Configuration",
            "Puts the configuration in its place when it has changed.",
            &paths,
            upload.clone(),
        ),
        one(
            "stepstack-application.yml",
            "Image",
            "Pushes the image when anything but the configuration has changed; the push deploys it.",
            &but,
            push.clone(),
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
