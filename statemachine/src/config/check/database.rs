//! The database: its names, its version's form, its capacity.

use super::super::stack::{DEFAULT_ENGINE_VERSION, Database};
use super::super::version;
use super::super::words::quoted;
use super::{Check, names};

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

pub(super) fn database(check: &mut Check<'_>, database: &Database, app: &str) {
    let Database { engine_version, min_acu, max_acu, name, username, .. } = database;
    check_version(check, engine_version);
    if min_acu > max_acu {
        check.problem(
            &["database", "min_acu"],
            format!("`min_acu` {min_acu} is more than `max_acu` {max_acu}"),
            format!("write min_acu = {max_acu:?} or less, or raise max_acu"),
        );
    }
    check_name(check, name, app);
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
}

fn check_name(check: &mut Check<'_>, name: &str, app: &str) {
    let path = ["database", "name"];
    let is_written = check.is_written(&path);
    // A default made from a bad app name would only repeat what was said of that.
    if !is_written && !names::is_good_app(app) {
        return;
    }
    let is_there = || EXISTING_DATABASES.contains(&name);
    let fault = identifier_fault(name)
        .or_else(|| is_there().then(|| "is one that every cluster already has".to_owned()));
    if let Some(fault) = fault {
        let (words, help) = if is_written {
            ("the database's name", "choose another; the app's name is usual")
        } else {
            ("the database's name (the default, from `app`)", "add `name = \"…\"` to `[database]`")
        };
        check.problem(&path, format!("{words} {} {fault}", quoted(name)), help);
    }
}

/// Only the form: what is live is AWS's to say, at plan time.
fn check_version(check: &mut Check<'_>, version: &str) {
    if version::read(version).is_none() {
        check.problem(
            &["database", "engine_version"],
            format!("{} is not a PostgreSQL version", quoted(version)),
            format!("write a major such as \"{DEFAULT_ENGINE_VERSION}\", which takes its newest minor"),
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
