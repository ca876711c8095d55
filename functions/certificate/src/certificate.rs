//! The certificate of all hosts.

use aws::{failed, gone};
use aws_sdk_acm::Client;
use aws_sdk_acm::types::{CertificateDetail, CertificateStatus, Tag, ValidationMethod};
use serde::Serialize;
use statemachine::error::{Optional as _, required};
use statemachine::naming::resource;
use statemachine::permission::{Permission, Scope};
use statemachine::resource::{Call, Context, Gone, Identity, Made, Name, Names, Need, Resource, State};
use statemachine::{Error, Result};

/// An ACM certificate, validated by DNS. Its hosts are its identity: other hosts are another certificate,
/// the listener follows, and the old one is left over.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Certificate {
    /// Sorted; the first is the certificate's own name.
    pub hosts: Vec<String>,
}

/// `certificate/main@hash` of these hosts, in any order.
pub fn name(hosts: &[String]) -> Name {
    let mut hosts = hosts.to_vec();
    hosts.sort();
    Name::hashed(Certificate::KIND, "main", &hosts)
}

/// Certificate Manager, and the hosts that ours may have: its listing shows no tags.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The client.
    pub acm: Client,
    /// Of the file, and of earlier ones. None known: every certificate is looked at.
    pub hosts: Vec<String>,
}

/// A certificate with its tags.
pub struct Raw {
    detail: CertificateDetail,
    owned: Option<Name>,
    /// Hosts that a stranger's certificate in this account has too: the validation record serves both.
    shared: Vec<String>,
}

impl Resource for Certificate {
    type Client = Certificates;
    type Raw = Raw;

    const KIND: &'static str = resource::kind::CERTIFICATE;

    fn permissions(scope: &Scope) -> Vec<Permission> {
        let certificates = scope.arn("acm", "certificate/*");
        vec![
            Permission::unscoped(
                &["acm:ListCertificates", "acm:RequestCertificate"],
                "a listing, and a request for what has no ARN yet: neither takes a resource",
            ),
            Permission {
                reason: Some("a certificate's ARN holds only its random id"),
                ..Permission::on(
                    &["acm:AddTagsToCertificate", "acm:DescribeCertificate", "acm:ListTagsForCertificate"],
                    [certificates.clone()],
                )
            },
            Permission {
                reason: Some("a certificate's ARN holds only its random id: ours are known by their tag"),
                ..Permission::on(&["acm:DeleteCertificate"], [certificates]).when(
                    "StringLike",
                    "aws:ResourceTag/stepstack:stack",
                    [scope.every_stack().stack()],
                )
            },
        ]
    }

    fn name(&self) -> Name {
        name(&self.hosts)
    }

    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    async fn fetch(ctx: &Context, client: &Certificates, _: &Names) -> Result<Vec<Raw>> {
        let pages = client.acm.list_certificates().into_paginator().items().send();
        let listed = pages.collect::<Result<Vec<_>, _>>().await.map_err(failed("acm:ListCertificates"))?;
        let may_be_ours =
            |domain: &str| client.hosts.is_empty() || client.hosts.iter().any(|host| host == domain);
        let candidates = listed.iter().filter(|summary| summary.domain_name().is_some_and(may_be_ours));
        let described = candidates
            .filter_map(|summary| summary.certificate_arn())
            .map(|arn| describe(ctx, &client.acm, arn));
        let described: Vec<Raw> =
            futures_util::future::try_join_all(described).await?.into_iter().flatten().collect();
        let theirs = described.iter().filter(|raw| raw.owned.is_none());
        let shared: Vec<String> =
            theirs.flat_map(|raw| raw.detail.subject_alternative_names()).cloned().collect();
        Ok(described
            .into_iter()
            .filter(|raw| raw.owned.is_some())
            .map(|raw| Raw { shared: shared.clone(), ..raw })
            .collect())
    }

