//! Records in the domain's zone: validation of the certificate, and aliases to the load balancer (which the
//! services stage owns). A record carries no tag: it is ours by what it points to.

use aws::gone;
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{AliasTarget, ChangeAction, ResourceRecord, ResourceRecordSet, RrType};
use serde::Serialize;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State,
};
use statemachine::{Error, Part, Result, Stage};

use crate::record_sets::{change, id_of, list};
use crate::{certificate, hosted_zone};

/// A record for one host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    /// `api.tryarive.com`
    pub host: String,
    /// What it is for, and what it points to.
    pub kind: Kind,
}

/// What a record is for.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A CNAME that lets ACM validate a certificate of the host.
    Validation {
        /// The certificate.
        certificate: Name,
    },
    /// An alias of the host to a load balancer.
    Alias {
        /// The load balancer, which has the attributes `dns_name` and `zone_id`.
        load_balancer: Name,
    },
}

impl Record {
    /// A record for a host.
    pub fn new(host: &str, kind: Kind) -> Self {
        Self { host: host.to_owned(), kind }
    }
}

fn validation_name(host: &str) -> Name {
    Name::new(Record::KIND, format!("validation-{host}"))
}

/// `record/alias-api.tryarive.com`.
pub fn alias_name(host: &str) -> Name {
    Name::new(Record::KIND, format!("alias-{host}"))
}

/// Route 53, and the hosts that records may be for.
#[derive(Clone, Debug)]
pub struct Records {
    route53: Client,
    hosts: Vec<String>,
    wanted: Vec<String>,
}

impl Records {
    /// For the hosts of the file and of earlier ones, and those `wanted` by the file.
    pub fn new(route53: &Client, hosts: Vec<String>, wanted: Vec<String>) -> Self {
        Self { route53: route53.clone(), hosts, wanted }
    }

    /// The record sets of a zone, each with the hosts that may be ours.
    pub(crate) fn raws(&self, sets: Vec<ResourceRecordSet>) -> Vec<Raw> {
        let raw = |set| Raw { set, hosts: self.hosts.clone(), wanted: self.wanted.clone() };
        sets.into_iter().map(raw).collect()
    }
}

/// A record set, with the hosts that may be ours.
pub struct Raw {
    set: ResourceRecordSet,
    hosts: Vec<String>,
    wanted: Vec<String>,
}

/// One host's validation record, out of a certificate's attribute.
struct Validation<'a> {
    host: &'a str,
    record_name: &'a str,
    value: &'a str,
}

fn validations(text: &str) -> impl Iterator<Item = Validation<'_>> {
    text.lines().filter_map(|line| {
        let mut parts = line.split(' ');
        Some(Validation { host: parts.next()?, record_name: parts.next()?, value: parts.next()? })
    })
}

fn plain(name: &str) -> &str {
    name.trim_end_matches('.')
}

/// Which of our certificates a CNAME validates. It may validate an old one and its successor: then the successor,
/// of the hosts that are wanted now.
fn validated<'a>(raw: &Raw, names: &'a Names) -> Option<(&'a str, &'a Name)> {
    let Raw { set, wanted, .. } = raw;
    let value = set.resource_records().first()?.value();
    let wanted = certificate::name(wanted);
    let all = names.of_kind(certificate::Certificate::KIND).filter_map(|(certificate, _)| {
        let text = names.attribute(certificate, "validation")?;
        let same = |one: &Validation<'_>| {
            plain(one.record_name) == plain(set.name()) && plain(one.value) == plain(value)
        };
        validations(text).find(same).map(|one| (one.host, certificate))
    });
    all.max_by_key(|(_, certificate)| **certificate == wanted)
}

fn is_shared(host: &str, certificate: &Name, names: &Names) -> bool {
    names.attribute(certificate, "shared").is_some_and(|shared| shared.lines().any(|other| other == host))
}

/// Whether an alias points to the stack's load balancer: the one that is there, or one of its name.
fn is_our_alias(ctx: &Context, set: &ResourceRecordSet, names: &Names) -> bool {
    let Some(target) = set.alias_target() else { return false };
    let target = plain(target.dns_name()).trim_start_matches("dualstack.").to_ascii_lowercase();
    let balancer = names.attribute(&resource::load_balancer(), "dns_name");
    balancer.is_some_and(|name| name.eq_ignore_ascii_case(&target))
        || target.starts_with(&format!("{}-", ctx.aws_names().prefix()))
}

impl Resource for Record {
    type Client = Records;
    type Raw = Raw;

    const KIND: &'static str = "record";
    /// It is ours by what it points to: the change alone does it.
    const ADOPTABLE: bool = true;
    const LATE: bool = true;

    fn permissions(_: &Scope) -> Vec<Permission> {
        let zones = ["arn:aws:route53:::hostedzone/*".to_owned()];
        let reason = "a zone's ARN holds only its random id";
        let actions = ["route53:ChangeResourceRecordSets", "route53:ListResourceRecordSets"];
        vec![Permission { reason: Some(reason), ..Permission::on(&actions, zones) }]
    }

    fn name(&self) -> Name {
        match &self.kind {
            Kind::Validation { .. } => validation_name(&self.host),
            Kind::Alias { .. } => alias_name(&self.host),
        }
    }

    fn needs(&self) -> Vec<Need> {
        let target = match &self.kind {
            // The record is what lets the certificate settle: it only has to say how.
            Kind::Validation { certificate } => certificate.attribute("validation"),
            Kind::Alias { load_balancer } => load_balancer.clone(),
        };
        vec![Need::Exists(hosted_zone::name()), Need::Exists(target)]
    }

