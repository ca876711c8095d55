//! Plans of the stage: in sync, over an empty account, in a zone of somebody else's, with one thing changed, with
//! everything removed, and while ACM or the domain's owner is waited for.

mod world;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aws::Function as _;
use aws_sdk_acm::types::{CertificateStatus, FailureReason};
use aws_sdk_route53::types::RrType;
use certificate::Clients;
use certificate::delegation::{Delegation, Resolver};
use futures_util::future::BoxFuture;
use statemachine::Result;
use statemachine::message::{Document, Mode, Operation, StageReport, Status};
use statemachine::owner::Owner as _;
use statemachine::permission::policy;
use statemachine::plan::Progress;
use statemachine::resource::{Context, DataPolicy, Name, Options};
use statemachine::tick::{Hold, Input, Link, PARKED, tick};
use testing::{context, scope, stack, whole};

use world::{HOST, SERVERS, World, alias, arn, private_zone, record, validation};

const FILE: &str = r#"
app = "arive"
environment = "production"
domain = "tryarive.com"
[network]
egress = "nat"
[services.api]
port = 8000
"#;

/// These looks write nothing; the lock is theirs.
struct Held;

impl Link for Held {
    fn hold(&self) -> BoxFuture<'_, Result<Hold>> {
        Box::pin(async { Ok(Hold::Yes) })
    }
    fn notes(&self) -> BoxFuture<'_, Result<BTreeMap<Name, u64>>> {
        unreachable!("nothing of the stage lacks a token")
    }
    fn note(&self, _: BTreeMap<Name, u64>) -> BoxFuture<'_, Result<()>> {
        unreachable!("nothing of the stage lacks a token")
    }
}

/// A public DNS with one answer.
struct Dns(Delegation);

impl Resolver for Dns {
    fn delegation<'a>(&'a self, zone: &'a str, servers: &'a [String]) -> BoxFuture<'a, Delegation> {
        assert_eq!((zone, servers), ("tryarive.com", SERVERS.map(str::to_owned).as_slice()));
        Box::pin(async { self.0.clone() })
    }
}

/// A run over this file; without one it removes everything.
#[derive(Clone)]
struct Asked<'a> {
    file: Option<&'a str>,
    /// Hosts of earlier files.
    known: &'a [&'a str],
    data: DataPolicy,
    mode: Mode,
    dns: Delegation,
}

impl Default for Asked<'_> {
    fn default() -> Self {
        let (known, data) = (&[HOST][..], DataPolicy::default());
        Self { file: None, known, data, mode: Mode::Plan, dns: Delegation::Here }
    }
}

impl<'a> Asked<'a> {
    fn of(file: &'a str) -> Self {
        Self { file: Some(file), known: &[], ..Self::default() }
    }

    fn removal(data: DataPolicy) -> Self {
        Self { data, ..Self::default() }
    }
}

async fn look(world: &World, asked: Asked<'_>) -> StageReport {
    try_look(world, asked).await.expect("the look")
}

async fn try_look(world: &World, asked: Asked<'_>) -> Result<StageReport> {
    let Asked { file, known, data, mode, dns } = asked;
    let options = Options { data, ..Options::default() };
    let ctx = Context { options, ..context(statemachine::Stage::Certificate) };
    let stack = file.map(stack);
    let known_hosts = known.iter().map(|host| (*host).to_owned()).collect();
    let document = Document { known_hosts, ..testing::document(Operation::Plan, stack) };
    let resources = world.clients().describe(&ctx, &document, &Dns(dns)).await?;
    // Whatever a run asks for, all that the function lists is looked at: what it may do is what it uses.
    assert_eq!(resources.kinds(), Clients::kinds());
    tick(resources, &ctx, mode, Input::default(), &Held).await
}

async fn plan(world: &World, asked: Asked<'_>) -> String {
    whole(&look(world, asked).await)
}

fn main_certificate() -> Name {
    certificate::certificate::name(&[HOST.to_owned()])
}

#[tokio::test]
async fn in_sync_nothing_changes() {
    for world in [World::in_sync(), World::in_our_zone()] {
        let report = look(&world, Asked::of(FILE)).await;
        assert_eq!(whole(&report), "");
        assert_eq!(report.names.id(&main_certificate()), Some(arn("ours").as_str()));
        let zone = Name::new("hosted-zone", "main");
        assert_eq!(report.names.id(&zone), Some("Z2"));
        assert_eq!(report.names.attribute(&zone, "name_servers"), Some(SERVERS.join(",").as_str()));
    }
}

#[tokio::test]
async fn an_empty_account_gets_everything() {
    insta::assert_snapshot!("empty", plan(&World::default(), Asked::of(FILE)).await);
}

