//! The program `tokbench`: everything is in the crate `cli`.

fn main() -> std::process::ExitCode {
    cli::main()
}
