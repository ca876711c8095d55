//! The record sets of a zone: all of them, and changes of some.

use aws::failed;
use aws_sdk_route53::Client;
use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet, RrType};
use statemachine::{Error, ErrorKind, Result};

/// `A api.tryarive.com`
pub(crate) fn id_of(set: &ResourceRecordSet) -> String {
    format!("{} {}", set.r#type().as_str(), set.name().trim_end_matches('.'))
}

/// Sends changes of a zone that are made all at once, or not at all.
pub(crate) async fn change(
    route53: &Client,
    zone: &str,
    changes: impl IntoIterator<Item = (ChangeAction, ResourceRecordSet)>,
) -> Result<()> {
    let internal = |error: aws_sdk_route53::error::BuildError| Error::internal(error.to_string());
    let one = |(action, set)| Change::builder().action(action).resource_record_set(set).build();
    let changes = changes.into_iter().map(one).collect::<Result<Vec<_>, _>>().map_err(internal)?;
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(internal)?;
    let change = route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch).send().await;
    match change.map_err(failed("route53:ChangeResourceRecordSets")) {
        Ok(_) => Ok(()),
        Err(error)
            if error.message.contains("not found") && error.code.as_deref() == Some("InvalidChangeBatch") =>
        {
            Err(Error { kind: ErrorKind::Missing, ..error })
        }
        Err(error) => Err(error),
    }
}

/// All record sets of a zone.
pub(crate) async fn list(route53: &Client, zone: &str) -> Result<Vec<ResourceRecordSet>> {
    let mut sets = Vec::new();
    let (mut name, mut kind, mut identifier): (Option<String>, Option<RrType>, Option<String>) =
        (None, None, None);
    loop {
        let page = route53
            .list_resource_record_sets()
            .hosted_zone_id(zone)
            .set_start_record_name(name)
            .set_start_record_type(kind)
            .set_start_record_identifier(identifier)
            .send()
            .await
            .map_err(failed("route53:ListResourceRecordSets"))?;
        sets.extend(page.resource_record_sets().iter().cloned());
        if !page.is_truncated() {
            return Ok(sets);
        }
        name = page.next_record_name().map(str::to_owned);
        kind = page.next_record_type().cloned();
        identifier = page.next_record_identifier().map(str::to_owned);
    }
}