    async fn fetch(_: &Context, client: &Records, names: &Names) -> Result<Vec<Raw>> {
        let Some(zone) = names.id(&hosted_zone::name()) else { return Ok(Vec::new()) };
        Ok(client.raws(list(&client.route53, zone).await?))
    }

    fn identify(ctx: &Context, raw: &Raw, names: &Names) -> Option<Identity> {
        let id = id_of(&raw.set);
        match (ctx.stage, raw.set.r#type()) {
            (Part::Stage(Stage::Certificate), RrType::Cname) => {
                let (host, certificate) = validated(raw, names)?;
                // Another certificate of the account lives by the same record: it stays when ours goes.
                let leaves = !raw.wanted.iter().any(|wanted| wanted == host);
                let owner =
                    if leaves && is_shared(host, certificate, names) { Owner::Theirs } else { Owner::Ours };
                Some(Identity { owner, ..Identity::ours(validation_name(host), id) })
            }
            (Part::Stage(Stage::Services), RrType::A) if is_our_alias(ctx, &raw.set, names) => {
                Some(Identity::ours(alias_name(plain(raw.set.name())), id))
            }
            (Part::Stage(Stage::Services), RrType::A | RrType::Cname | RrType::Aaaa) => {
                let host = plain(raw.set.name());
                raw.hosts.iter().any(|known| known == host).then(|| Identity::theirs(alias_name(host), id))
            }
            _ => None,
        }
    }

    fn read(raw: Raw, names: &Names) -> Result<State<Self>> {
        let host = plain(raw.set.name());
        if let Some((host, certificate)) = validated(&raw, names) {
            return Ok(State::Settled(Self::new(
                host,
                Kind::Validation { certificate: certificate.clone() },
            )));
        }
        let target = raw.set.alias_target().map(AliasTarget::dns_name).unwrap_or_default();
        let target = plain(target).trim_start_matches("dualstack.");
        let balancer = resource::load_balancer();
        let is_ours =
            names.attribute(&balancer, "dns_name").is_some_and(|name| name.eq_ignore_ascii_case(target));
        let load_balancer = if is_ours { balancer } else { Name::foreign(target) };
        Ok(State::Settled(Self::new(host, Kind::Alias { load_balancer })))
    }

    async fn create(self, Call { client, names, .. }: Call<Records>) -> Result<Made> {
        let set = self.record_set(&names)?;
        let id = id_of(&set);
        // CREATE, never UPSERT: a stranger's record is not written over.
        let zone = names.need(&hosted_zone::name())?;
        match change(&client.route53, &zone, [(ChangeAction::Create, set)]).await {
            Ok(()) => Ok(Made::settled(id)),
            // The same validation record for another certificate of this host: it serves both.
            Err(error)
                if matches!(self.kind, Kind::Validation { .. })
                    && error.message.contains("already exists") =>
            {
                Ok(Made::settled(id))
            }
            // Ours, of an earlier try whose answer was lost, or a stranger's: the next look tells.
            Err(error) if error.message.contains("already exists") => Err(Error::not_ready(error.message)),
            Err(error) => Err(error),
        }
    }

    async fn update(self, _: Self, id: String, Call { client, names, .. }: Call<Records>) -> Result<Made> {
        // The loop has found that what stands there is ours, or was told to adopt it.
        let set = self.record_set(&names)?;
        let zone = names.need(&hosted_zone::name())?;
        let new_id = id_of(&set);
        let mut changes = Vec::new();
        // A record of another type that is taken over leaves in the same moment: a CNAME bears none beside it.
        if id != new_id {
            let sets = list(&client.route53, &zone).await?;
            let old = sets.into_iter().find(|set| id_of(set) == id);
            changes.extend(old.map(|set| (ChangeAction::Delete, set)));
        }
        changes.push((ChangeAction::Upsert, set));
        change(&client.route53, &zone, changes).await?;
        Ok(Made::settled(new_id))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, names, .. }: Call<Records>) -> Result<Gone> {
        // A delete has to name the whole record as it is.
        let Some(zone) = names.id(&hosted_zone::name()) else { return Ok(Gone::Now) };
        let sets = list(&client.route53, zone).await?;
        match sets.into_iter().find(|set| id_of(set) == id) {
            Some(set) => gone(change(&client.route53, zone, [(ChangeAction::Delete, set)]).await, Gone::Now),
            None => Ok(Gone::Now),
        }
    }
}

impl Record {
    fn record_set(&self, names: &Names) -> Result<ResourceRecordSet> {
        let internal = |error: aws_sdk_route53::error::BuildError| Error::internal(error.to_string());
        match &self.kind {
            Kind::Validation { certificate } => {
                // ACM tells it some seconds after the request.
                let not_yet = || {
                    Error::not_ready(format!("{certificate} does not say yet how to validate {}", self.host))
                };
                let text = names.attribute(certificate, "validation").ok_or_else(not_yet)?;
                let record = validations(text).find(|one| one.host == self.host).ok_or_else(not_yet)?;
                let value = ResourceRecord::builder().value(record.value).build().map_err(internal)?;
                let set =
                    ResourceRecordSet::builder().name(record.record_name).r#type(RrType::Cname).ttl(300);
                set.resource_records(value).build().map_err(internal)
            }
            Kind::Alias { load_balancer } => {
                let target = AliasTarget::builder()
                    .dns_name(names.need_attribute(load_balancer, "dns_name")?)
                    .hosted_zone_id(names.need_attribute(load_balancer, "zone_id")?)
                    .evaluate_target_health(false)
                    .build()
                    .map_err(internal)?;
                ResourceRecordSet::builder()
                    .name(&self.host)
                    .r#type(RrType::A)
                    .alias_target(target)
                    .build()
                    .map_err(internal)
            }
        }
    }
}
