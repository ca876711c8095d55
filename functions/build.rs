//! The build script of every function: leaves out of a release what only unwinding reads.
//!
//! A function that panics aborts (`[profile.release]`), and a stripped binary has no names for a backtrace, so the
//! tables of `.eh_frame` are a twelfth of its zip for nothing. The compiler writes them all the same, with
//! `-C force-unwind-tables=no` too; the linker is told to drop them.

use std::env;

fn main() {
    let script = "../no_unwind_tables.ld";
    println!("cargo::rerun-if-changed=../build.rs");
    println!("cargo::rerun-if-changed={script}");
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let package = env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{package}/{script}");
        println!("cargo::rustc-link-arg-bins=-Wl,--no-eh-frame-hdr");
    }
}
