//! The image: the tags whose push deploys.

use super::super::stack::Image;
use super::super::words::quoted;
use super::Check;

/// Characters of an image tag at most (the OCI distribution specification).
const TAG_LENGTH: usize = 128;

pub(super) fn image(check: &mut Check<'_>, image: &Image) {
    let Image { deploy_on_push: tags } = image;
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
}
