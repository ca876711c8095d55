//! Bad files: each with the words that a person reads. One snapshot a subject.

use std::fmt::Write as _;

use statemachine::config;

/// What is said of each file, which must all be bad.
fn told(cases: &[(&str, String)]) -> String {
    let mut told = String::new();
    for (title, text) in cases {
        let errors = config::parse(text.as_bytes(), "stepstack.toml").expect_err(title);
        assert!(!errors.0.is_empty(), "{title}");
        writeln!(told, "=== {title}\n{errors}\n").expect("text takes all");
    }
    told
}

/// A good beginning, then `rest`.
fn file(rest: &str) -> String {
    format!("app = \"arive\"\nenvironment = \"production\"\ndomain = \"tryarive.com\"\n{rest}")
}

/// A good file but for keys of one table.
fn with(table: &str, keys: &str) -> String {
    file(&format!("[services.web]\nport = 80\n\n[{table}]\n{keys}\n"))
}

fn top(app: &str, environment: &str, rest: &str) -> String {
    format!("app = \"{app}\"\nenvironment = \"{environment}\"\n{rest}\n[services.worker]\n")
}

#[test]
fn files_that_cannot_be_read() {
    let files = [
        ("empty", Vec::new()),
        ("blank, with a byte order mark", b"\xef\xbb\xbf \n\n".to_vec()),
        ("10 MB", vec![b'#'; 10_000_000]),
        ("not UTF-8", b"app = \"arive\"\nenvironment = \"caf\xe9\"\n".to_vec()),
        ("no end of text", b"app = \"arive\nenvironment = \"b\"\n".to_vec()),
        ("text without quotes", b"app = arive\n".to_vec()),
        ("a key twice", b"app = \"a\"\napp = \"b\"\n".to_vec()),
        ("not TOML at all", b"app: arive\nservices:\n  - api\n".to_vec()),
        ("escape sequences", b"app = \"\x1b[31mred\"\n".to_vec()),
    ];
    let mut told = String::new();
    for (title, bytes) in files {
        let errors = config::parse(&bytes, "stepstack.toml").expect_err(title);
        assert_eq!(errors.0.len(), 1, "{title}");
        writeln!(told, "=== {title}\n{errors}\n").expect("text takes all");
    }
    assert!(!told.contains('\u{1b}'), "an error must not carry escape sequences");
    insta::assert_snapshot!(told);
}

