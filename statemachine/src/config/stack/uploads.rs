//! `[uploads]`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A private, versioned bucket for uploads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Uploads {
    /// The bucket's name, unique in the whole of AWS. Default: `{app}-uploads-{environment}`.
    #[schemars(
        with = "Option<String>",
        length(min = 3, max = 63),
        regex(pattern = "^[a-z0-9][a-z0-9-]*[a-z0-9]$")
    )]
    pub bucket: String,
    /// The origins that browsers may upload from: `https://example.com`.
    // None: no CORS configuration.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub cors_origins: Vec<String>,
    /// What browsers may do.
    #[serde(default = "default::cors_methods")]
    #[schemars(length(min = 1))]
    pub cors_methods: Vec<CorsMethod>,
    /// How many seconds browsers may remember a preflight answer.
    #[serde(default = "default::cors_max_age_s")]
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub cors_max_age_s: u32,
    /// Objects expire after so many days. Absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub expire_after_days: Option<u32>,
}

mod default {
    use super::CorsMethod;

    pub(super) fn cors_methods() -> Vec<CorsMethod> {
        vec![CorsMethod::Get, CorsMethod::Put, CorsMethod::Post]
    }

    pub(super) fn cors_max_age_s() -> u32 {
        3000
    }
}

/// A request method that browsers may use on the uploads bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "the methods of HTTP, as S3 takes them")]
pub enum CorsMethod {
    Get,
    Put,
    Post,
    Delete,
    Head,
}

impl CorsMethod {
    /// As HTTP writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Delete => "DELETE",
            Self::Head => "HEAD",
        }
    }
}
