//! A small AWS on this machine with one environment's record in it: what the program asks of S3, Step
//! Functions, STS and ECR, on the wire. What else it asks is refused as AWS refuses an unknown operation.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};
use statemachine::message::{Operation, Request};

/// What the fake holds, and how it answers.
#[derive(Default)]
pub(crate) struct World {
    /// The provisioner's bucket, by key.
    pub(crate) objects: BTreeMap<String, String>,
    /// The version tag of the state machine; none: there is no engine.
    pub(crate) version: Option<String>,
    /// Executions by name.
    pub(crate) executions: BTreeMap<String, Execution>,
    /// How the next StartExecution is answered.
    pub(crate) start: Start,
    /// What a run leaves in its record as soon as it is started.
    pub(crate) leaves: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    /// The code and words that STS answers with, instead of an identity.
    pub(crate) stranger: Option<(&'static str, &'static str)>,
    /// Every StartExecution, by name and request.
    pub(crate) started: Vec<(String, Request)>,
    /// Answers to any other operation, by its name: JSON, or a text of XML.
    pub(crate) answers: BTreeMap<&'static str, Value>,
    /// Every operation of these services that was asked for, with the request's body.
    pub(crate) asked: Vec<(String, String)>,
}

/// How a StartExecution is answered.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) enum Start {
    /// It starts.
    #[default]
    Well,
    /// It starts, and the answer is lost: the call is repeated, and the name is there already.
    AnswerLost,
    /// The name belongs to another run.
    NameTaken,
}

/// An execution.
#[derive(Clone)]
pub(crate) struct Execution {
    pub(crate) input: String,
    /// `RUNNING`, `ABORTED`, …
    pub(crate) status: &'static str,
    pub(crate) cause: Option<&'static str>,
}

/// The fake while it runs; its thread ends with the test's process.
pub(crate) struct Fake {
    pub(crate) endpoint: String,
    world: Arc<Mutex<World>>,
}

impl Fake {
    pub(crate) fn start(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let world = Arc::new(Mutex::new(world));
        let shared = Arc::clone(&world);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let world = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &world));
            }
        });
        Self { endpoint, world }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("no test of this fake has panicked")
    }
}

/// A request as the fake needs it.
struct Asked {
    method: String,
    path: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: String,
}

struct Answer {
    status: u16,
    kind: &'static str,
    headers: String,
    body: String,
}

fn answer(status: u16, kind: &'static str, body: impl Into<String>) -> Answer {
    Answer { status, kind, headers: String::new(), body: body.into() }
}

