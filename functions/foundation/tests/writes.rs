//! The calls of writes whose settings or order matter.

use std::time::Instant;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::abort_multipart_upload::AbortMultipartUploadOutput;
use aws_sdk_s3::operation::create_bucket::{CreateBucketError, CreateBucketInput, CreateBucketOutput};
use aws_sdk_s3::operation::delete_bucket::{DeleteBucketError, DeleteBucketOutput};
use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;
use aws_sdk_s3::operation::list_multipart_uploads::ListMultipartUploadsOutput;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::operation::put_public_access_block::PutPublicAccessBlockError;
use aws_sdk_s3::types::{DeleteMarkerEntry, Error as Undeleted, MultipartUpload, ObjectVersion};
use aws_smithy_mocks::{Rule, mock};
use foundation::bucket::{Bucket, Buckets, empty, logs};
use statemachine::ErrorKind;
use statemachine::resource::{Call, Context, DataPolicy, Gone, Names, Options, Resource as _};
use testing::{all_called, client, in_order, said};

/// A client that takes exactly these calls, in this order.
fn client(rules: &[&Rule]) -> Client {
    client!(aws_sdk_s3, in_order(rules))
}

fn context(region: &str) -> Context {
    Context { region: region.to_owned(), ..testing::context(statemachine::Stage::Foundation) }
}

/// Creates the log bucket with these answers.
async fn create(region: &str, rules: &[&Rule]) -> statemachine::Result<statemachine::resource::Made> {
    let ctx = context(region);
    let buckets = Buckets::of_stack(client(rules), &ctx, None, &[]);
    logs(&ctx).create(Call { ctx, client: buckets, names: Names::default() }).await
}

fn refused_block() -> Rule {
    mock!(Client::put_public_access_block)
        .then_error(|| PutPublicAccessBlockError::generic(said("OperationAborted")))
}

#[tokio::test]
async fn a_bucket_is_ours_from_its_first_moment_and_what_is_missing_is_looked_for() {
    let tagged = |input: &CreateBucketInput| {
        let configuration = input.create_bucket_configuration();
        configuration.is_some_and(|configuration| {
            let mut tags = configuration.tags().iter().map(|tag| (tag.key(), tag.value()));
            tags.any(|tag| tag == ("stepstack:name", "bucket/logs"))
        })
    };
    for (region, named) in [("us-east-1", None), ("eu-west-1", Some("eu-west-1"))] {
        let create_bucket = mock!(Client::create_bucket)
            .match_requests(move |input| {
                let location = input.create_bucket_configuration().and_then(|it| it.location_constraint());
                tagged(input) && location.map(|location| location.as_str()) == named
            })
            .then_output(|| CreateBucketOutput::builder().build());
        let made = create(region, &[&create_bucket, &refused_block()]).await.expect("a bucket");
        assert!(!made.settled, "its settings are not there yet");
    }
}

#[tokio::test]
async fn a_name_that_another_account_has_is_said_to_be_taken() {
    let taken =
        mock!(Client::create_bucket).then_error(|| CreateBucketError::generic(said("BucketAlreadyExists")));
    let error = create("us-east-1", &[&taken]).await.expect_err("a taken name");
    assert_eq!(error.kind, ErrorKind::Invalid);
    assert!(error.message.contains("arive-production-logs-123456789012 is taken"), "{error}");
}

#[tokio::test]
async fn a_bucket_that_came_between_is_not_taken_over() {
    let ours = mock!(Client::create_bucket)
        .then_error(|| CreateBucketError::generic(said("BucketAlreadyOwnedByYou")));
    let made = create("us-east-1", &[&ours]).await.expect("to be looked at");
    assert!(!made.settled);
}

fn one_of_each() -> ListObjectVersionsOutput {
    ListObjectVersionsOutput::builder()
        .versions(ObjectVersion::builder().key("a").version_id("1").build())
        .delete_markers(DeleteMarkerEntry::builder().key("a").version_id("2").build())
        .build()
}

