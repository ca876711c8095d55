//! What a resource is called inside its stack.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A resource's name inside its stack: `kind/what`, with `@hash` behind it where its identity holds
/// settings that AWS cannot change in place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Name(String);

impl Name {
    /// `Name::new("subnet", "public-a")` is `subnet/public-a`.
    pub fn new(kind: &str, what: impl fmt::Display) -> Self {
        Self(format!("{kind}/{what}"))
    }

    /// A name whose end is a short hash of what AWS cannot change in place.
    pub fn hashed(kind: &str, what: impl fmt::Display, identity: &impl Serialize) -> Self {
        Self(format!("{kind}/{what}@{}", short_hash(identity)))
    }

    /// From a tag or a message.
    pub fn from_tag(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Stands for a resource that is not the stack's: its id.
    pub fn foreign(id: &str) -> Self {
        Self(id.to_owned())
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `subnet` of `subnet/public-a`.
    pub fn kind(&self) -> &str {
        self.0.split('/').next().unwrap_or("")
    }

    /// `public-a` of `subnet/public-a`, the hash included.
    pub fn what(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, what)| what)
    }

    /// The name without its hash: both halves of a replacement share it.
    pub fn base(&self) -> &str {
        self.0.split('@').next().unwrap_or(&self.0)
    }

    /// The hash alone, where it has one.
    pub fn hash(&self) -> Option<&str> {
        self.0.split_once('@').map(|(_, hash)| hash)
    }

    /// The name under which an attribute of it (`dns_name`) stands in [`Names`].
    #[must_use]
    pub fn attribute(&self, attribute: &str) -> Name {
        Name(format!("{}#{attribute}", self.0))
    }

    /// The resource that an attribute belongs to; itself for a resource.
    #[must_use]
    pub fn whole(&self) -> Name {
        Name(self.0.split('#').next().unwrap_or_default().to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Six hex digits of the SHA-256 of a value's JSON.
pub fn short_hash(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).expect("descriptions serialize");
    hex(&Sha256::digest(json))[..6].to_owned()
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string");
        text
    })
}
