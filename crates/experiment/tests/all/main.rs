//! The crate as its users meet it.

mod common;
mod executor;
mod foreign;
mod golden;
mod plan;
mod spec;
mod store;
