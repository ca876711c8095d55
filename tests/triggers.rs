//! The three triggers start the same machine: the command line, an uploaded configuration, a pushed image.

use aws_sdk_ecr::types::ImageIdentifier;
use aws_sdk_s3::primitives::ByteStream;

use crate::harness::{BUCKET, Emulator};
use crate::lifecycle::example;

#[tokio::test]
async fn an_upload_and_a_push_start_runs_with_nobody_attached() {
    let emulator = Emulator::start();
    let text = std::fs::read_to_string(example()).expect("the example");
    let file = emulator.write("stepstack.toml", &text);

    // Without a sample image the run ends well and says what it waits for.
    let applied = emulator.stepstack(&file, &["apply", "--yes", "--no-sample-image"]).expect(0);
    let shown = format!("{}{}", applied.stdout, applied.stderr);
    assert!(shown.contains("  docker push "), "it says how the first image gets there:\n{shown}");
    assert_eq!(
        emulator.runs("production").await.len(),
        1,
        "an apply of the command line starts one execution, not two"
    );
    let ecs = aws_sdk_ecs::Client::new(&emulator.config());
    assert!(
        ecs.list_services()
            .cluster("arive-production")
            .send()
            .await
            .expect("services")
            .service_arns()
            .is_empty()
    );

    // The first push does the rest.
    let pushed = emulator.run(&["--local", "--stack", "arive/production", "local", "push"]).expect(0);
    let (run, result) = emulator.run_ended("production", 2).await;
    assert_eq!(result["outcome"], "succeeded", "{result:#}\n{pushed}");
    let request = emulator.object(&format!("runs/production/{run}/request.json")).await.expect("a request");
    assert_eq!(
        (request["run"]["trigger"].as_str(), request["run"]["operation"].as_str()),
        (Some("image-push"), Some("deploy"))
    );
    assert!(request["run"]["caller"].is_null(), "a push names nobody");
    let first = image_of(&ecs, "api").await;
    assert_eq!(first, image_of(&ecs, "worker").await, "both services get the image");

    // A later apply leaves the deployed image alone.
    emulator.stepstack(&file, &["apply", "--yes"]).expect(0);
    assert_eq!(image_of(&ecs, "api").await, first);

    // A changed file, put onto its place.
    let changed = text.replace("[services.worker]", "[services.worker]\ncount = 2");
    assert_ne!(changed, text);
    upload(&emulator, "environments/production.toml", changed.into_bytes()).await;
    let (_, result) = emulator.run_ended("production", 4).await;
    assert_eq!(result["outcome"], "succeeded", "{result:#}");
    let services = ecs
        .describe_services()
        .cluster("arive-production")
        .services("worker")
        .send()
        .await
        .expect("services");
    assert_eq!(services.services()[0].desired_count(), 2, "the change arrives with nobody attached");
    assert_eq!(image_of(&ecs, "api").await, first);

    // A wrong file changes nothing, and its record says what is wrong with it.
    upload(
        &emulator,
        "environments/production.toml",
        text.replace("[database]", "[database]\nmin_acuu = 1").into_bytes(),
    )
    .await;
    let (_, result) = emulator.run_ended("production", 5).await;
    assert_eq!(result["outcome"], "refused", "{result:#}");
    let message = result["message"].as_str().expect("a message");
    assert!(message.contains("min_acuu") && message.contains("did you mean `min_acu`?"), "{message}");

    // A file of another environment in this one's place.
    upload(
        &emulator,
        "environments/production.toml",
        text.replace("\"production\"", "\"staging\"").into_bytes(),
    )
    .await;
    let (_, result) = emulator.run_ended("production", 6).await;
    assert_eq!(result["outcome"], "refused", "{result:#}");

    // A push of a tag that the file does not name starts nothing.
    tag_again(&emulator, "experiment").await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert_eq!(emulator.runs("production").await.len(), 6);
}

async fn upload(emulator: &Emulator, key: &str, body: Vec<u8>) {
    emulator
        .s3()
        .put_object()
        .bucket(BUCKET)
        .key(key)
        .body(ByteStream::from(body))
        .send()
        .await
        .expect("an upload");
}

async fn image_of(ecs: &aws_sdk_ecs::Client, service: &str) -> String {
    let services =
        ecs.describe_services().cluster("arive-production").services(service).send().await.expect("services");
    let definition = services.services()[0].task_definition().expect("a task definition");
    let definition =
        ecs.describe_task_definition().task_definition(definition).send().await.expect("a definition");
    definition.task_definition().expect("a definition").container_definitions()[0]
        .image()
        .expect("an image")
        .to_owned()
}

/// Gives the image that is there one more tag, as a `docker push` of it would.
async fn tag_again(emulator: &Emulator, tag: &str) {
    let ecr = aws_sdk_ecr::Client::new(&emulator.config());
    let latest = ImageIdentifier::builder().image_tag("latest").build();
    let images = ecr
        .batch_get_image()
        .repository_name("arive/production")
        .image_ids(latest)
        .send()
        .await
        .expect("the image");
    let image = images.images().first().expect("one image");
    ecr.put_image()
        .repository_name("arive/production")
        .set_image_manifest(image.image_manifest().map(str::to_owned))
        .image_tag(tag)
        .send()
        .await
        .expect("a tag");
}
