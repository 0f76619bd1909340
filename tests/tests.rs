//! Tests of the whole program: each runs commands in a fresh folder.

mod accumulation;
mod audit;
mod checkpoints;
mod choices;
mod commands;

mod configs;
mod dir;
mod docs;
mod errors;
mod figures;
mod files;
mod finetuning;

mod interruption;
mod laws;
mod learned;
mod letters;
mod masking;
mod pooling;
mod programs;
mod reading;
mod report;
mod schema;
mod snapshots;
mod structure;
mod system;
mod tasks;
mod tokenizer;
