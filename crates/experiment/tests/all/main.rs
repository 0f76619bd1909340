//! Tests of the public interface.

mod common;
mod executor;
mod foreign;
mod golden;
mod plan;
mod published;
mod spec;
mod store;
