//! How EC2 is sent a create that neither a token nor a name makes repeatable.

use aws::SentOnce;
use aws_sdk_ec2::config::Builder;

/// The setting of such a call: the SDK does not send it again by itself.
pub(crate) fn sent_once() -> Builder {
    Builder::new().retry_classifier(SentOnce)
}
