//! The diagnose function: wiring only.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda::RuntimeError> {
    lambda::serve_with(diagnose::handler).await
}