fn deletes_both() -> Rule {
    mock!(Client::delete_objects)
        .match_requests(|input| {
            let ids = input.delete().map(|delete| delete.objects()).unwrap_or_default();
            ids.iter().map(|id| (id.key(), id.version_id())).eq([("a", Some("1")), ("a", Some("2"))])
        })
        .then_output(|| DeleteObjectsOutput::builder().build())
}

#[tokio::test]
async fn a_bucket_is_emptied_of_versions_markers_and_unfinished_uploads() {
    let versions = mock!(Client::list_object_versions).then_output(one_of_each);
    let delete = deletes_both();
    let none =
        mock!(Client::list_object_versions).then_output(|| ListObjectVersionsOutput::builder().build());
    let uploads = mock!(Client::list_multipart_uploads).then_output(|| {
        let upload = MultipartUpload::builder().key("b").upload_id("3").build();
        ListMultipartUploadsOutput::builder().uploads(upload).build()
    });
    let abort = mock!(Client::abort_multipart_upload)
        .match_requests(|input| (input.key(), input.upload_id()) == (Some("b"), Some("3")))
        .then_output(|| AbortMultipartUploadOutput::builder().build());
    let rules = [&versions, &delete, &none, &uploads, &abort];
    empty(&client(&rules), "arive-files", &context("us-east-1")).await.expect("an empty bucket");
    all_called(&rules);
}

#[tokio::test]
async fn without_time_left_nothing_more_is_deleted_and_the_next_tick_goes_on() {
    let versions = mock!(Client::list_object_versions).then_output(one_of_each);
    let delete = deletes_both();
    let ctx = Context { deadline: Instant::now(), ..context("us-east-1") };
    let error = empty(&client(&[&versions, &delete]), "arive-files", &ctx).await.expect_err("no time");
    assert_eq!(error.kind, ErrorKind::NotReady);
    assert_eq!(delete.num_calls(), 0);
}

#[tokio::test]
async fn an_object_that_may_not_be_deleted_is_named() {
    let versions = mock!(Client::list_object_versions).then_output(one_of_each);
    let delete = mock!(Client::delete_objects).then_output(|| {
        let error = Undeleted::builder().key("a").code("AccessDenied").message("Locked").build();
        DeleteObjectsOutput::builder().errors(error).build()
    });
    let error = empty(&client(&[&versions, &delete]), "arive-files", &context("us-east-1"))
        .await
        .expect_err("a locked object");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(error.message.contains("left a: Locked"), "{error}");
}

/// Without consent a bucket is never emptied, whatever came into it since the look.
#[tokio::test]
async fn uploads_are_only_deleted_with_consent() {
    let uploads = |ctx: &Context| Bucket { what: "uploads".to_owned(), ..logs(ctx) };
    let remove = async |data: DataPolicy, rules: &[&Rule]| {
        let ctx = Context { options: Options { data, ..Options::default() }, ..context("us-east-1") };
        let buckets = Buckets::of_stack(client(rules), &ctx, None, &[]);
        let now = Some(uploads(&ctx));
        Bucket::delete("arive-files".to_owned(), now, Call { ctx, client: buckets, names: Names::default() })
            .await
    };
    let full = mock!(Client::delete_bucket).then_error(|| DeleteBucketError::generic(said("BucketNotEmpty")));
    let error = remove(DataPolicy::Snapshot, &[&full]).await.expect_err("a full bucket");
    assert!(error.message.contains("--delete-data"), "{error}");

    let none =
        mock!(Client::list_object_versions).then_output(|| ListObjectVersionsOutput::builder().build());
    let no_uploads =
        mock!(Client::list_multipart_uploads).then_output(|| ListMultipartUploadsOutput::builder().build());
    let gone = mock!(Client::delete_bucket).then_output(|| DeleteBucketOutput::builder().build());
    let removed = remove(DataPolicy::Delete, &[&none, &no_uploads, &gone]).await;
    assert_eq!(removed.expect("a deleted bucket"), Gone::Now);
}
