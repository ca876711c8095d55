//! Wrong input: one clear sentence, exit code 2, nothing started.

use crate::harness::Emulator;
use crate::lifecycle::example;

#[tokio::test]
async fn a_wrong_file_is_explained_and_nothing_is_started() {
    let emulator = Emulator::start();
    let good = std::fs::read_to_string(example()).expect("the example");
    let cases: [(&str, Vec<u8>, &str); 6] = [
        (
            "a key that does not exist",
            good.replace("min_acu", "min_acuu").into_bytes(),
            "did you mean `min_acu`?",
        ),
        ("a wrong type", good.replace("port = 8000", "port = \"8000\"").into_bytes(), "port"),
        ("an empty file", Vec::new(), "empty"),
        ("not UTF-8", vec![b'a', 0xff, 0xfe], "UTF-8"),
        ("ten megabytes", vec![b'#'; 10_000_000], "1 MiB"),
        ("a public CIDR", good.replace("10.0.0.0/16", "52.0.0.0/16").into_bytes(), "52.0.0.0/16"),
    ];
    for (what, text, says) in cases {
        let file = emulator.write("wrong.toml", "");
        std::fs::write(&file, text).expect("the file");
        for command in ["check", "plan", "apply"] {
            let refused = emulator.stepstack(&file, &[command]);
            assert_eq!(refused.code, 2, "{what}: {command}: {refused}");
            assert!(refused.stderr.contains(says), "{what}: {command}: {refused}");
        }
    }
    let missing = emulator.stepstack(std::path::Path::new("no-such.toml"), &["plan"]).expect(2);
    assert!(missing.stderr.contains("no-such.toml"), "{missing}");
    assert!(emulator.runs_exist().await.is_empty(), "nothing was started");
}

#[tokio::test]
async fn a_retired_engine_version_is_refused_with_the_live_ones_before_anything_is_made() {
    let emulator = Emulator::start();
    let text = std::fs::read_to_string(example())
        .expect("the example")
        .replace("engine_version = \"15\"", "engine_version = \"15.4\"");
    let file = emulator.write("stepstack.toml", &text);
    let refused = emulator.stepstack(&file, &["apply", "--yes"]).expect(4);
    let shown = format!("{}{}", refused.stdout, refused.stderr);
    assert!(shown.contains("15.4") && shown.contains("15."), "{shown}");
    let vpcs = aws_sdk_ec2::Client::new(&emulator.config()).describe_vpcs().send().await.expect("VPCs");
    assert!(vpcs.vpcs().iter().all(|vpc| vpc.is_default() == Some(true)), "nothing was made");
}

#[test]
fn missing_credentials_and_no_region_are_one_sentence_each() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let run = |region: Option<&str>| {
        let mut command = std::process::Command::new(crate::harness::program());
        command
            .env_clear()
            .env("HOME", directory.path())
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        if let Some(region) = region {
            command.env("AWS_REGION", region);
        }
        let output = command
            .args(["-c", example().to_str().expect("a path"), "plan"])
            .output()
            .expect("the program runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(Some("us-east-1"));
    assert_ne!(code, Some(0), "{said}");
    assert!(said.to_lowercase().contains("credentials"), "{said}");
    let (code, said) = run(None);
    assert_ne!(code, Some(0), "{said}");
    assert!(said.to_lowercase().contains("region"), "{said}");
}