#[tokio::test]
async fn a_zone_that_exists_is_used() {
    insta::assert_snapshot!("used_zone", plan(&World::with_zone(), Asked::of(FILE)).await);
    // A domain below it uses it too; a private zone of the very name is not one that the world sees.
    let mut world = World::with_zone();
    world.zones.insert(0, private_zone("Z9", "app.tryarive.com."));
    let file = FILE.replace("tryarive.com", "app.tryarive.com");
    let report = look(&world, Asked::of(&file)).await;
    assert_eq!(report.names.attribute(&Name::new("hosted-zone", "main"), "name"), Some("tryarive.com"));
    assert!(!whole(&report).contains("+ hosted-zone"), "{}", whole(&report));
    assert!(whole(&report).contains("api.app.tryarive.com"), "{}", whole(&report));
}

#[tokio::test]
async fn without_a_domain_nothing_is_wanted() {
    let file = FILE.replace("domain = \"tryarive.com\"\n", "");
    assert_eq!(plan(&World::with_zone(), Asked::of(&file)).await, "");
}

#[tokio::test]
async fn what_was_deleted_by_hand_is_made_again() {
    let mut world = World::in_sync();
    world.records.pop();
    insta::assert_snapshot!("record_deleted", plan(&world, Asked::of(FILE)).await);
    let mut world = World::in_sync();
    world.certificates.clear();
    insta::assert_snapshot!("certificate_deleted", plan(&world, Asked::of(FILE)).await);
}

/// A record of the right name with another value validates nothing: AWS refuses ours beside it, and says so.
#[tokio::test]
async fn a_record_with_another_value_is_none_of_ours() {
    let mut world = World::in_sync();
    world.records.pop();
    world.records.push(record(&format!("_x.{HOST}."), RrType::Cname, &["elsewhere.".to_owned()]));
    let plan = plan(&world, Asked::of(FILE)).await;
    assert!(plan.starts_with("+ record/validation-api.tryarive.com"), "{plan}");
}

#[tokio::test]
async fn other_hosts_are_another_certificate() {
    let file = format!("{FILE}[services.admin]\nport = 9000\n");
    insta::assert_snapshot!("other_hosts", plan(&World::in_sync(), Asked::of(&file)).await);
    // Its record serves the old one too: once ACM has told that, nothing is to change about it. Whichever of the
    // two names comes first.
    let both = ["admin.tryarive.com", HOST];
    let mut world = World::in_sync();
    world.add_certificate("new", &both, CertificateStatus::PendingValidation);
    assert!(!plan(&world, Asked::of(&file)).await.contains("record/validation-api"));
    let back = plan(&world, Asked { known: &both, ..Asked::of(FILE) }).await;
    assert!(!back.contains("record/validation-api"), "{back}");
    // Afterwards the new one is there too, and the old one alone is left over: its record serves both.
    let mut world = World::in_sync();
    world.add_certificate("new", &both, CertificateStatus::Issued);
    world.records.push(validation("admin.tryarive.com"));
    let left_over = plan(&world, Asked { known: &both, ..Asked::of(&file) }).await;
    assert_eq!(left_over, format!("- {}\n", main_certificate()));
}

#[tokio::test]
async fn until_it_is_issued_the_certificate_is_waited_for() {
    let mut world = World::in_sync();
    world.certificate("ours").0.status = Some(CertificateStatus::PendingValidation);
    insta::assert_snapshot!("pending", plan(&world, Asked::of(FILE)).await);
    let make = Asked { mode: Mode::Make, ..Asked::of(FILE) };
    assert_eq!(look(&world, make.clone()).await.status, Status::NotReady);
    // ACM takes some seconds to say how it wants to be shown the domain: the record is for later.
    world.records.pop();
    world.certificate("ours").0.domain_validation_options = None;
    insta::assert_snapshot!("not_told_yet", plan(&world, Asked::of(FILE)).await);
    let report = look(&world, make).await;
    assert_eq!((report.status, report.failure), (Status::NotReady, None));
}

/// Nobody else can point the domain here, so nothing waits for that: the run ends, and says what to do.
#[tokio::test]
async fn a_domain_that_is_elsewhere_parks_its_certificate() {
    let mut world = World::in_sync();
    world.certificate("ours").0.status = Some(CertificateStatus::PendingValidation);
    let elsewhere = Delegation::Elsewhere(vec!["ns1.other.example".to_owned()]);
    let make = |dns| Asked { mode: Mode::Make, dns, ..Asked::of(FILE) };
    let report = look(&world, make(elsewhere.clone())).await;
    assert_eq!(report.status, Status::Ready);
    let parked = report.items.iter().find(|item| item.name == main_certificate()).expect("the certificate");
    assert_eq!(parked.progress, Progress::Parked);
    insta::assert_snapshot!("parked", whole(&report));
    assert!(report.names.attribute(&main_certificate(), PARKED).is_some());
    // No answer is not "fine", and no reason to give up either.
    let report = look(&world, make(Delegation::NotChecked("no answer".to_owned()))).await;
    assert_eq!(report.status, Status::NotReady);
    // Once issued, nobody has to do anything.
    let report = look(&World::in_sync(), make(elsewhere)).await;
    assert_eq!((report.status, whole(&report)), (Status::Ready, String::new()));
}

