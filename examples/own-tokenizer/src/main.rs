//! tokbench with one more tokenizer, which every command knows:
//!
//! ```text
//! cargo run --release -p own-tokenizer -- list
//! cargo run --release -p own-tokenizer -- compare --tokenizers base,runs
//! ```

mod runs;

use std::process::ExitCode;

use tokbench::registry;

fn main() -> ExitCode {
    tokbench::main(registry::builtin().with(runs::KIND))
}
