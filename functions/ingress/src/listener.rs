//! Listeners: HTTP here, HTTPS in the services stage, where the certificate is settled.

use aws::{failed, gone};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    Action as RawAction, ActionTypeEnum, Certificate, FixedResponseActionConfig, Listener as RawListener,
    ProtocolEnum, RedirectActionConfig, RedirectActionStatusCodeEnum,
};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, ErrorKind, Result, Stage};

use crate::load_balancer;
use crate::tags::tags;

/// TLS 1.3 and 1.2, with post-quantum key exchange.
pub const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09";

/// A listener of the load balancer. It is ours because the load balancer is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listener {
    /// `http` or `https`.
    pub what: String,
    /// 80 or 443.
    pub port: i32,
    /// What becomes of requests that no rule matches.
    pub default_action: Action,
    /// Certificate and policy, for HTTPS.
    pub tls: Option<Tls>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// 301 to the same address on port 443.
    RedirectToHttps,
    /// 404.
    NotFound,
    /// Something that we never set, as AWS names it.
    Other(String),
}

/// How HTTPS is spoken.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tls {
    /// Must be issued.
    pub certificate: Name,
    /// AWS's name of a policy.
    pub policy: String,
}

/// `listener/http`.
pub fn name(what: &str) -> Name {
    Name::new(Listener::KIND, what)
}

impl Listener {
    /// The listener on port 80.
    pub fn http(default_action: Action) -> Self {
        Self { what: "http".to_owned(), port: 80, default_action, tls: None }
    }

    /// The listener on port 443.
    pub fn https(certificate: Name) -> Self {
        let tls = Tls { certificate, policy: TLS_POLICY.to_owned() };
        Self { what: "https".to_owned(), port: 443, default_action: Action::NotFound, tls: Some(tls) }
    }
}

impl Resource for Listener {
    type Client = Client;
    type Raw = RawListener;

