//! The domain's hosted zone: used where one exists, made where there is none, never remade.

use aws::{failed, gone};
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{
    HostedZone as RawZone, HostedZoneConfig, ResourceRecordSet, RrType, Tag, TagResourceType,
};
use serde::Serialize;
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{
    Call, Context, Data, DataPolicy, Gone, Identity, Made, Name, Names, Need, Owner, Resource, State,
};
use statemachine::{ErrorKind, Result};

use crate::record_sets;

/// A public hosted zone. A second one of the same name is made happily by AWS, and DNS stays dead: so the
/// longest match that exists is used.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostedZone {
    /// Without a dot at its end.
    pub domain: String,
}

/// `hosted-zone/main`.
pub fn name() -> Name {
    resource::hosted_zone()
}

/// The last two labels of a host: where a lookup without a configuration begins.
pub fn apex(host: &str) -> String {
    let labels: Vec<&str> = host.split('.').collect();
    labels[labels.len().saturating_sub(2)..].join(".")
}

/// A zone with what its listing leaves out.
#[derive(Clone, Debug)]
pub struct Raw {
    zone: RawZone,
    records: Vec<ResourceRecordSet>,
    owned: bool,
    /// Records that are neither the zone's own nor ours.
    foreign_records: bool,
    /// The file still names it.
    described: bool,
}

impl Raw {
    /// The domain of the zone: it may be a parent of the one that was looked for.
    pub(crate) fn domain(&self) -> &str {
        self.zone.name().trim_end_matches('.')
    }

    /// The name servers that the zone itself names: its NS record.
    pub(crate) fn name_servers(&self) -> Vec<String> {
        let is_own = |set: &&ResourceRecordSet| {
            set.r#type() == &RrType::Ns && set.name().trim_end_matches('.') == self.domain()
        };
        let values = self.records.iter().find(is_own).map(ResourceRecordSet::resource_records);
        let values = values.unwrap_or_default().iter();
        values.map(|record| record.value().trim_end_matches('.').to_owned()).collect()
    }

    /// All records of the zone.
    pub(crate) fn records(&self) -> Vec<ResourceRecordSet> {
        self.records.clone()
    }
}

/// Route 53, and which domain is looked for.
#[derive(Clone, Debug)]
pub struct Zones {
    /// The client.
    pub(crate) route53: Client,
    /// The domain, where there is or was one.
    pub(crate) domain: Option<String>,
    /// Whether the file names it.
    pub(crate) described: bool,
    /// Hosts whose records are ours.
    pub(crate) hosts: Vec<String>,
}

impl Zones {
    /// The zone to use, in a list of one: the public one with the longest name that the domain ends in.
    pub(crate) async fn find(&self, ctx: &Context) -> Result<Vec<Raw>> {
        let Some(domain) = &self.domain else { return Ok(Vec::new()) };
        for candidate in candidates(domain) {
            let list =
                self.route53.list_hosted_zones_by_name().dns_name(&candidate).max_items(10).send().await;
            let list = list.map_err(failed("route53:ListHostedZonesByName"))?;
            let is_public = |zone: &&RawZone| zone.config().is_none_or(|config| !config.private_zone());
            let mut zones =
                list.hosted_zones().iter().filter(|zone| zone.name().trim_end_matches('.') == candidate);
            if let Some(zone) = zones.find(is_public) {
                return Ok(vec![self.describe(ctx, zone.clone()).await?]);
            }
        }
        Ok(Vec::new())
    }

    async fn describe(&self, ctx: &Context, zone: RawZone) -> Result<Raw> {
        let id = plain_id(zone.id());
        let owned = async {
            let tags = self
                .route53
                .list_tags_for_resource()
                .resource_type(TagResourceType::Hostedzone)
                .resource_id(&id)
                .send();
            let tags = tags.await.map_err(failed("route53:ListTagsForResource"))?;
            let tags = tags.resource_tag_set().map(|set| set.tags()).unwrap_or_default();
            Ok(ctx.owned(
                tags.iter().map(|tag| (tag.key().unwrap_or_default(), tag.value().unwrap_or_default())),
            ) == Some(name()))
        };
        // The zone's name servers stand among its records, which are read in any case.
        let records = record_sets::list(&self.route53, &id);
        let (records, tagged) = futures_util::future::try_join(records, owned).await?;
        // A zone takes no tags when it is made: one whose tagging was cut off is ours by its reference.
        let owned = tagged || zone.caller_reference().starts_with(&reference(ctx));
        let foreign_records = records.iter().any(|record| !self.is_expected(record));
        Ok(Raw { zone, records, owned, foreign_records, described: self.described })
    }

