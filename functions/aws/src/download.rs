//! A plain GET, for what AWS hands out as a signed address (a layer of an image).

use aws_smithy_http_client::{Connector, tls};
use aws_smithy_runtime_api::client::http::HttpConnector as _;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::byte_stream::ByteStream;
use statemachine::{Error, ErrorKind, Result};

/// The bytes at a URL. Anything but a 200 is an error; the URL, which is signed, is in no message.
pub async fn download(url: &str) -> Result<Vec<u8>> {
    let request = HttpRequest::get(url)
        .map_err(|error| Error::internal(format!("AWS gave an address that is none: {error}")))?;
    let connector = Connector::builder();
    let connector = if url.starts_with("http://") {
        connector.build_http()
    } else {
        connector.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build()
    };
    let broken =
        |error: String| Error::new(ErrorKind::Transient, format!("A download from AWS broke off: {error}"));
    let answer = connector.call(request).await.map_err(|error| broken(error.to_string()))?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(broken(format!("HTTP {status}")));
    }
    let body =
        ByteStream::new(answer.into_body()).collect().await.map_err(|error| broken(error.to_string()))?;
    Ok(body.to_vec())
}
