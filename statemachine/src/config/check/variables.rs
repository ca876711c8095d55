//! The environment variables of a service's tasks.

use super::super::stack::{Service, Stack};
use super::super::words::quoted;
use super::Check;

/// What the engine gives every task.
const ALWAYS_SET: &[&str] = &["ENV", "AWS_REGION"];
/// What it gives every task of a stack with an uploads bucket.
const SET_WITH_UPLOADS: &[&str] = &["S3_BUCKET"];
/// What it gives every task of a stack with a database; the last two as secrets.
const SET_WITH_DATABASE: &[&str] =
    &["PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGSSLMODE", "PGPASSWORD", "DATABASE_URL"];
/// What would take the task's role from it.
const CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
];

pub(super) fn variables(check: &mut Check<'_>, name: &str, service: &Service, stack: &Stack) {
    for (key, value) in &service.environment {
        let path = ["services", name, "environment", key];
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let is_set_by_us = ALWAYS_SET.contains(&key.as_str())
            || (stack.uploads.is_some() && SET_WITH_UPLOADS.contains(&key.as_str()))
            || (stack.database.is_some() && SET_WITH_DATABASE.contains(&key.as_str()));
        if key.is_empty() || !key.bytes().all(is_good) || key.as_bytes()[0].is_ascii_digit() {
            check.key_problem(
                &path,
                format!("{} is no name of an environment variable", quoted(key)),
                "letters, digits and `_`, not beginning with a digit",
            );
        } else if is_set_by_us {
            check.key_problem(
                &path,
                format!("the environment variable `{key}` is set by Stepstack in every task"),
                "leave it out, or choose another name",
            );
        } else if CREDENTIALS.contains(&key.as_str()) {
            check.key_problem(
                &path,
                format!("the environment variable `{key}` would take the place of the task's role"),
                "leave it out: AWS's SDKs find the role by themselves",
            );
        } else if value.contains('\0') {
            check.key_problem(
                &path,
                format!("the value of the environment variable `{key}` holds a zero character"),
                "leave it out",
            );
        }
    }
}
