//! The ingress function: wiring only.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::RuntimeError> {
    lambda::serve::<ingress::Clients>().await
}
