//! Whole runs against an emulator: the real program, the real functions, the real state machine.

mod console;
mod data_at_stake;
mod faults;
mod harness;
mod hostile;
mod least_privilege;
mod lifecycle;
mod locks;
mod operate;
mod reference_stack;
mod secrets;
mod states;
mod strict;
mod strict_layer;
mod triggers;
mod variants;
mod waiting;
mod wrong_input;
