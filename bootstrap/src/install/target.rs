//! Where the functions are to run.

use aws_types::SdkConfig;

/// Where the functions are to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Lambda's name of the architecture that the functions were built for: `arm64`, `x86_64`.
    pub architecture: String,
    /// The endpoint that the functions are to call instead of AWS.
    pub endpoint: Option<String>,
}

impl Target {
    /// AWS itself: arm64. An emulator runs the functions as processes of this machine: its own architecture.
    pub fn of(config: &SdkConfig) -> Self {
        let endpoint = config.endpoint_url().map(str::to_owned);
        let host = if std::env::consts::ARCH == "aarch64" { "arm64" } else { std::env::consts::ARCH };
        let architecture = if endpoint.is_some() { host } else { "arm64" };
        Self { architecture: architecture.to_owned(), endpoint }
    }
}
