//! The program `stepstack`: wiring only.

fn main() -> std::process::ExitCode {
    bootstrap::main()
}