    fn identify(_: &Context, raw: &Raw, _: &Names) -> Option<Identity> {
        let identity = Identity::ours(raw.owned.clone()?, raw.detail.certificate_arn()?);
        let identity = identity.with("shared", raw.shared.join("\n"));
        // The records of all hosts stand in one text; there is none for some seconds after the request.
        let options = raw.detail.domain_validation_options().iter();
        let records: Vec<String> = options
            .filter_map(|option| {
                option
                    .resource_record()
                    .map(|record| format!("{} {} {}", option.domain_name(), record.name(), record.value()))
            })
            .collect();
        let complete = !records.is_empty() && records.len() == raw.detail.domain_validation_options().len();
        Some(if complete { identity.with("validation", records.join("\n")) } else { identity })
    }

    fn read(raw: Raw, _: &Names) -> Result<State<Self>> {
        let mut hosts = raw.detail.subject_alternative_names().to_vec();
        hosts.extend(raw.detail.domain_name().map(str::to_owned));
        hosts.sort();
        hosts.dedup();
        let found = Self { hosts };
        match raw.detail.status() {
            Some(CertificateStatus::Issued) => Ok(State::Settled(found)),
            Some(CertificateStatus::PendingValidation) => Ok(State::Changing(Some(found))),
            Some(
                status @ (CertificateStatus::Failed
                | CertificateStatus::ValidationTimedOut
                | CertificateStatus::Expired
                | CertificateStatus::Revoked
                | CertificateStatus::Inactive),
            ) => {
                let reason = raw
                    .detail
                    .failure_reason()
                    .map_or_else(|| status.as_str().to_owned(), |reason| reason.as_str().to_owned());
                Ok(State::Failed(reason))
            }
            other => {
                Err(Error::unknown_status("certificate", other.map_or("none", CertificateStatus::as_str)))
            }
        }
    }

    async fn create(self, Call { ctx, client, .. }: Call<Certificates>) -> Result<Made> {
        let name = self.name();
        let tags =
            ctx.tags(&name).into_iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let tags = tags.collect::<Result<Vec<_>, _>>().map_err(|error| Error::internal(error.to_string()))?;
        let first = self.hosts.first().ok_or_else(|| Error::internal("a certificate has a host"))?;
        let others = self.hosts[1..].to_vec();
        let request = client
            .acm
            .request_certificate()
            .domain_name(first)
            .set_subject_alternative_names((!others.is_empty()).then_some(others))
            .validation_method(ValidationMethod::Dns)
            // At most 32 word characters, good for an hour.
            .idempotency_token(ctx.token(&name))
            .set_tags(Some(tags));
        let made = request.send().await.map_err(failed("acm:RequestCertificate"))?;
        let arn = required(made.certificate_arn(), "certificate", "an ARN")?;
        Ok(Made::started(arn))
    }

    async fn delete(id: String, _: Option<Self>, Call { client, .. }: Call<Certificates>) -> Result<Gone> {
        gone(
            client
                .acm
                .delete_certificate()
                .certificate_arn(id)
                .send()
                .await
                .map_err(failed("acm:DeleteCertificate")),
            Gone::Now,
        )
    }
}

async fn describe(ctx: &Context, acm: &Client, arn: &str) -> Result<Option<Raw>> {
    let detail = async {
        let detail = acm
            .describe_certificate()
            .certificate_arn(arn)
            .send()
            .await
            .map_err(failed("acm:DescribeCertificate"));
        detail.optional()
    };
    let tags = async {
        let tags = acm.list_tags_for_certificate().certificate_arn(arn).send().await;
        tags.map_err(failed("acm:ListTagsForCertificate")).optional()
    };
    let (detail, tags) = futures_util::future::try_join(detail, tags).await?;
    let tags = tags.and_then(|tags| tags.tags).unwrap_or_default();
    let owned = ctx.owned(tags.iter().map(|tag| (tag.key(), tag.value().unwrap_or_default())));
    let detail = detail.and_then(|answer| answer.certificate);
    Ok(detail.map(|detail| Raw { detail, owned, shared: Vec::new() }))
}
