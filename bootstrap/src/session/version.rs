//! How the installed engine stands to this program.

use std::cmp::Ordering;

use semver::Version;

use crate::error::{CliError, Result};
use crate::install::{self, VERSION};

use super::Session;

/// The installed engine, seen from this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// There is none.
    Missing,
    /// An older program installed it: of this version.
    Older(String),
    /// This version installed it.
    Same,
    /// A newer program installed it: of this version.
    Newer(String),
}

impl Engine {
    fn of(installed: Option<String>, own: &str) -> Self {
        let Some(installed) = installed else { return Self::Missing };
        // A version that this program cannot read is of a later one.
        let (Ok(theirs), Ok(ours)) = (Version::parse(&installed), Version::parse(own)) else {
            return if installed == own { Self::Same } else { Self::Newer(installed) };
        };
        match theirs.cmp_precedence(&ours) {
            Ordering::Less => Self::Older(installed),
            Ordering::Equal => Self::Same,
            Ordering::Greater => Self::Newer(installed),
        }
    }
}

impl Session {
    /// The installed engine: one call, and only the first time.
    pub(crate) async fn engine(&self) -> Result<&Engine> {
        self.engine
            .get_or_try_init(|| async {
                let installed = install::installed_version(&self.config, &self.scope).await?;
                Ok(Engine::of(installed, VERSION))
            })
            .await
    }

    /// An older program may not know what the engine's record says, so it changes nothing. In local mode the
    /// engine is built from this checkout each time, and never newer.
    ///
    /// Fails where the engine is newer.
    pub(crate) async fn refuse_when_older(&self) -> Result<()> {
        if self.local {
            return Ok(());
        }
        match self.engine().await? {
            Engine::Newer(installed) => Err(CliError::refused(format!(
                "This program ({VERSION}) is older than the engine of {} ({installed}), so it changes nothing.",
                self.scope.app
            ))
            .help(format!("Install version {installed} of the program and run the command again."))),
            Engine::Missing | Engine::Older(_) | Engine::Same => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let of = |installed: &str| Engine::of(Some(installed.to_owned()), "0.10.0");
        assert_eq!(of("0.10.0"), Engine::Same);
        assert_eq!(of("0.9.12"), Engine::Older("0.9.12".to_owned()));
        assert_eq!(of("0.10.1"), Engine::Newer("0.10.1".to_owned()));
        assert_eq!(of("1.0.0"), Engine::Newer("1.0.0".to_owned()));
        assert_eq!(of("2.0.0-rc1"), Engine::Newer("2.0.0-rc1".to_owned()));
        assert_eq!(of("0.10.0-rc1"), Engine::Older("0.10.0-rc1".to_owned()));
        assert_eq!(of("as yet unknown"), Engine::Newer("as yet unknown".to_owned()));
        assert_eq!(Engine::of(None, "0.10.0"), Engine::Missing);
    }
}