    const KIND: &'static str = "listener";
    const LATE: bool = true;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let parts = ["loadbalancer/app", "listener/app"];
        let parts = parts.map(|part| {
            scope.arn("elasticloadbalancing", &format!("{part}/{}", scope.every_stack().prefix()))
        });
        let actions = [
            "elasticloadbalancing:AddTags",
            "elasticloadbalancing:CreateListener",
            "elasticloadbalancing:DeleteListener",
            "elasticloadbalancing:ModifyListener",
        ];
        vec![
            Permission::on(&actions, parts),
            Permission::unscoped(
                &["elasticloadbalancing:DescribeListeners"],
                "Elastic Load Balancing's Describe actions take no resource",
            ),
        ]
    }

    fn name(&self) -> Name {
        name(&self.what)
    }

    fn needs(&self) -> Vec<Need> {
        let certificate = self.tls.as_ref().map(|tls| Need::Settled(tls.certificate.clone()));
        std::iter::once(Need::Exists(load_balancer::name())).chain(certificate).collect()
    }

    /// Those of a load balancer of ours: what stands on it is ours too, and nobody has to ask for its tags.
    async fn fetch(_: &Context, client: &Client, names: &Names) -> Result<Vec<RawListener>> {
        let Some(balancer) = load_balancer::of_ours(names) else { return Ok(Vec::new()) };
        let listeners = client.describe_listeners().load_balancer_arn(balancer).send().await;
        let listeners = listeners.map_err(failed("elasticloadbalancing:DescribeListeners")).optional()?;
        Ok(listeners.and_then(|listeners| listeners.listeners).unwrap_or_default())
    }

    fn identify(ctx: &Context, raw: &RawListener, _: &Names) -> Option<Identity> {
        let what = match raw.port() {
            Some(80) => "http",
            Some(443) => "https",
            _ => return None,
        };
        // Each stage sees its own: the other's is none of its business.
        let own = if ctx.stage == Stage::Ingress { "http" } else { "https" };
        (what == own).then(|| raw.listener_arn().map(|id| Identity::ours(name(what), id))).flatten()
    }

    fn read(listener: RawListener, names: &Names) -> Result<State<Self>> {
        let port = listener.port().unwrap_or(0);
        let certificate = listener.certificates().first().and_then(Certificate::certificate_arn);
        let tls = certificate.map(|arn| Tls {
            certificate: names.name_of(arn),
            policy: listener.ssl_policy().unwrap_or_default().to_owned(),
        });
        let default_action =
            listener.default_actions().first().map_or_else(|| Action::Other("none".to_owned()), from_action);
        let what = if port == 443 { "https" } else { "http" }.to_owned();
        Ok(State::Settled(Self { what, port, default_action, tls }))
    }

    async fn create(self, Call { ctx, client, names }: Call<Client>) -> Result<Made> {
        let create = client
            .create_listener()
            .load_balancer_arn(names.need(&load_balancer::name())?)
            .port(self.port)
            .protocol(self.protocol())
            .default_actions(action(&self.default_action)?)
            .set_certificates(self.certificates(&names)?)
            .set_ssl_policy(self.tls.as_ref().map(|tls| tls.policy.clone()))
            .set_tags(Some(tags(&ctx, &self.name())));
        let made = match create.send().await.map_err(failed("elasticloadbalancing:CreateListener")) {
            Ok(made) => made,
            // An earlier call got through without our hearing of it: the next look finds it.
            Err(error) if error.kind == ErrorKind::Exists => {
                return Err(Error::not_ready(format!("Port {} has a listener already.", self.port)));
            }
            Err(error) => return Err(error),
        };
        let arn = made.listeners().first().and_then(RawListener::listener_arn);
        Ok(Made::settled(required(arn, "listener", "an ARN")?))
    }

    async fn update(self, _: Self, id: String, Call { client, names, .. }: Call<Client>) -> Result<Made> {
        let modify = client
            .modify_listener()
            .listener_arn(&id)
            .port(self.port)
            .protocol(self.protocol())
            .default_actions(action(&self.default_action)?)
            .set_certificates(self.certificates(&names)?)
            .set_ssl_policy(self.tls.as_ref().map(|tls| tls.policy.clone()));
        modify.send().await.map_err(failed("elasticloadbalancing:ModifyListener"))?;
        Ok(Made::settled(id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Client>) -> Result<Gone> {
        let delete = client.delete_listener().listener_arn(id).send().await;
        gone(delete.map_err(failed("elasticloadbalancing:DeleteListener")), Gone::Now)
    }
}

impl Listener {
    fn protocol(&self) -> ProtocolEnum {
        if self.tls.is_some() { ProtocolEnum::Https } else { ProtocolEnum::Http }
    }

    fn certificates(&self, names: &Names) -> Result<Option<Vec<Certificate>>> {
        let Some(tls) = &self.tls else { return Ok(None) };
        Ok(Some(vec![Certificate::builder().certificate_arn(names.need(&tls.certificate)?).build()]))
    }
}

fn from_action(action: &RawAction) -> Action {
    let redirect = action.redirect_config();
    let to_https = redirect
        .is_some_and(|redirect| redirect.protocol() == Some("HTTPS") && redirect.port() == Some("443"));
    let fixed = action.fixed_response_config().and_then(FixedResponseActionConfig::status_code);
    match action.r#type() {
        Some(ActionTypeEnum::Redirect) if to_https => Action::RedirectToHttps,
        Some(ActionTypeEnum::FixedResponse) if fixed == Some("404") => Action::NotFound,
        other => Action::Other(other.map_or("none", ActionTypeEnum::as_str).to_owned()),
    }
}

fn action(action: &Action) -> Result<RawAction> {
    match action {
        Action::RedirectToHttps => {
            let redirect = RedirectActionConfig::builder()
                .protocol("HTTPS")
                .port("443")
                .status_code(RedirectActionStatusCodeEnum::Http301)
                .build();
            Ok(RawAction::builder().r#type(ActionTypeEnum::Redirect).redirect_config(redirect).build())
        }
        Action::NotFound => {
            let fixed = FixedResponseActionConfig::builder()
                .status_code("404")
                .content_type("text/plain")
                .message_body("Not found");
            Ok(RawAction::builder()
                .r#type(ActionTypeEnum::FixedResponse)
                .fixed_response_config(fixed.build())
                .build())
        }
        Action::Other(kind) => Err(Error::internal(format!("a listener never asks for {kind}"))),
    }
}
