//! Route 53 and Certificate Manager as they stand when the certificate of the reference stack is as described.
//! Tests change one thing in it.

use std::collections::BTreeMap;

use aws_sdk_acm::operation::describe_certificate::{DescribeCertificateError, DescribeCertificateOutput};
use aws_sdk_acm::operation::list_certificates::ListCertificatesOutput;
use aws_sdk_acm::operation::list_tags_for_certificate::ListTagsForCertificateOutput;
use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateSummary, DomainValidation, RecordType,
    ResourceRecord as AcmRecord, Tag as AcmTag,
};
use aws_sdk_route53::operation::list_hosted_zones_by_name::ListHostedZonesByNameOutput;
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;
use aws_sdk_route53::operation::list_tags_for_resource::ListTagsForResourceOutput;
use aws_sdk_route53::types::{
    AliasTarget, HostedZone, HostedZoneConfig, ResourceRecord, ResourceRecordSet, ResourceTagSet, RrType,
    Tag, TagResourceType,
};
use aws_smithy_mocks::{MockResponse, Rule, mock};
use certificate::Clients;
use statemachine::resource::Name;
use testing::{any_order, client, context, said};

/// The one public host of the reference stack.
pub(crate) const HOST: &str = "api.tryarive.com";
/// The zone's name servers.
pub(crate) const SERVERS: [&str; 2] = ["ns-1.awsdns-00.com", "ns-2.awsdns-01.net"];

/// What the two services have.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    pub(crate) zones: Vec<HostedZone>,
    /// Of zones, by id.
    pub(crate) zone_tags: BTreeMap<String, Vec<(String, String)>>,
    /// Of the zone that is found.
    pub(crate) records: Vec<ResourceRecordSet>,
    /// By ARN, with tags.
    pub(crate) certificates: BTreeMap<String, (CertificateDetail, Vec<(String, String)>)>,
}

impl World {
    /// A zone that somebody else has made, with a record of theirs, and nothing of ours.
    pub(crate) fn with_zone() -> Self {
        let mut world = Self::default();
        world.zones.push(zone("Z2", "tryarive.com."));
        world.records.push(record("tryarive.com.", RrType::Ns, &SERVERS.map(|server| format!("{server}."))));
        world.records.push(record("tryarive.com.", RrType::Soa, &["ns-1.awsdns-00.com. x 1".to_owned()]));
        world.records.push(record("mail.tryarive.com.", RrType::Mx, &["10 mail.example".to_owned()]));
        world
    }

    /// The same zone with our certificate, issued, and its validation record.
    pub(crate) fn in_sync() -> Self {
        let mut world = Self::with_zone();
        world.add_certificate("ours", &[HOST], CertificateStatus::Issued);
        world.records.push(validation(HOST));
        world
    }

    /// The same in a zone that is ours, and in which nobody else has a record.
    pub(crate) fn in_our_zone() -> Self {
        let mut world = Self::in_sync();
        world.zone_tags.insert("Z2".to_owned(), tags(&Name::new("hosted-zone", "main")));
        world.records.retain(|record| record.r#type() != &RrType::Mx);
        world
    }

    /// A certificate of ours, by the last part of its ARN.
    pub(crate) fn add_certificate(&mut self, id: &str, hosts: &[&str], status: CertificateStatus) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let record = |host: &String| {
            let record = AcmRecord::builder()
                .name(format!("_x.{host}."))
                .r#type(RecordType::Cname)
                .value(format!("_y.{host}.acm-validations.aws."));
            let record = record.build().expect("a record");
            DomainValidation::builder()
                .domain_name(host)
                .resource_record(record)
                .build()
                .expect("a validation")
        };
        let detail = CertificateDetail::builder()
            .certificate_arn(arn(id))
            .domain_name(&hosts[0])
            .set_subject_alternative_names(Some(hosts.clone()))
            .set_domain_validation_options(Some(hosts.iter().map(record).collect()))
            .status(status);
        let tags = tags(&certificate::certificate::name(&hosts));
        self.certificates.insert(arn(id), (detail.build(), tags));
    }

    pub(crate) fn certificate(&mut self, id: &str) -> &mut (CertificateDetail, Vec<(String, String)>) {
        self.certificates.get_mut(&arn(id)).expect("a certificate of that id")
    }

    /// Clients that answer from this world, and nothing but reading calls.
    pub(crate) fn clients(&self) -> Clients {
        Clients {
            acm: client!(aws_sdk_acm, any_order(&self.acm())),
            route53: client!(aws_sdk_route53, any_order(&self.route53())),
            emulated: true,
        }
    }

