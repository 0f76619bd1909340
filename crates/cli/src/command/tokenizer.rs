//! `tokbench tokenizer`: train, apply, inspect and convert tokenizers; files in, files out.

mod convert;
mod decode;
mod encode;
mod inspect;
mod loaded;
pub(crate) mod output;
mod sample;
pub(crate) mod standard;
mod train;

use tokenize::Registry;

use crate::args::{self, TokenizerCommand};
use crate::failure::Failure;

pub(crate) fn run(tokenizers: &Registry, args: &args::Tokenizer) -> Result<u8, Failure> {
    match &args.command {
        TokenizerCommand::Train(args) => train::run(args),
        TokenizerCommand::Encode(args) => encode::run(tokenizers, args),
        TokenizerCommand::Decode(args) => decode::run(tokenizers, args),
        TokenizerCommand::Inspect(args) => inspect::run(tokenizers, args),
        TokenizerCommand::Convert(args) => convert::run(tokenizers, args),
    }
}
