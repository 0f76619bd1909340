//! The crate as its users meet it.

mod common;
mod executor;
mod foreign;
mod golden;
mod plan;
mod published;
mod spec;
mod store;
