//! The program `tokbench`.

fn main() -> std::process::ExitCode {
    tokbench::main(tokbench::registry::builtin())
}
