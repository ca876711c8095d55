//! The configuration that a run works from, and whether it may.

use sha2::{Digest, Sha256};
use statemachine::config::{Stack, parse};
use statemachine::message::Trigger;
use statemachine::permission::Scope;
use statemachine::resource::hex;

use crate::ask::{Ask, Source};

/// A configuration that is in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// What it describes.
    pub stack: Stack,
    /// Its text.
    pub text: String,
}

impl Configuration {
    /// SHA-256 of its text.
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(&self.text))
    }
}

/// Reads what stands at `source`. The error is for a person: nothing was changed.
pub(crate) fn read(
    bytes: Option<&[u8]>,
    source: &Source,
    ask: &Ask,
    scope: &Scope,
) -> Result<Configuration, String> {
    let bytes = bytes.ok_or_else(|| format!("There is no configuration at {}.", source.key))?;
    let file = source.key.rsplit('/').next().unwrap_or("configuration");
    let stack = parse(bytes, file).map_err(|errors| errors.to_string())?;
    if stack.app != scope.app || stack.environment != ask.environment {
        return Err(format!(
            "The file is for {}/{}, and it was put in the place of {}/{}.",
            stack.app, stack.environment, scope.app, ask.environment
        ));
    }
    if let Some(region) = stack.region.as_ref().filter(|region| **region != scope.region) {
        return Err(format!("The file asks for {region}, and this engine runs in {}.", scope.region));
    }
    if let Some(tag) = ask.parameters.tag.as_ref().filter(|_| ask.trigger == Trigger::ImagePush)
        && !stack.image.deploy_on_push.contains(tag)
    {
        return Err(format!(
            "The tag {tag:?} is not one of those that a push deploys: {}.",
            stack.image.deploy_on_push.join(", ")
        ));
    }
    Ok(Configuration { stack, text: String::from_utf8_lossy(bytes).into_owned() })
}