#[test]
fn unknown_and_missing_keys() {
    let told = told(&[
        ("a near miss", with("database", "min_acus = 0.5")),
        ("a hyphen", with("database", "max-acu = 4")),
        ("an abbreviation", "app = \"a\"\nenv = \"b\"\n[services.w]\n".to_owned()),
        ("a key of the top below a table", file("[services.web]\nport = 80\nregion = \"us-east-1\"")),
        ("a key of another table", with("network", "engine_version = \"15\"")),
        ("a key of a service at the top", file("port = 80\n[services.web]")),
        ("nothing near", with("logs", "colour = \"blue\"")),
        ("a table that is not one", with("cache", "size = 1")),
        ("neither app nor environment", "[services.web]\n".to_owned()),
        ("half a scale", with("services.api", "scale = { min = 1 }")),
        ("no service", file("")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn wrong_types() {
    let told = told(&[
        ("a number for text", with("database", "engine_version = 15.4")),
        ("text for a number", with("services.api", "port = \"8000\"")),
        ("words for a number", with("services.api", "port = \"http\"")),
        ("a fraction for a whole number", with("services.api", "count = 1.5")),
        ("text for true", with("services.api", "exec = \"true\"")),
        ("text for a list", with("services.api", "command = \"litestar run --host 0.0.0.0\"")),
        ("text for a list of tags", with("image", "deploy_on_push = \"latest\"")),
        ("a number in a list", with("image", "deploy_on_push = [\"latest\", 1.0]")),
        ("true for a table", file("database = true\n[services.web]")),
        ("a list of tables", file("[[services]]\nname = \"web\"\n")),
        ("a date", "app = 2026-01-01\nenvironment = \"b\"\n[services.w]".to_owned()),
        ("a number in the environment", with("services.api.environment", "WORKERS = 4")),
        (
            "three subnets",
            with("network", "public_subnets = [\"10.0.1.0/24\", \"10.0.2.0/24\", \"10.0.3.0/24\"]"),
        ),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn values_out_of_range() {
    let told = told(&[
        ("port 0", with("services.api", "port = 0")),
        ("port 70000", with("services.api", "port = 70000")),
        ("a number beyond all", with("services.api", "count = 99999999999999999999")),
        ("a count below nothing", with("services.api", "count = -1")),
        ("no such CPU", with("services.api", "cpu = 300")),
        ("ACU in thirds", with("database", "min_acu = 0.3")),
        ("no ACU at all", with("database", "max_acu = 0.5")),
        ("ACU that is no number", with("database", "max_acu = nan")),
        ("retention that CloudWatch has not", with("logs", "retention_days = 10")),
        ("retention beyond CloudWatch's", with("logs", "retention_days = 5000")),
        ("backups for ever", with("database", "backup_retention_days = 90")),
        ("a CORS method", with("uploads", "cors_methods = [\"put\", \"PATCH\"]")),
        ("a percentage", with("services.api", "scale = { min = 1, max = 2, cpu = 150 }")),
        ("six tags", with("image", "deploy_on_push = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"]")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn names() {
    let told = told(&[
        ("app too long", top("a-very-long-name-of-an-app", "b", "")),
        ("app with bad characters", top("My_App", "b", "")),
        ("app empty", top("", "b", "")),
        ("app with a digit first", top("2fast", "b", "")),
        ("app with a hyphen last", top("app-", "b", "")),
        ("app internal", top("internal-tools", "b", "")),
        ("environment too long", top("a", "pre-production", "")),
        ("environment engine", top("a", "engine", "")),
        ("environment with a space", top("a", "my env", "")),
        ("service too long", file("[services.an-extremely-long-service]")),
        ("service with bad characters", file("[services.\"Web App\"]\nport = 80")),
        ("region", top("a", "b", "region = \"us-east-1a\"")),
        ("domain with a scheme", top("a", "b", "domain = \"https://Example.com/\"")),
        ("domain without a dot", top("a", "b", "domain = \"localhost\"")),
        ("domain of numbers", top("a", "b", "domain = \"10.0.0.1\"")),
        ("domain that turns the line", top("a", "b", "domain = \"a\u{202e}b.com\"")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn networks() {
    let told = told(&[
        ("public", with("network", "cidr = \"52.1.0.0/16\"")),
        ("not a network address", with("network", "cidr = \"10.0.1.5/16\"")),
        ("without a length", with("network", "cidr = \"10.0.0.0\"")),
        ("IPv6", with("network", "cidr = \"fd00::/48\"")),
        ("no network", with("network", "cidr = \"10.0.0.0/33\"")),
        ("too large", with("network", "cidr = \"10.0.0.0/8\"")),
        ("too small for its subnets", with("network", "cidr = \"10.0.0.0/27\"")),
        (
            "subnet outside, subnet too small",
            with("network", "public_subnets = [\"10.1.1.0/24\", \"10.0.2.0/29\"]"),
        ),
        (
            "overlap with each other",
            with(
                "network",
                "public_subnets = [\"10.0.0.0/20\", \"10.0.1.0/24\"]\nprivate_subnets = [\"10.0.32.0/24\", \"10.0.33.0/24\"]",
            ),
        ),
        ("overlap with a default", with("network", "public_subnets = [\"10.0.10.0/23\", \"10.0.12.0/24\"]")),
        (
            "a subnet that is no network",
            with("network", "private_subnets = [\"10.0.11.1/24\", \"10.0.12.0\"]"),
        ),
        ("no way out", with("network", "egress = \"none\"")),
        ("a near miss of egress", with("network", "egress = \"nat_per_zone\"")),
        ("an egress that is not there", with("network", "egress = \"transit\"")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn services() {
    let told = told(&[
        ("memory for the CPU", with("services.api", "cpu = 256\nmemory = 4096")),
        ("memory between two", with("services.api", "cpu = 4096\nmemory = 9000")),
        ("scale upside down", with("services.api", "scale = { min = 5, max = 2 }")),
        ("count outside the scale", with("services.api", "count = 9\nscale = { min = 1, max = 4 }")),
        ("two on the default host of one", with("services.api", "port = 8000\nhost = \"web.tryarive.com\"")),
        (
            "two on one written host",
            file(
                "[services.a]\nport = 1\nhost = \"x.tryarive.com\"\n[services.b]\nport = 2\nhost = \"x.tryarive.com\"",
            ),
        ),
        ("host outside the domain", with("services.api", "port = 8000\nhost = \"api.nottryarive.com\"")),
        ("host that is an address", with("services.api", "port = 8000\nhost = \"https://api.tryarive.com\"")),
        ("host without a port", with("services.api", "host = \"api.tryarive.com\"")),
        ("host without a domain", top("a", "b", "[services.web]\nport = 80\nhost = \"web.example.com\"")),
        (
            "two public ones without a domain",
            top("a", "b", "[services.web]\nport = 80\n[services.api]\nport = 80"),
        ),
        ("health path", with("services.api", "port = 80\nhealth_check_path = \"health\"")),
        ("health path with spaces", with("services.api", "port = 80\nhealth_check_path = \"/is it well\"")),
        ("health path without a port", with("services.api", "health_check_path = \"/health\"")),
        ("a command in one word", with("services.api", "command = [\"litestar run\"]")),
        ("an empty command", with("services.api", "command = [\"\", \"run\"]")),
        ("user", with("services.api", "user = \"1000:1000:1000\"")),
        ("exec on a read-only root", with("services.api", "exec = true")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn environments_keys() {
    let text = with(
        "services.api.environment",
        "ENV = \"x\"\nDATABASE_URL = \"postgres://u:hunter2@h/d\"\nAWS_ACCESS_KEY_ID = \"AKIA\"\n\"MY-KEY\" = \"v\"\nS3_BUCKET = \"mine\"",
    );
    let told = told(&[
        ("with a database", format!("{text}\n[database]\n")),
        ("with neither database nor bucket", text.replace("\"x\"", "\"hunter2\"")),
        ("inline", file("[services.web]\nenvironment = { AWS_REGION = \"hunter2\" }")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn no_error_shows_a_value_of_the_environment() {
    for line in [
        "ENV = \"hunter2\"",
        "KEY = \"hunter2",
        "KEY = hunter2",
        "\"K-\" = \"hunter2\"",
        "KEY = [\"hunter2\"]",
        "KEY = 1979-05-27T07:32:00Z # hunter2",
    ] {
        for text in [
            with("services.api.environment", line),
            with("services.api", &format!("environment = {{ {line} }}")),
            with("services.api", &format!("environment.{line}")),
        ] {
            let errors = config::parse(text.as_bytes(), "stepstack.toml").expect_err(line);
            let told = format!("{errors}{}", serde_json::to_string(&errors).expect("errors are JSON"));
            assert!(!told.contains("hunter2"), "{told}");
        }
    }
}

#[test]
fn data() {
    let told = told(&[
        ("min above max", with("database", "min_acu = 8\nmax_acu = 4")),
        ("versions that are none", with("database", "engine_version = \"15.x\"")),
        ("database names", with("database", "name = \"select\"")),
        ("database that exists", with("database", "name = \"postgres\"")),
        ("database with a hyphen", with("database", "name = \"my-db\"")),
        ("default name that is reserved", top("user", "b", "[database]")),
        ("user admin", with("database", "username = \"admin\"")),
        ("user rdsadmin", with("database", "username = \"rdsadmin\"")),
        ("user too long", with("database", &format!("username = \"{}\"", "u".repeat(64)))),
        ("bucket too short", with("uploads", "bucket = \"ab\"")),
        ("bucket with capitals", with("uploads", "bucket = \"MyBucket\"")),
        ("bucket with dots", with("uploads", "bucket = \"my.bucket\"")),
        ("bucket of AWS", with("uploads", "bucket = \"my-bucket--x-s3\"")),
        ("bucket of the provisioner", with("uploads", "bucket = \"stepstack-arive-uploads\"")),
        (
            "origins",
            with(
                "uploads",
                "cors_origins = [\"tryarive.com\", \"https://tryarive.com/\", \"https://tryarive.com/app\", \"https://\", \"https://a.com:0\", \"https://a.com\", \"https://a.com\"]",
            ),
        ),
        ("tags", with("image", "deploy_on_push = [\"release-3\", \"*\", \"app:latest\", \"\", \"v 1\"]")),
        ("a tag twice", with("image", "deploy_on_push = [\"latest\", \"latest\"]")),
    ]);
    insta::assert_snapshot!(told);
}

#[test]
fn everything_at_once_in_the_files_order() {
    let text = "app = \"My App\"\nenvironment = \"production\"
[services.web]\nport = 80\nmemory = 3\n[services.api]\nport = 80\ncpu = 512\nmemory = 512
[network]\ncidr = \"8.8.8.0/24\"\n[database]\nmin_acu = 8\n";
    // Shape first: what it says may be the cause of the rest.
    let shape = config::parse(text.as_bytes(), "f").expect_err("memory 3");
    assert_eq!(shape.0.iter().map(|p| p.line).collect::<Vec<_>>(), [Some(5)]);
    let errors = config::parse(text.replace("memory = 3\n", "").as_bytes(), "f").expect_err("the rest");
    assert_eq!(
        errors.0.iter().map(|p| (p.line, p.text.as_str())).collect::<Vec<_>>(),
        [
            (Some(1), "\"My App\""),
            (Some(4), "80"),
            (Some(8), "512"),
            (Some(10), "\"8.8.8.0/24\""),
            (Some(12), "8"),
        ]
    );
}

#[test]
fn a_configuration_that_is_too_large_for_the_state_machine_is_refused() {
    let text = with("services.api.environment", &format!("TEXT = \"{}\"", "x".repeat(70_000)));
    let errors = config::parse(text.as_bytes(), "stepstack.toml").expect_err("70,000 bytes");
    insta::assert_snapshot!(errors);
}

#[test]
fn errors_come_back_from_the_run_record() {
    let errors = config::parse(with("database", "min_acus = 1").as_bytes(), "f").expect_err("an unknown key");
    let record = serde_json::to_string(&errors).expect("errors are JSON");
    assert_eq!(serde_json::from_str::<config::Errors>(&record).expect("and come back"), errors);
    let problem = &errors.0[0];
    assert_eq!((problem.line, problem.column, problem.text.as_str()), (Some(8), Some(1), "min_acus"));
}

#[test]
fn values_cannot_write_to_the_terminal() {
    let bad = "\\u001b[31m\\u202ered";
    for text in [
        top(bad, "b", "[uploads]\nbucket = \"A\""),
        top("a", bad, ""),
        file(&format!("[services.\"{bad}\"]\nhost = \"x\"\nscale = {{ min = 2, max = 1 }}")),
        with("services.api", &format!("command = [\"{bad} x\"]\nuser = \"{bad}\"")),
        with("services.api.environment", &format!("\"{bad}\" = \"x\"")),
        with("network", &format!("cidr = \"{bad}\"\negress = \"{bad}\"")),
        with("logs", &format!("\"{bad}\" = 1")),
    ] {
        let errors = config::parse(text.as_bytes(), "f").expect_err(&text).to_string();
        assert!(!errors.contains(['\u{1b}', '\u{202e}']), "{errors}");
    }
}

#[test]
fn many_problems_are_cut() {
    let mut text = file("[services.web]\n[logs]\n");
    for number in 0..200 {
        writeln!(text, "key_{number:03} = 1").expect("text takes all");
    }
    let errors = config::parse(text.as_bytes(), "f").expect_err("200 unknown keys");
    assert_eq!(errors.0.len(), 51);
    assert_eq!(errors.0[50].message, "and 150 more problems");
}

#[test]
fn the_release_command() {
    let told = told(&[
        ("one word with spaces", with("release", "command = [\"litestar database upgrade\"]")),
        ("no word", with("release", "command = []")),
        ("no command", with("release", "service = \"api\"")),
        ("a service that is nearly one", with("release", "command = [\"migrate\"]\nservice = \"webb\"")),
        ("no such service", with("release", "command = [\"migrate\"]\nservice = \"database\"")),
    ]);
    insta::assert_snapshot!(told);
}