#[tokio::test]
async fn a_certificate_that_failed_is_made_again() {
    let mut world = World::in_sync();
    let detail = &mut world.certificate("ours").0;
    (detail.status, detail.failure_reason) = (Some(CertificateStatus::Failed), Some(FailureReason::CaaError));
    insta::assert_snapshot!("failed", plan(&world, Asked::of(FILE)).await);
    world.certificate("ours").0.failure_reason = None;
    world.certificate("ours").0.status = Some(CertificateStatus::Expired);
    assert!(plan(&world, Asked::of(FILE)).await.contains("EXPIRED"));
}

#[tokio::test]
async fn a_removal_leaves_a_zone_that_was_only_used() {
    let gone = format!("- {}\n- record/validation-api.tryarive.com\n", main_certificate());
    for data in [DataPolicy::Refuse, DataPolicy::Snapshot, DataPolicy::Keep, DataPolicy::Delete] {
        assert_eq!(plan(&World::in_sync(), Asked::removal(data)).await, gone, "{data:?}");
    }
    assert_eq!(plan(&World::with_zone(), Asked::removal(DataPolicy::Delete)).await, "");
}

/// Deleting a zone loses its name servers: it goes with consent alone, and never with somebody's records in it.
#[tokio::test]
async fn our_zone_goes_with_consent_and_only_when_nobody_else_is_in_it() {
    let mut text = String::new();
    let mut with_alias = World::in_our_zone();
    with_alias.records.push(alias(HOST));
    let mut with_mail = World::in_our_zone();
    with_mail.records.push(record("mail.tryarive.com.", RrType::Mx, &["10 mail.example".to_owned()]));
    let worlds = [("ours alone", World::in_our_zone()), ("our alias", with_alias), ("their mail", with_mail)];
    for (what, world) in worlds {
        for data in [DataPolicy::Snapshot, DataPolicy::Keep, DataPolicy::Delete] {
            let plan = plan(&world, Asked::removal(data)).await;
            writeln!(text, "{what}, {data:?}:\n{plan}").expect("writing to a string");
        }
    }
    insta::assert_snapshot!("zone_removed", text);
}

/// The same record validates every certificate of the host in the account (aws-facts.md section 2, row 41).
#[tokio::test]
async fn a_record_that_another_certificate_lives_by_stays() {
    let mut world = World::in_sync();
    world.add_certificate("theirs", &[HOST], CertificateStatus::Issued);
    world.certificate("theirs").1.clear();
    assert_eq!(plan(&world, Asked::of(FILE)).await, "");
    let plan = plan(&world, Asked::removal(DataPolicy::Delete)).await;
    assert_eq!(plan, format!("- {}\n", main_certificate()));
}

#[tokio::test]
async fn another_environment_s_certificate_is_none_of_ours() {
    let mut world = World::in_sync();
    for (_, value) in &mut world.certificate("ours").1 {
        *value = value.replace("arive/production", "arive/staging");
    }
    assert!(plan(&world, Asked::of(FILE)).await.starts_with(&format!("+ {}", main_certificate())));
    assert_eq!(plan(&world, Asked::removal(DataPolicy::Delete)).await, "");
}

#[tokio::test]
async fn an_unlisted_status_is_an_error_and_not_probably_fine() {
    let mut world = World::in_sync();
    world.certificate("ours").0.status = Some("PONDERING".into());
    let error = try_look(&world, Asked::of(FILE)).await.expect_err("AWS says something new");
    insta::assert_snapshot!("unlisted_status", error);
}

#[test]
fn the_role_s_policy_is_narrow() {
    let permissions = Clients::permissions(&scope());
    for permission in &permissions {
        assert!(permission.actions.iter().all(|action| !action.contains('*')), "{permission:?}");
        let anything = |resource: &String| resource == "*" || resource.ends_with("/*");
        assert_eq!(permission.resources.iter().any(anything), permission.reason.is_some(), "{permission:?}");
    }
    let document = policy(&permissions).to_string();
    assert!(document.len() < 8_000, "{}", document.len());
    // The zone's name servers stand among its records.
    assert!(!document.contains("GetHostedZone"), "{document}");
}
