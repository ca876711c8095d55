//! The certificate function: the domain's hosted zone, the certificate and its validation records.

pub mod certificate;
pub mod delegation;
pub mod hosted_zone;
pub mod record;
mod record_sets;

use aws::Function;
use aws_types::SdkConfig;
use statemachine::config::Stack;
use statemachine::message::Document;
use statemachine::resource::{Context, Names};
use statemachine::tick::Resources;
use statemachine::{Result, owns};

use crate::certificate::{Certificate, Certificates};
use crate::delegation::{Delegation, Resolver, SystemResolver};
use crate::hosted_zone::{HostedZone, Zones};
use crate::record::{Kind, Record, Records};

/// The function's clients.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each client is named after its service")]
pub struct Clients {
    pub acm: aws_sdk_acm::Client,
    pub route53: aws_sdk_route53::Client,
    /// Whether AWS is an emulator: then nobody delegates a domain to it, and DNS is not asked.
    pub emulated: bool,
}

impl Function for Clients {
    fn new(config: &SdkConfig) -> Self {
        Self {
            acm: aws_sdk_acm::Client::new(config),
            route53: aws_sdk_route53::Client::new(config),
            emulated: config.endpoint_url().is_some(),
        }
    }

    async fn resources(&self, ctx: &Context, document: &Document, _: &Names) -> Result<Resources<Self>> {
        self.describe(ctx, document, &SystemResolver { emulated: self.emulated }).await
    }
}

owns!(Clients: HostedZone, Certificate, Record);

impl Clients {
    /// What the stage owns, with the DNS resolver as a parameter.
    pub async fn describe(
        &self,
        ctx: &Context,
        document: &Document,
        resolver: &dyn Resolver,
    ) -> Result<Resources<Self>> {
        let hosts = hosts(document);
        let wanted = document.stack.as_ref().and_then(|stack| stack.domain.clone());
        let domain = wanted.clone().or_else(|| hosts.first().map(|host| hosted_zone::apex(host)));
        let described = wanted.is_some();
        let zones = Zones { route53: self.route53.clone(), domain, described, hosts: hosts.clone() };
        // The delegation is checked against the zone, so it is looked up before anything is described.
        let found = zones.find(ctx).await?;
        let zone = found.first();
        let name_servers = zone.map(hosted_zone::Raw::name_servers);
        let wanted_zone = wanted
            .as_deref()
            .map(|domain| HostedZone { domain: zone.map_or(domain, hosted_zone::Raw::domain).to_owned() });
        let certificates = Certificates { acm: self.acm.clone(), hosts: hosts.clone() };
        let mut wanted_hosts: Vec<String> =
            document.stack.iter().filter(|stack| stack.domain.is_some()).flat_map(Stack::hosts).collect();
        wanted_hosts.sort();
        let records = Records::new(&self.route53, hosts, wanted_hosts.clone());
        let seen_records = zone.map(|zone| records.raws(zone.records()));
        let certificate = (!wanted_hosts.is_empty()).then(|| Certificate { hosts: wanted_hosts.clone() });
        let name = certificate.as_ref().map(statemachine::resource::Resource::name);
        let validation = |host: &String| {
            name.clone().map(|certificate| Record::new(host, Kind::Validation { certificate }))
        };
        let delegation = match (&wanted_zone, &name_servers, &certificate) {
            (Some(zone), Some(servers), Some(_)) => resolver.delegation(&zone.domain, servers).await,
            (_, _, _) => Delegation::NotChecked("the zone is yet to be made".to_owned()),
        };
        let resources = Resources::new()
            .owns_seen(&zones, wanted_zone.into_iter().collect(), Some(found))
            .owns(&certificates, certificate.into_iter().collect())
            .owns_seen(&records, wanted_hosts.iter().filter_map(validation).collect(), seen_records);
        Ok(match (&wanted, name, delegation) {
            (Some(domain), Some(certificate), Delegation::Elsewhere(found)) => {
                let servers = name_servers.unwrap_or_default();
                resources.park(certificate, delegation::what_to_do(domain, &servers, &found))
            }
            (_, _, _) => resources,
        })
    }
}

/// All hosts that were ever asked for and may still be there.
fn hosts(document: &Document) -> Vec<String> {
    let described = document.stack.iter().flat_map(Stack::hosts);
    let mut hosts: Vec<String> = described.chain(document.known_hosts.iter().cloned()).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}
