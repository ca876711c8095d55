//! The sample image that local mode puts into an empty repository.

use crate::error::Result;
use crate::local::{has_images, push_sample};
use crate::session::Session;

/// Puts a sample image into the stack's repository, where it holds none.
pub(super) async fn push_if_empty(session: &Session) -> Result<bool> {
    let ecr = aws_sdk_ecr::Client::new(&session.config);
    let repository = session.stack();
    let tag = session
        .file
        .as_ref()
        .and_then(|file| file.stack.image.deploy_on_push.first().cloned())
        .unwrap_or_else(|| "latest".to_owned());
    if has_images(&ecr, &repository).await? {
        return Ok(false);
    }
    push_sample(&ecr, &repository, &tag, "sample").await?;
    Ok(true)
}
