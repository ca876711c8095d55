//! The calls of records whose order or settings matter.

use std::sync::{Arc, Mutex};

use aws_sdk_route53::Client;
use aws_sdk_route53::error::ErrorMetadata;
use aws_sdk_route53::operation::change_resource_record_sets::{
    ChangeResourceRecordSetsError, ChangeResourceRecordSetsInput, ChangeResourceRecordSetsOutput,
};
use aws_sdk_route53::operation::list_resource_record_sets::ListResourceRecordSetsOutput;
use aws_sdk_route53::primitives::DateTime;
use aws_sdk_route53::types::{ChangeInfo, ChangeStatus, ResourceRecord, ResourceRecordSet, RrType};
use aws_smithy_mocks::{Rule, mock};
use certificate::record::{Kind, Record, Records};
use statemachine::ErrorKind;
use statemachine::resource::{Call, Made, Name, Names, Resource as _};
use testing::{any_order, client, context};

const HOST: &str = "api.tryarive.com";

fn names() -> Names {
    let mut names = Names::default();
    names.insert(Name::new("hosted-zone", "main"), "Z2");
    let balancer = [
        ("dns_name", "arive-production-1.us-east-1.elb.amazonaws.com".to_owned()),
        ("zone_id", "Z35SXDOTRQ7X7K".to_owned()),
    ];
    names.insert_with(&Name::new("load-balancer", "main"), "arn", &balancer);
    names
}

/// Changes what stands there as `id` in a zone with this record; answers what was sent, a word each.
async fn update(id: &str, found: ResourceRecordSet) -> (Made, Vec<String>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&sent);
    let change = mock!(Client::change_resource_record_sets).then_compute_output(
        move |input: &ChangeResourceRecordSetsInput| {
            let changes = input.change_batch().map(|batch| batch.changes()).unwrap_or_default();
            let words = changes.iter().map(|change| {
                let record = change.resource_record_set().expect("a record set");
                format!("{} {} {}", change.action().as_str(), record.r#type().as_str(), record.name())
            });
            log.lock().expect("one thread").push(words.collect::<Vec<_>>().join(", "));
            let info = ChangeInfo::builder().id("C1").status(ChangeStatus::Pending);
            let info = info.submitted_at(DateTime::from_secs(0)).build().expect("an answer");
            ChangeResourceRecordSetsOutput::builder().change_info(info).build()
        },
    );
    let list = mock!(Client::list_resource_record_sets).then_output(move || {
        let page = ListResourceRecordSetsOutput::builder().resource_record_sets(found.clone());
        page.is_truncated(false).max_items(300).build().expect("a page")
    });
    let records = records(&[change, list]);
    let record = Record::new(HOST, Kind::Alias { load_balancer: Name::new("load-balancer", "main") });
    let now = Record::new(HOST, Kind::Alias { load_balancer: Name::foreign("elsewhere") });
    let made = record
        .update(
            now,
            id.to_owned(),
            Call { ctx: context(statemachine::Stage::Services), client: records, names: names() },
        )
        .await;
    let sent = sent.lock().expect("one thread").clone();
    (made.expect("a change"), sent)
}

/// The client of records over these answers.
fn records(rules: &[Rule]) -> Records {
    let hosts = vec![HOST.to_owned()];
    Records::new(&client!(aws_sdk_route53, any_order(rules)), hosts.clone(), hosts)
}

fn set(kind: RrType, value: &str) -> ResourceRecordSet {
    let value = ResourceRecord::builder().value(value).build().expect("a value");
    let set = ResourceRecordSet::builder().name(format!("{HOST}.")).r#type(kind).ttl(300);
    set.resource_records(value).build().expect("a record set")
}

#[tokio::test]
async fn an_address_that_leads_elsewhere_is_led_here() {
    let (made, sent) = update("A api.tryarive.com", set(RrType::A, "203.0.113.7")).await;
    assert_eq!(
        (made.id.as_str(), sent),
        ("A api.tryarive.com", vec!["UPSERT A api.tryarive.com".to_owned()])
    );
}

/// Nothing may stand beside a CNAME, and between two calls nothing would stand there at all.
#[tokio::test]
async fn a_cname_that_is_taken_over_goes_as_the_alias_comes() {
    let (made, sent) = update("CNAME api.tryarive.com", set(RrType::Cname, "old.example")).await;
    assert_eq!(made.id, "A api.tryarive.com");
    assert_eq!(sent, ["DELETE CNAME api.tryarive.com., UPSERT A api.tryarive.com"]);
}

/// The answer to a create was lost and the SDK sends it again: what stands there already may be ours.
#[tokio::test]
async fn an_alias_that_exists_already_is_looked_at_again() {
    let said =
        "[Tried to create resource record set [name='api.tryarive.com.', type='A'] but it already exists]";
    let change = mock!(Client::change_resource_record_sets).then_error(move || {
        let error = ErrorMetadata::builder().code("InvalidChangeBatch").message(said).build();
        ChangeResourceRecordSetsError::generic(error)
    });
    let record = Record::new(HOST, Kind::Alias { load_balancer: Name::new("load-balancer", "main") });
    let made = record
        .create(Call {
            ctx: context(statemachine::Stage::Services),
            client: records(&[change]),
            names: names(),
        })
        .await;
    assert_eq!(made.map_err(|error| error.kind).expect_err("it is refused"), ErrorKind::NotReady);
}
