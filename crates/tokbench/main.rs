//! The program `tokbench`.

fn main() -> std::process::ExitCode {
    tokbench::main()
}
