//! What holds data is deleted behind the provisioner's back. AWS keeps what still holds something; of what is gone
//! anyway, the plan says what is made anew and who follows it, and one apply does it. A database is made anew only
//! with consent: it would be empty.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use aws_sdk_rds::Client as Rds;
use aws_sdk_s3::Client as S3;

use crate::harness::Emulator;
use crate::lifecycle::{changed, example, without_hashes};

const UPLOADS: &str = "arive-uploads-production";
const PASSWORD: &str = "arive/production/database-password";
const CLUSTER: &str = "arive-production-1";

/// Where the tasks take the database's URL from another place: another revision, and the services go over to it.
pub(crate) const FOLLOWERS: [&str; 6] = [
    "create task-definition/api",
    "create task-definition/worker",
    "delete task-definition/api",
    "delete task-definition/worker",
    "update service/api",
    "update service/worker",
];

#[tokio::test]
async fn what_held_data_is_made_anew_and_all_that_depends_on_it_follows() {
    let emulator = Emulator::start();
    let file = example();
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    let secrets = aws_sdk_secretsmanager::Client::new(&emulator.config());
    let rds = Rds::new(&emulator.config());

    // AWS deletes neither a bucket with an upload in it nor a protected cluster.
    let s3 = emulator.s3();
    let put = s3.put_object().bucket(UPLOADS).key("photo").body(b"x".to_vec().into());
    let version = put.send().await.expect("an upload").version_id().expect("it is versioned").to_owned();
    let refused = s3.delete_bucket().bucket(UPLOADS).send().await.expect_err("it holds an object");
    assert_eq!(refused.into_service_error().meta().code(), Some("BucketNotEmpty"));
    let delete = rds.delete_db_cluster().db_cluster_identifier(CLUSTER).skip_final_snapshot(true);
    delete.send().await.expect_err("it is protected and has an instance");
    is_mended(&emulator, &file, &[], &["apply", "--yes"]);

    // The bucket, emptied first, and the password: the cluster gets another one.
    remove_bucket(&s3, &version).await;
    let before = value(&secrets).await;
    let delete = secrets.delete_secret().secret_id(PASSWORD).force_delete_without_recovery(true);
    delete.send().await.expect("the secret goes");
    let lines = ["create bucket/uploads", "create secret/database-password", "update db-cluster/main"];
    is_mended(&emulator, &file, &lines, &["apply", "--yes"]);
    let after = value(&secrets).await;
    assert!(before != after, "a password that is gone cannot be read back: another is made");

    // The cluster with its instance; the password is the one that there is.
    remove_cluster(&rds).await;
    let refused = emulator.stepstack(&file, &["apply", "--yes"]).expect(4);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in ["The database arive-production-1 is gone", "stepstack snapshot restore", "--delete-data"] {
        assert!(said.contains(part), "it says {part:?}: {said}");
    }
    assert!(rds.describe_db_clusters().send().await.expect("clusters").db_clusters().is_empty());
    let lines = ["create db-cluster/main", "create db-instance/main"];
    is_mended(&emulator, &file, &lines, &["apply", "--yes", "--delete-data"]);
    assert!(value(&secrets).await == after, "the new cluster takes the password that is there");
    let clusters = rds.describe_db_clusters().send().await.expect("clusters");
    let cluster = &clusters.db_clusters()[0];
    assert_eq!(cluster.db_cluster_identifier(), Some(CLUSTER));
    assert_eq!((cluster.deletion_protection(), cluster.storage_encrypted()), (Some(true), Some(true)));
}

/// The plan shows these lines, with those that follow a database, and no other; one apply does it all.
#[track_caller]
fn is_mended(emulator: &Emulator, file: &Path, lines: &[&str], apply: &[&str]) {
    let consent = apply.contains(&"--delete-data").then_some("--delete-data");
    let arguments: Vec<&str> = ["plan", "--json"].into_iter().chain(consent).collect();
    let plan = |arguments: &[&str]| emulator.stepstack(file, arguments).expect(0).json();
    let shown = plan(&arguments);
    let found: BTreeSet<String> = changed(&shown).iter().map(|line| without_hashes(line)).collect();
    let mut expected: BTreeSet<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    if !lines.is_empty() {
        expected.insert("update secret/database-url".to_owned());
        expected.extend(FOLLOWERS.map(str::to_owned));
    }
    assert_eq!(found, expected, "{shown:#}");
    emulator.stepstack(file, apply).expect(0);
    assert_eq!(changed(&plan(&["plan", "--json"])), Vec::<String>::new(), "mended by one apply");
}

/// The password, for comparing only: no message shows it.
async fn value(secrets: &aws_sdk_secretsmanager::Client) -> String {
    let get = secrets.get_secret_value().secret_id(PASSWORD).send().await.expect("the password");
    get.secret_string().expect("a text").to_owned()
}

async fn remove_bucket(s3: &S3, version: &str) {
    let delete = s3.delete_object().bucket(UPLOADS).key("photo").version_id(version);
    delete.send().await.expect("the upload goes");
    s3.delete_bucket().bucket(UPLOADS).send().await.expect("the empty bucket goes");
}

/// As the console does it: protection off, the instance, then the cluster, until nothing of it is listed.
async fn remove_cluster(rds: &Rds) {
    let open = rds.modify_db_cluster().db_cluster_identifier(CLUSTER).deletion_protection(false);
    open.apply_immediately(true).send().await.expect("the protection goes");
    let instance = rds.delete_db_instance().db_instance_identifier(format!("{CLUSTER}-1"));
    instance.skip_final_snapshot(true).send().await.expect("the instance goes");
    for _ in 0..600 {
        // Refused while the instance is going.
        let delete = rds.delete_db_cluster().db_cluster_identifier(CLUSTER).skip_final_snapshot(true);
        let _ = delete.send().await;
        let clusters = rds.describe_db_clusters().send().await.expect("clusters");
        if clusters.db_clusters().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the cluster is still there");
}