    /// NS and SOA of the zone, validation records, and what stands at our hosts.
    fn is_expected(&self, record: &ResourceRecordSet) -> bool {
        match record.r#type() {
            RrType::Ns | RrType::Soa => true,
            // ACM's validation records, ours or another certificate's.
            RrType::Cname => record.name().starts_with('_'),
            _ => {
                self.hosts.iter().any(|host| record.name().trim_end_matches('.') == host)
                    && record.alias_target().is_some()
            }
        }
    }
}

/// `a.b.example.com`, `b.example.com`, `example.com`.
fn candidates(domain: &str) -> Vec<String> {
    let labels: Vec<&str> = domain.split('.').collect();
    (0..labels.len().saturating_sub(1)).map(|at| labels[at..].join(".")).collect()
}

/// What the references of the stack's own zones begin with. Route 53 keeps a reference for ever.
fn reference(ctx: &Context) -> String {
    format!("stepstack:{}:", ctx.stack())
}

/// Without `/hostedzone/`.
pub fn plain_id(id: &str) -> String {
    id.trim_start_matches("/hostedzone/").to_owned()
}

impl Resource for HostedZone {
    type Client = Zones;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::HOSTED_ZONE;
    const USES_THEIRS: bool = true;

    fn permissions(_: &Scope) -> Vec<Permission> {
        let zones = ["arn:aws:route53:::hostedzone/*".to_owned()];
        let reason = "a zone's ARN holds only its random id; ownership is checked by tag before each change";
        vec![
            Permission::unscoped(
                &["route53:ListHostedZonesByName", "route53:CreateHostedZone"],
                "these actions take no resource",
            ),
            Permission {
                reason: Some(reason),
                ..Permission::on(
                    &[
                        "route53:ChangeTagsForResource",
                        "route53:DeleteHostedZone",
                        "route53:ListTagsForResource",
                    ],
                    zones,
                )
            },
        ]
    }

    fn name(&self) -> Name {
        name()
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Zones, _: &Names) -> Result<Vec<Raw>> {
        client.find(ctx).await
    }

    fn identify(ctx: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let id = plain_id(raw.zone.id());
        let identity = if raw.owned { Identity::ours(name(), id) } else { Identity::theirs(name(), id) };
        // Deleting a zone loses its name servers, so even an empty one goes only with consent; and one with
        // records that are not ours never goes.
        let consent = ctx.options.data == DataPolicy::Delete;
        let leaves = raw.owned && !raw.described;
        let identity = match (leaves, raw.foreign_records, consent) {
            (false, _, _) | (true, false, true) => identity,
            (true, true, false) => Identity { data: Data::Held, ..identity },
            (true, true, true) | (true, false, false) => Identity { owner: Owner::Kept, ..identity },
        };
        Some(identity.with("name", raw.domain()).with("name_servers", raw.name_servers().join(",")))
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        Ok(State::Settled(Self { domain: raw.domain().to_owned() }))
    }

    async fn create(self, Call { ctx, client, .. }: Call<Zones>) -> Result<Made> {
        let create = client
            .route53
            .create_hosted_zone()
            .name(&self.domain)
            .caller_reference(format!("{}{}", reference(&ctx), ctx.token(&self.name())))
            .hosted_zone_config(
                HostedZoneConfig::builder().comment(format!("Stepstack: {}", ctx.stack())).build(),
            );
        let zone = match create.send().await.map_err(failed("route53:CreateHostedZone")) {
            Ok(zone) => zone,
            // The same reference: an earlier call of this run made it, and its answer was lost.
            Err(error) if error.kind == ErrorKind::Exists => return Ok(Made::started(self.domain)),
            Err(error) => return Err(error),
        };
        let id = plain_id(zone.hosted_zone().map(RawZone::id).unwrap_or_default());
        let tags = ctx
            .tags(&self.name())
            .into_iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let change = client
            .route53
            .change_tags_for_resource()
            .resource_type(TagResourceType::Hostedzone)
            .resource_id(&id);
        change
            .set_add_tags(Some(tags.collect()))
            .send()
            .await
            .map_err(failed("route53:ChangeTagsForResource"))?;
        let servers = zone.delegation_set().map(|set| set.name_servers()).unwrap_or_default();
        let servers: Vec<&str> = servers.iter().map(|server| server.trim_end_matches('.')).collect();
        Ok(Made::settled(id).with("name", self.domain).with("name_servers", servers.join(",")))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Zones>) -> Result<Gone> {
        let delete = client.route53.delete_hosted_zone().id(id).send().await;
        gone(delete.map_err(failed("route53:DeleteHostedZone")), Gone::Now)
    }
}
