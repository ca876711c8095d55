//! The truth tables of a run: what each of its steps comes to, what it has to know for that, and what it writes.
//! What follows from them for every combination stands in `every.rs`.

mod begin;
mod every;
mod finish;
mod fixture;
mod join;
mod overlay;
mod table;
mod world;
