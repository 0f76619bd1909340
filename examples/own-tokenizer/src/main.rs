//! tokbench with two more tokenizers, which every command knows: a fixed one, and a learned one with layers of its own.
//!
//! ```text
//! cargo run --release -p own-tokenizer -- list
//! cargo run --release -p own-tokenizer -- compare --tokenizers base,runs,blocks6
//! ```

mod blocks;
mod runs;

use std::process::ExitCode;

use tokbench::registry;

fn main() -> ExitCode {
    model::frontend::own::register("blocks", blocks::Blocks);
    tokbench::main(registry::builtin().with(runs::KIND).with(blocks::KIND).with(blocks::CONTROLS))
}