fn serve(stream: TcpStream, world: &Mutex<World>) {
    let mut writer = stream.try_clone().expect("a second handle");
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let Answer { status, kind, headers, body } =
            respond(&asked, &mut world.lock().expect("not poisoned"));
        let head = format!(
            "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{headers}\r\n",
            body.len()
        );
        let body = if asked.method == "HEAD" { String::new() } else { body };
        if writer.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let mut words = line.split_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Asked { method, path, query, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

fn respond(asked: &Asked, world: &mut World) -> Answer {
    if asked.body.contains("Action=GetCallerIdentity") {
        return identity(world);
    }
    match asked.headers.get("x-amz-target").map(String::as_str) {
        Some(target) => {
            let body: Value = serde_json::from_str(&asked.body).expect("the body is JSON");
            let operation = target.rsplit('.').next().unwrap_or_default();
            world.asked.push((operation.to_owned(), asked.body.clone()));
            let (status, value) = match world.answers.get(operation) {
                Some(value) => (200, value.clone()),
                None => operate(operation, &body, world),
            };
            answer(status, "application/x-amz-json-1.1", value.to_string())
        }
        None if asked.body.contains("Action=") => {
            let action = asked.body.split('&').find_map(|pair| pair.strip_prefix("Action="));
            let action = action.unwrap_or_default();
            world.asked.push((action.to_owned(), asked.body.clone()));
            if let Some(Value::String(known)) = world.answers.get(action) {
                return answer(200, "text/xml", known.clone());
            }
            let body = "<ErrorResponse><Error><Code>InvalidAction</Code><Message>not here</Message></Error></ErrorResponse>";
            answer(400, "text/xml", body)
        }
        None => s3(asked, world),
    }
}

fn identity(world: &World) -> Answer {
    match world.stranger {
        Some((code, said)) => answer(
            403,
            "text/xml",
            format!(
                "<ErrorResponse><Error><Code>{code}</Code><Message>{said}</Message></Error></ErrorResponse>"
            ),
        ),
        None => answer(
            200,
            "text/xml",
            "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ada</Arn><UserId>A</UserId><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>",
        ),
    }
}

fn failed(code: &str) -> (u16, Value) {
    (400, json!({ "__type": code, "message": "said by the fake" }))
}

fn operate(operation: &str, body: &Value, world: &mut World) -> (u16, Value) {
    let text = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    match operation {
        "ListTagsForResource" => match &world.version {
            Some(version) => (200, json!({ "tags": [{ "key": "stepstack:version", "value": version }] })),
            None => failed("ResourceNotFound"),
        },
        "StartExecution" => start(&text("name"), text("input"), world),
        "DescribeExecution" => {
            let arn = text("executionArn");
            let name = arn.rsplit(':').next().unwrap_or_default();
            let Some(execution) = world.executions.get(name) else { return failed("ExecutionDoesNotExist") };
            let mut described = json!({
                "executionArn": arn, "stateMachineArn": "m", "name": name, "status": execution.status,
                "startDate": 1, "input": execution.input,
            });
            if execution.status != "RUNNING" {
                described["stopDate"] = json!(2);
            }
            if let Some(cause) = execution.cause {
                described["cause"] = json!(cause);
            }
            (200, described)
        }
        "DescribeImages" => {
            let wanted = &body["imageIds"][0];
            let known = wanted["imageTag"] == "latest" || wanted["imageDigest"].is_string();
            if known || wanted.is_null() {
                let digest = format!("sha256:{}", "0".repeat(64));
                (
                    200,
                    json!({ "imageDetails": [{ "imageDigest": digest, "imageTags": ["latest"], "imagePushedAt": 1 }] }),
                )
            } else {
                failed("ImageNotFoundException")
            }
        }
        "FilterLogEvents" => (200, json!({ "events": [] })),
        _ => failed("UnknownOperationException"),
    }
}

fn start(name: &str, input: String, world: &mut World) -> (u16, Value) {
    let request: Request = serde_json::from_str(&input).expect("the input is a request");
    world.started.push((name.to_owned(), request.clone()));
    let how = std::mem::take(&mut world.start);
    if how == Start::NameTaken {
        let other = r#"{"app":"arive","environment":"production","operation":"plan"}"#.to_owned();
        world.executions.insert(name.to_owned(), Execution { input: other, status: "RUNNING", cause: None });
        return failed("ExecutionAlreadyExists");
    }
    world.executions.insert(name.to_owned(), Execution { input, status: "RUNNING", cause: None });
    let leaves = world.leaves.get(kind(request.operation)).cloned().unwrap_or_default();
    for (object, text) in leaves {
        world.objects.insert(format!("runs/production/{name}/{object}"), text);
    }
    match how {
        Start::AnswerLost => failed("ExecutionAlreadyExists"),
        Start::Well | Start::NameTaken => (200, json!({ "executionArn": name, "startDate": 1 })),
    }
}

/// Which of [`World::leaves`] an operation leaves: its own name, or `run`.
fn kind(operation: Operation) -> &'static str {
    match operation {
        Operation::Plan | Operation::PlanDestroy => "plan",
        _ => "run",
    }
}

fn s3(asked: &Asked, world: &mut World) -> Answer {
    let mut parts = asked.path.trim_start_matches('/').splitn(2, '/');
    let (_bucket, key) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let missing =
        || answer(404, "application/xml", "<Error><Code>NoSuchKey</Code><Message>none</Message></Error>");
    match (asked.method.as_str(), key) {
        ("GET", "") if asked.query.contains("list-type=2") => list(&asked.query, world),
        ("GET", "") if asked.query.contains("versions") => match world.answers.get("ListObjectVersions") {
            Some(Value::String(known)) => answer(200, "application/xml", known.clone()),
            _ => missing(),
        },
        ("GET", key) => match world.objects.get(key) {
            Some(text) => {
                let headers = format!("ETag: \"{}\"\r\n", etag(text));
                Answer { headers, ..answer(200, "application/json", text.clone()) }
            }
            None => missing(),
        },
        ("PUT", key) => {
            let there = world.objects.get(key).map(|text| etag(text));
            let once = asked.headers.get("if-none-match").is_some_and(|value| value == "*");
            let over = asked.headers.get("if-match").map(|etag| etag.trim_matches('"').to_owned());
            if once && there.is_some() || over.is_some() && over != there {
                let body = "<Error><Code>PreconditionFailed</Code><Message>there</Message></Error>";
                return answer(412, "application/xml", body);
            }
            world.objects.insert(key.to_owned(), asked.body.clone());
            answer(200, "application/xml", "")
        }
        _ => missing(),
    }
}

fn list(query: &str, world: &World) -> Answer {
    let parameter = |name: &str| {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap_or_default().replace("%2F", "/")
    };
    let (prefix, delimiter) = (parameter("prefix"), parameter("delimiter"));
    let mut body = String::from("<ListBucketResult><IsTruncated>false</IsTruncated>");
    let mut seen = String::new();
    for (key, text) in world.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
        let rest = &key[prefix.len()..];
        let _ = match rest.split_once('/').filter(|_| !delimiter.is_empty()) {
            Some((folder, _)) if seen == folder => Ok(()),
            Some((folder, _)) => {
                folder.clone_into(&mut seen);
                write!(body, "<CommonPrefixes><Prefix>{prefix}{folder}/</Prefix></CommonPrefixes>")
            }
            None => write!(body, "<Contents><Key>{key}</Key><ETag>{}</ETag></Contents>", etag(text)),
        };
    }
    body.push_str("</ListBucketResult>");
    answer(200, "application/xml", body)
}

fn etag(text: &str) -> String {
    statemachine::resource::short_hash(&text)
}