    fn acm(&self) -> Vec<Rule> {
        let certificates = self.certificates.clone();
        let summaries: Vec<_> = certificates
            .iter()
            .map(|(arn, (detail, _))| {
                let domain = detail.domain_name.clone();
                CertificateSummary::builder().certificate_arn(arn).set_domain_name(domain).build()
            })
            .collect();
        let tagged = certificates.clone();
        vec![
            mock!(aws_sdk_acm::Client::list_certificates).then_output(move || {
                let summaries = Some(summaries.clone());
                ListCertificatesOutput::builder().set_certificate_summary_list(summaries).build()
            }),
            mock!(aws_sdk_acm::Client::describe_certificate).then_compute_response(move |request| {
                match certificates.get(request.certificate_arn().unwrap_or_default()) {
                    Some((detail, _)) => MockResponse::Output(
                        DescribeCertificateOutput::builder().certificate(detail.clone()).build(),
                    ),
                    None => MockResponse::Error(DescribeCertificateError::generic(said(
                        "ResourceNotFoundException",
                    ))),
                }
            }),
            mock!(aws_sdk_acm::Client::list_tags_for_certificate).then_compute_output(move |request| {
                let tags = tagged.get(request.certificate_arn().unwrap_or_default());
                let tag = |(key, value): &(String, String)| {
                    AcmTag::builder().key(key).value(value).build().expect("a tag")
                };
                let tags = tags.map(|(_, tags)| tags.iter().map(tag).collect());
                ListTagsForCertificateOutput::builder().set_tags(tags).build()
            }),
        ]
    }

    fn route53(&self) -> Vec<Rule> {
        let (zones, tags, records) = (self.zones.clone(), self.zone_tags.clone(), self.records.clone());
        vec![
            mock!(aws_sdk_route53::Client::list_hosted_zones_by_name).then_output(move || {
                ListHostedZonesByNameOutput::builder()
                    .set_hosted_zones(Some(zones.clone()))
                    .is_truncated(false)
                    .max_items(10)
                    .build()
                    .expect("a listing")
            }),
            mock!(aws_sdk_route53::Client::list_tags_for_resource).then_compute_output(move |request| {
                let id = request.resource_id().unwrap_or_default();
                let tag = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
                let tags = tags.get(id).map(|tags| tags.iter().map(tag).collect());
                let set = ResourceTagSet::builder()
                    .resource_type(TagResourceType::Hostedzone)
                    .resource_id(id)
                    .set_tags(tags);
                ListTagsForResourceOutput::builder().resource_tag_set(set.build()).build()
            }),
            // Two pages, so that a look at the first alone would miss the rest.
            mock!(aws_sdk_route53::Client::list_resource_record_sets).then_compute_output(move |request| {
                let page = ListResourceRecordSetsOutput::builder().max_items(2);
                let half = records.len().min(2);
                let page = match (request.start_record_name(), records.get(half)) {
                    (None, Some(next)) => page
                        .set_resource_record_sets(Some(records[..half].to_vec()))
                        .is_truncated(true)
                        .next_record_name(next.name())
                        .next_record_type(next.r#type().clone()),
                    (None, None) => page.set_resource_record_sets(Some(records.clone())).is_truncated(false),
                    (Some(_), _) => {
                        page.set_resource_record_sets(Some(records[half..].to_vec())).is_truncated(false)
                    }
                };
                page.build().expect("a page")
            }),
        ]
    }
}

pub(crate) fn arn(id: &str) -> String {
    format!("arn:aws:acm:us-east-1:123456789012:certificate/{id}")
}

fn tags(name: &Name) -> Vec<(String, String)> {
    context(statemachine::Stage::Certificate).tags(name)
}

pub(crate) fn zone(id: &str, name: &str) -> HostedZone {
    zone_with(id, name, HostedZoneConfig::builder().private_zone(false).build())
}

pub(crate) fn private_zone(id: &str, name: &str) -> HostedZone {
    zone_with(id, name, HostedZoneConfig::builder().private_zone(true).build())
}

fn zone_with(id: &str, name: &str, config: HostedZoneConfig) -> HostedZone {
    let zone = HostedZone::builder().id(format!("/hostedzone/{id}")).name(name).caller_reference("x");
    zone.config(config).build().expect("a zone")
}

pub(crate) fn record(name: &str, kind: RrType, values: &[String]) -> ResourceRecordSet {
    let value = |value: &String| ResourceRecord::builder().value(value).build().expect("a value");
    let values = values.iter().map(value).collect();
    let set = ResourceRecordSet::builder().name(name).r#type(kind).ttl(300);
    set.set_resource_records(Some(values)).build().expect("a record set")
}

/// The record that validates certificates of this host.
pub(crate) fn validation(host: &str) -> ResourceRecordSet {
    record(&format!("_x.{host}."), RrType::Cname, &[format!("_y.{host}.acm-validations.aws.")])
}

/// The record that leads a host to a load balancer.
pub(crate) fn alias(host: &str) -> ResourceRecordSet {
    let target = AliasTarget::builder()
        .dns_name("arive-production-1.us-east-1.elb.amazonaws.com.")
        .hosted_zone_id("Z35SXDOTRQ7X7K")
        .evaluate_target_health(false)
        .build()
        .expect("a target");
    let set = ResourceRecordSet::builder().name(format!("{host}.")).r#type(RrType::A).alias_target(target);
    set.build().expect("a record set")
}
