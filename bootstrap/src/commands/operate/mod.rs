//! The day-to-day of a running environment. Each command starts a run of its own; what is asked for and
//! refused is the engine's business, so that every trigger is answered alike.

pub(super) mod cancel;
pub(super) mod deploy;
mod docker;
pub(super) mod exec;
pub(super) mod objects;
pub(super) mod pause;
pub(super) mod restart;
pub(super) mod rollback;
pub(super) mod rotate;
pub(super) mod run;
pub(super) mod scale;
pub(super) mod snapshot;
mod start;
