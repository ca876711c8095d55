//! Who reaches the AWS on this machine: no page in a browser, nobody without the key of its start; the tools that
//! have the key, and the functions.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bootstrap::local::{Endpoint, Server};
use tempfile::TempDir;

/// An emulator of one's own; stopped when dropped, also by a panic.
struct Emulator {
    server: Server,
    endpoint: Endpoint,
    port: u16,
    directory: TempDir,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.server.stop();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

fn start() -> Emulator {
    let (directory, port) = (TempDir::new().expect("a directory"), free_port());
    let server = Server::at(directory.path().join("local"), port);
    let endpoint = server.ensure_running(&|_| ()).expect("MiniStack starts");
    Emulator { server, endpoint, port, directory }
}

/// The whole answer to a request that is written as a browser or another client would, headers and all.
fn answer(port: u16, line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").expect("writing to a string");
    }
    write!(request, "\r\n{body}").expect("writing to a string");
    stream.write_all(request.as_bytes()).expect("it is sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("it is answered");
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn is_forbidden(case: &str, answer: &str) {
    assert!(answer.starts_with("HTTP/1.1 403 "), "{case}: {answer}");
    assert!(!answer.to_lowercase().contains("access-control-"), "{case}: {answer}");
}

/// Prints what comes of it; run with the emulator's virtual environment, which has botocore.
fn python(emulator: &Emulator, program: &str, environment: &[(&str, &str)]) -> String {
    let python = emulator.server.python(&|_| ()).expect("it is there by now");
    let mut command = Command::new(python);
    command.args(["-c", program, &emulator.endpoint.url]).envs(environment.iter().copied());
    let output = command.stdin(Stdio::null()).output().expect("Python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8").trim().to_owned()
}

/// The headers of a GET of the root, which lists buckets, signed with a key for a host.
const SIGN: &str = "
import json, os, sys
import botocore.auth, botocore.awsrequest, botocore.credentials
key = botocore.credentials.Credentials(os.environ['KEY'], os.environ['SECRET'])
request = botocore.awsrequest.AWSRequest('GET', 'http://' + os.environ['TO'] + '/', {})
botocore.auth.S3SigV4Auth(key, 's3', 'us-east-1').add_auth(request)
print(json.dumps(dict(request.headers.items())))
";

/// The answer to a request for the list of buckets (of objects, at a bucket's host) that is signed with a key,
/// with more headers that are not signed.
fn signed(emulator: &Emulator, key: (&str, &str), host: &str, more: &[(&str, &str)]) -> String {
    let text = python(emulator, SIGN, &[("KEY", key.0), ("SECRET", key.1), ("TO", host)]);
    let headers: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).expect("headers");
    let mut all = vec![("Host", host)];
    all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    all.extend(more);
    answer(emulator.port, "GET /", &all, "")
}

#[test]
fn a_page_in_the_browser_gets_nowhere() {
    let emulator = start();
    let host = format!("127.0.0.1:{}", emulator.port);
    let create = "POST /2015-03-31/functions";
    let text = ("Content-Type", "text/plain");
    let page = ("Origin", "https://evil.example");
    is_forbidden("a form", &answer(emulator.port, create, &[("Host", &host), text, page], "{}"));
    is_forbidden("a form without a name", &answer(emulator.port, create, &[("Host", &host), text], "{}"));
    let asked = [("Host", host.as_str()), page, ("Access-Control-Request-Method", "POST")];
    is_forbidden("asked before", &answer(emulator.port, "OPTIONS /2015-03-31/functions", &asked, ""));
    let reset = "POST /_ministack/reset";
    is_forbidden("the emulator's own", &answer(emulator.port, reset, &[("Host", &host)], ""));
    let code = r#"{"stepfunctions._SFN_WAIT_SCALE": 0}"#;
    is_forbidden("its settings", &answer(emulator.port, "POST /_ministack/config", &[("Host", &host)], code));
    let socket = [
        ("Host", host.as_str()),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    is_forbidden("a socket", &answer(emulator.port, "GET /_aws/execute-api/a/b", &socket, ""));

    // With the key in its hands, a page gets no farther.
    let key = (&*emulator.endpoint.key.access_key_id, &*emulator.endpoint.key.secret_access_key);
    for header in [
        page,
        ("Origin", "null"),
        ("Origin", "http://localhost:1"),
        ("Referer", "https://evil.example/page"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        is_forbidden(&format!("{header:?}"), &signed(&emulator, key, &host, &[header]));
    }
    let rebound = format!("evil.example:{}", emulator.port);
    for host in [&rebound, "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "evil.localhost:1"] {
        is_forbidden(host, &signed(&emulator, key, host, &[]));
    }
    let bearer = format!("Bearer {}", key.1);
    let reset = answer(emulator.port, reset, &[("Host", &rebound), ("Authorization", &bearer)], "");
    is_forbidden("the emulator's own at another name", &reset);
    let ready = answer(emulator.port, "GET /_ministack/ready", &[("Host", &rebound)], "");
    is_forbidden("whether it is ready", &ready);
}

#[test]
fn only_the_key_of_this_start_is_taken() {
    let emulator = start();
    let host = format!("127.0.0.1:{}", emulator.port);
    let (id, secret) = (&*emulator.endpoint.key.access_key_id, &*emulator.endpoint.key.secret_access_key);
    is_forbidden("no key", &answer(emulator.port, "GET /", &[("Host", &host)], ""));
    for key in [("test", "test"), ("000000000000", "test"), ("root", "root"), (id, "test"), ("test", secret)]
    {
        is_forbidden(key.0, &signed(&emulator, key, &host, &[]));
    }

    let own_name = format!("localhost:{}", emulator.port);
    let origin = format!("http://{host}");
    let own = [("Origin", origin.as_str()), ("Sec-Fetch-Site", "same-origin")];
    for (host, more) in [(&host, &[][..]), (&host, &own), (&own_name, &[("Sec-Fetch-Site", "none")])] {
        let listed = signed(&emulator, (id, secret), host, more);
        assert!(listed.starts_with("HTTP/1.1 200 "), "{listed}");
        assert!(!listed.to_lowercase().contains("access-control-"), "{listed}");
    }
    let bucket = signed(&emulator, (id, secret), &format!("photos.localhost:{}", emulator.port), &[]);
    assert!(bucket.contains("NoSuchBucket"), "a bucket's host is S3's: {bucket}");

    let key = emulator.endpoint.key.clone();
    emulator.server.stop().expect("it is stopped");
    let again = emulator.server.ensure_running(&|_| ()).expect("MiniStack starts");
    assert_ne!(again.key, key);
    is_forbidden("the key of a former start", &signed(&emulator, (id, secret), &host, &[]));
}

#[test]
fn one_that_an_older_program_has_started_is_replaced() {
    let emulator = start();
    let state = emulator.server.directory().join("server.json");
    let text = std::fs::read_to_string(&state).expect("the state file");
    let mut running: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    running["launcher"] = "an older one's".into();
    std::fs::write(&state, running.to_string()).expect("it is written");
    std::fs::remove_file(emulator.server.directory().join("key.json")).expect("an older one has none");

    let refused = emulator.server.reset().expect_err("there is no key to ask it with").to_string();
    assert!(refused.contains("another version of Stepstack"), "{refused}");
    let said = std::cell::RefCell::new(Vec::new());
    let again = emulator.server.ensure_running(&|what| said.borrow_mut().push(what.to_owned()));
    assert_ne!(again.expect("MiniStack starts").key, emulator.endpoint.key);
    let said = said.into_inner().join("\n");
    assert!(said.contains("another version of Stepstack"), "{said}");
}

/// Creates a function with the key of the environment, and calls it; it calls back with what it is given.
const CALL_A_FUNCTION: &str = "
import io, json, sys, zipfile
import botocore.session
CODE = '''
import os, sys
import botocore.session
def handler(event, context):
    sts = botocore.session.get_session().create_client('sts', endpoint_url=os.environ['AWS_ENDPOINT_URL'])
    account = sts.get_caller_identity()['Account']
    return [account, os.environ['AWS_ACCESS_KEY_ID'], os.environ['AWS_SECRET_ACCESS_KEY']]
'''
archive = io.BytesIO()
with zipfile.ZipFile(archive, 'w') as zipped:
    zipped.writestr('code.py', CODE)
functions = botocore.session.get_session().create_client('lambda', endpoint_url=sys.argv[1], region_name='us-east-1')
functions.create_function(FunctionName='probe', Runtime='python3.12', Handler='code.handler', Timeout=60,
    Role='arn:aws:iam::000000000000:role/probe', Code={'ZipFile': archive.getvalue()})
print(functions.invoke(FunctionName='probe')['Payload'].read().decode())
";

#[test]
fn a_function_comes_in_with_a_key_of_its_own() {
    let emulator = start();
    let key = &emulator.endpoint.key;
    let environment =
        [("AWS_ACCESS_KEY_ID", &*key.access_key_id), ("AWS_SECRET_ACCESS_KEY", &*key.secret_access_key)];
    let said = python(&emulator, CALL_A_FUNCTION, &environment);
    let [account, id, secret]: [String; 3] = serde_json::from_str(&said).expect(&said);
    assert_eq!(account, bootstrap::local::ACCOUNT);
    assert_ne!(id, key.access_key_id, "the user's own key stays with the user");
    assert_ne!(secret, key.secret_access_key);
}

fn stepstack(emulator: &Emulator, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stepstack"));
    command.args(arguments).env("STEPSTACK_LOCAL_DIR", emulator.server.directory());
    let output = command.env("STEPSTACK_LOCAL_PORT", emulator.port.to_string()).output();
    let output = output.expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints UTF-8")
}

/// By the AWS CLI as a user would call it, where it is on the machine, and by botocore, which the CLI is made of.
#[test]
fn other_tools_are_pointed_at_it() {
    let emulator = start();
    let Endpoint { url, key } = &emulator.endpoint;
    let told: serde_json::Value =
        serde_json::from_str(&stepstack(&emulator, &["local", "env", "--json"])).expect("JSON");
    let expected = serde_json::json!({
        "endpoint": url,
        "access_key_id": key.access_key_id,
        "secret_access_key": key.secret_access_key,
        "region": "us-east-1",
    });
    assert_eq!(told, expected);

    let lines = stepstack(&emulator, &["local", "env"]);
    let through_the_shell = |program: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("{lines}\n{program}")]).env("AWS_PROFILE", "none-of-this-name");
        shell.env("AWS_SESSION_TOKEN", "another account's").env("HOME", emulator.directory.path());
        let output = shell.output().expect("a shell runs");
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it prints UTF-8")
    };
    let python = emulator.server.python(&|_| ()).expect("it is there by now");
    let list =
        "import botocore.session as s; print(s.get_session().create_client('s3').list_buckets()['Buckets'])";
    assert_eq!(through_the_shell(&format!("{} -c \"{list}\"", python.display())).trim(), "[]");
    let has_aws = Command::new("aws").arg("--version").env("HOME", emulator.directory.path()).output();
    if !has_aws.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: there is no AWS CLI on this machine");
        return;
    }
    through_the_shell("aws s3 mb s3://photos && echo one | aws s3 cp - s3://photos/one.txt");
    assert_eq!(through_the_shell("aws s3 cp s3://photos/one.txt -"), "one\n");
    assert!(through_the_shell("aws sts get-caller-identity").contains("000000000000"));
    assert!(through_the_shell("aws ec2 describe-vpcs").contains("Vpcs"));
}

#[cfg(unix)]
#[test]
fn what_it_keeps_is_the_user_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;

    let emulator = start();
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o7777;
    let state = emulator.server.directory();
    assert_eq!(mode(state), 0o700);
    assert_eq!(mode(&state.join("key.json")), 0o600);
    // The virtual environment stands in it: `…/stepstack/ministack-VERSION/bin/python`.
    let python = emulator.server.python(&|_| ()).expect("it is there by now");
    assert_eq!(mode(python.ancestors().nth(3).expect("the cache")), 0o700);

    let shared = TempDir::new().expect("a directory");
    std::fs::set_permissions(shared.path(), std::fs::Permissions::from_mode(0o1777)).expect("it is opened");
    let refused = Server::at(shared.path().to_owned(), free_port()).ensure_running(&|_| ());
    let refused = refused.expect_err("what all can write into is no place for it").to_string();
    assert!(refused.contains("shared with other users"), "{refused}");
}
