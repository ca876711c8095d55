//! The uploads bucket: its name, and the origins that may use it.

use super::super::stack::{Stack, Uploads};
use super::super::words::quoted;
use super::{Check, names};

pub(super) fn uploads(check: &mut Check<'_>, uploads: &Uploads, stack: &Stack) {
    let Uploads { bucket, cors_origins, cors_methods, .. } = uploads;
    let Stack { app, .. } = stack;
    let path = ["uploads", "bucket"];
    if check.is_written(&path)
        && let Some(fault) = bucket_fault(bucket, app)
    {
        check.problem(
            &path,
            format!("the bucket's name {} {fault}", quoted(bucket)),
            format!(
                "leave `bucket` out to have `{}`, or choose another name",
                stack.aws_names().uploads_bucket()
            ),
        );
    }
    for (index, origin) in cors_origins.iter().enumerate() {
        if let Some((fault, help)) = origin_fault(origin) {
            let index = index.to_string();
            check.problem(
                &["uploads", "cors_origins", &index],
                format!("the CORS origin {} {fault}", quoted(origin)),
                help,
            );
        }
    }
    check.duplicates(&["uploads", "cors_origins"], cors_origins);
    let cors_methods: Vec<&str> = cors_methods.iter().map(|method| method.as_str()).collect();
    check.duplicates(&["uploads", "cors_methods"], &cors_methods);
}

/// What makes `bucket` no bucket name, as the end of a sentence.
///
/// Source: Amazon S3 User Guide, "General purpose bucket naming rules".
fn bucket_fault(bucket: &str, app: &str) -> Option<String> {
    let length = bucket.chars().count();
    if !(3..=63).contains(&length) {
        return Some(format!("is {length} characters long; it must have 3 to 63"));
    }
    if bucket.contains('.') {
        return Some("holds a dot: TLS, which is forced here, does not work with such a bucket".to_owned());
    }
    if let Some(bad) = bucket.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')) {
        return Some(format!(
            "holds {}; it may hold lower-case letters, digits and hyphens",
            quoted(&bad.to_string())
        ));
    }
    if bucket.starts_with('-') || bucket.ends_with('-') {
        return Some("must begin and end with a letter or digit".to_owned());
    }
    let prefix = ["xn--", "sthree-", "amzn-s3-demo-"].into_iter().find(|prefix| bucket.starts_with(prefix));
    if let Some(prefix) = prefix {
        return Some(format!("begins with `{prefix}`, which S3 keeps for itself"));
    }
    let suffix =
        ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"].into_iter().find(|suffix| bucket.ends_with(suffix));
    if let Some(suffix) = suffix {
        return Some(format!("ends with `{suffix}`, which S3 keeps for itself"));
    }
    bucket
        .starts_with(&format!("stepstack-{app}-"))
        .then(|| "begins like the provisioner's own bucket".to_owned())
}

/// What makes `origin` no origin, and what to write instead.
fn origin_fault(origin: &str) -> Option<(String, String)> {
    let usual = || "an origin is a scheme and a host, such as https://example.com".to_owned();
    if origin == "*" {
        return None;
    }
    let Some(host) = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) else {
        let fault = "does not begin with https:// or http://".to_owned();
        let is_host = names::host_fault(origin).is_none();
        return Some((fault, if is_host { format!("did you mean https://{origin}?") } else { usual() }));
    };
    if let Some((name, path)) = host.split_once('/') {
        let scheme = &origin[..origin.len() - host.len()];
        let fault = if path.is_empty() { "ends with a slash" } else { "has a path" };
        let fault = format!("{fault}; browsers send an origin without one, so it would never match");
        return Some((fault, format!("did you mean {}?", quoted(&format!("{scheme}{name}")))));
    }
    if host.matches('*').count() > 1 {
        return Some(("has more than one `*`; S3 takes one".to_owned(), usual()));
    }
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) {
        return Some(("has no port from 1 to 65535 after its colon".to_owned(), usual()));
    }
    let is_good =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.' | b'*');
    if name.is_empty() || !name.bytes().all(is_good) {
        let fault = "has no host in lower-case letters, digits, hyphens and dots".to_owned();
        return Some((fault, usual()));
    }
    None
}
