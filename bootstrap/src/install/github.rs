//! The role of a GitHub repository's workflows: it may put configurations in their place and push images, and
//! nothing else. Credentials come by OIDC: no key is kept anywhere.

use aws::failed;
use aws_sdk_iam::Client;
use serde::Serialize;
use serde_json::{Value, json};
use statemachine::error::Optional as _;
use statemachine::permission::{Permission, Scope, policy};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::tick::Resources;
use statemachine::{Error, ErrorKind, Result};

use super::role;

/// Who issues the tokens of workflows.
const ISSUER: &str = "token.actions.githubusercontent.com";
/// For whom they are issued.
const AUDIENCE: &str = "sts.amazonaws.com";

/// The account's trust in GitHub's tokens. It is the account's: one that is there is used, and it stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct OidcProvider {
    /// Who issues the tokens.
    issuer: String,
}

fn arn(scope: &Scope) -> String {
    scope.global("iam", &format!("oidc-provider/{ISSUER}"))
}

impl Resource for OidcProvider {
    type Client = Client;
    type Raw = String;

    const KIND: &'static str = "oidc-provider";
    const USES_THEIRS: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        vec![Permission::on(
            &["iam:CreateOpenIDConnectProvider", "iam:GetOpenIDConnectProvider"],
            [arn(scope)],
        )]
    }

    fn name(&self) -> Name {
        Name::new(Self::KIND, "github")
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Client, _: &Names) -> Result<Vec<String>> {
        let arn = arn(&ctx.scope());
        let found = client.get_open_id_connect_provider().open_id_connect_provider_arn(&arn).send().await;
        let found = found.map_err(failed("iam:GetOpenIDConnectProvider")).optional()?;
        Ok(found.map(|_| arn).into_iter().collect())
    }

    fn identify(_: &Context, arn: &String, _: &Names) -> Option<Identity> {
        Some(Identity::theirs(Name::new(Self::KIND, "github"), arn))
    }

    fn read(_: String, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self { issuer: ISSUER.to_owned() }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Client>) -> Result<Made> {
        let create = client
            .create_open_id_connect_provider()
            .url(format!("https://{}", self.issuer))
            .client_id_list(AUDIENCE)
            .send()
            .await;
        match create.map_err(failed("iam:CreateOpenIDConnectProvider")) {
            Ok(_) => Ok(Made::settled(arn(&ctx.scope()))),
            Err(error) if error.kind == ErrorKind::Exists => Ok(Made::started(arn(&ctx.scope()))),
            Err(error) => Err(error),
        }
    }

    async fn delete(_: String, _: Option<Self>, _: Call<Client>) -> Result<Gone> {
        Err(Error::internal("the account's OIDC provider stays"))
    }
}

/// Whether a text is `OWNER/REPO`, as GitHub names repositories.
pub fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        (1..=100).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    text.split_once('/').is_some_and(|(owner, name)| part(owner) && part(name))
}

/// Who may assume the role: workflows on the repository's branches. A pull request of a stranger's has no branch here.
fn trust(scope: &Scope, repository: &str) -> Value {
    json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": { "Federated": arn(scope) },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": { format!("{ISSUER}:aud"): AUDIENCE },
            "StringLike": { format!("{ISSUER}:sub"): format!("repo:{repository}:ref:refs/heads/*") },
        },
    }]})
}

/// What the role may do.
pub(super) fn may(scope: &Scope) -> Value {
    let push = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:CompleteLayerUpload",
        "ecr:InitiateLayerUpload",
        "ecr:PutImage",
        "ecr:UploadLayerPart",
    ];
    policy(&[
        Permission::on(&["s3:PutObject"], [format!("{}/environments/*", scope.bucket_arn())]),
        Permission::on(
            &push,
            [scope.arn("ecr", &format!("repository/{}", scope.every_stack().repository()))],
        ),
        Permission::unscoped(&["ecr:GetAuthorizationToken"], "the token is the account's"),
    ])
}

/// What is installed for a repository's workflows; without one, what was made for it is left over.
pub(super) fn resources(client: &Client, scope: &Scope, repository: Option<&str>) -> Resources {
    let provider = repository.map(|_| OidcProvider { issuer: ISSUER.to_owned() });
    let role = repository.map(|repository| role::with("github", trust(scope, repository), may(scope)));
    Resources::new()
        .owns(client, provider.into_iter().collect())
        .owns(&role::place(client, scope), role.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_have_an_owner_and_a_name_and_no_way_out_of_the_condition() {
        assert!(is_repository("acme/arive") && is_repository("a-b/c.d_e"));
        for bad in ["acme", "acme/", "/arive", "acme/ar*", "acme/a/b", "acme/a:b", "a b/c"] {
            assert!(!is_repository(bad), "{bad}");
        }
    }

    #[test]
    fn the_role_puts_configurations_and_pushes_images_and_nothing_else() {
        let scope = Scope {
            app: "arive".to_owned(),
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
        };
        insta::assert_json_snapshot!("github_role", (trust(&scope, "acme/arive"), may(&scope)));
    }
}
