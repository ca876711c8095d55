//! Stepstack's command line as a library: the installer of the engine, and local mode.

pub mod install;
pub mod local;
