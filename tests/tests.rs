//! Tests of the whole program: each runs commands in a fresh folder.

mod audit;
mod commands;
mod configs;
mod docs;
mod errors;
mod figures;
mod files;
mod house;
mod interruption;
mod laws;
mod letters;
mod masking;
mod reading;
mod report;
mod schema;
mod structure;
mod system;
mod tasks;
mod tokenizer;
