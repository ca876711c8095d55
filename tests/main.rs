//! Whole runs against an emulator: the real program, the real functions, the real state machine.

mod harness;
mod least_privilege;
mod lifecycle;
mod operate;
mod reference_stack;
mod triggers;
mod variants;
mod wrong_input;
