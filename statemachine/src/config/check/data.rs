//! What holds data: database, uploads bucket, image repository.

use super::super::file;
use super::super::stack::{Database, Uploads};
use super::{Check, quoted};

/// Words that PostgreSQL reserves (its manual, appendix C, "reserved"): no names without quotes.
const SQL_WORDS: &str = "\
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check \
    collate collation column concurrently constraint create cross current_catalog current_date \
    current_role current_schema current_time current_timestamp current_user default deferrable desc \
    distinct do else end except false fetch for foreign freeze from full grant group having ilike \
    in initially inner intersect into is isnull join lateral leading left like limit localtime \
    localtimestamp natural not notnull null offset on only or order outer overlaps placing primary \
    references returning right select session_user similar some symmetric system_user table \
    tablesample then to trailing true union unique user using variadic verbose when where window \
    with";
/// Databases that every cluster already has.
const EXISTING_DATABASES: &[&str] = &["postgres", "rdsadmin", "template0", "template1"];
/// Users that RDS keeps for itself (CreateDBCluster refuses `admin` as reserved).
const RESERVED_USERS: &[&str] = &["admin", "none", "public"];

/// Characters of an image tag at most (the OCI distribution specification).
const TAG_LENGTH: usize = 128;

pub(super) fn database(
    check: &mut Check<'_>,
    database: &file::Database,
    app: &str,
    production: bool,
) -> Database {
    let file::Database {
        engine_version,
        min_acu,
        max_acu,
        name,
        username,
        backup_retention_days,
        deletion_protection,
        rotate_every_days,
    } = database;
    check_engine_version(check, engine_version);
    if min_acu > max_acu {
        check.problem(
            &["database", "min_acu"],
            format!("`min_acu` {min_acu} is more than `max_acu` {max_acu}"),
            format!("write min_acu = {max_acu:?} or less, or raise max_acu"),
        );
    }
    let default_name = app.replace('-', "_");
    let database_name = name.as_deref().unwrap_or(&default_name);
    // A default made from a bad app name would only repeat what was said of that.
    if name.is_some() || super::names::is_good_app(app) {
        let fault = identifier_fault(database_name).or_else(|| {
            EXISTING_DATABASES
                .contains(&database_name)
                .then(|| "is one that every cluster already has".to_owned())
        });
        if let Some(fault) = fault {
            let (words, help) = if name.is_some() {
                ("the database's name", "choose another; the app's name is usual")
            } else {
                ("the database's name (the default, from `app`)", "add `name = \"…\"` to `[database]`")
            };
            check.problem(&["database", "name"], format!("{words} {} {fault}", quoted(database_name)), help);
        }
    }
    let is_reserved = RESERVED_USERS.contains(&username.as_str())
        || username.starts_with("rds")
        || username.starts_with("pg_");
    let fault = identifier_fault(username)
        .or_else(|| is_reserved.then(|| "is reserved by Aurora PostgreSQL".to_owned()));
    if let Some(fault) = fault {
        check.problem(
            &["database", "username"],
            format!("the master user's name {} {fault}", quoted(username)),
            "leave `username` out to have `postgres`, or choose one such as `app_owner`",
        );
    }
    Database {
        engine_version: engine_version.clone(),
        min_acu: *min_acu,
        max_acu: *max_acu,
        name: database_name.to_owned(),
        username: username.clone(),
        backup_retention_days: *backup_retention_days,
        deletion_protection: deletion_protection.unwrap_or(production),
        rotate_every_days: *rotate_every_days,
    }
}

/// Only the form: what is live is AWS's to say, at plan time.
fn check_engine_version(check: &mut Check<'_>, version: &str) {
    let is_number =
        |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let good = match version.split_once('.') {
        None => is_number(version),
        Some((major, minor)) => is_number(major) && is_number(minor),
    };
    if !good {
        check.problem(
            &["database", "engine_version"],
            format!("{} is not a PostgreSQL version", quoted(version)),
            format!(
                "write a major such as \"{}\", which takes its newest minor",
                file::DEFAULT_ENGINE_VERSION
            ),
        );
    }
}

/// What makes `name` no PostgreSQL identifier that works without quotes, as the end of a sentence.
fn identifier_fault(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("is empty".to_owned());
    }
    if let Some(bad) = name.chars().find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '_')) {
        return Some(format!(
            "holds {}; it may hold lower-case letters, digits and `_`",
            quoted(&bad.to_string())
        ));
    }
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Some("must begin with a letter".to_owned());
    }
    if name.len() > 63 {
        return Some(format!("is {} characters long; 63 is the most", name.len()));
    }
    SQL_WORDS.split(' ').any(|word| word == name).then(|| "is a reserved word of PostgreSQL".to_owned())
}

pub(super) fn uploads(
    check: &mut Check<'_>,
    uploads: &file::Uploads,
    app: &str,
    environment: &str,
) -> Uploads {
    let file::Uploads { bucket, cors_origins, cors_methods, cors_max_age_s, expire_after_days } = uploads;
    if let Some(bucket) = bucket
        && let Some(fault) = bucket_fault(bucket, app)
    {
        check.problem(
            &["uploads", "bucket"],
            format!("the bucket's name {} {fault}", quoted(bucket)),
            format!("leave `bucket` out to have `{app}-uploads-{environment}`, or choose another name"),
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
    let cors_methods: Vec<String> = cors_methods.iter().map(|method| method.as_str().to_owned()).collect();
    check.duplicates(&["uploads", "cors_methods"], &cors_methods);
    Uploads {
        bucket: bucket.clone().unwrap_or_else(|| format!("{app}-uploads-{environment}")),
        cors_origins: cors_origins.clone(),
        cors_methods,
        cors_max_age_s: *cors_max_age_s,
        expire_after_days: *expire_after_days,
    }
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
        let is_host = super::names::host_fault(origin).is_none();
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

pub(super) fn deploy_on_push(check: &mut Check<'_>, tags: &[String]) -> Vec<String> {
    let path = ["image", "deploy_on_push"];
    for (index, tag) in tags.iter().enumerate() {
        let index = index.to_string();
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let fault = if tag.is_empty() {
            Some("is empty")
        } else if tag.len() > TAG_LENGTH {
            Some("is longer than 128 characters")
        } else if tag.contains('*') {
            Some("holds a `*`; every tag that deploys is named by itself")
        } else if tag.contains([':', '/']) {
            Some("holds more than the tag; the part behind the `:` is the tag")
        } else if !tag.bytes().all(is_good) || tag.starts_with(['.', '-']) {
            Some("is not a tag: letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`")
        } else if tag.strip_prefix("release-").is_some_and(|n| n.bytes().all(|byte| byte.is_ascii_digit())) {
            Some("is how releases are tagged, and those never move")
        } else {
            None
        };
        if let Some(fault) = fault {
            check.problem(
                &[path[0], path[1], &index],
                format!("the image tag {} {fault}", quoted(tag)),
                "name tags that are pushed again and again, such as `latest`",
            );
        }
    }
    check.duplicates(&path, tags);
    tags.to_vec()
}
