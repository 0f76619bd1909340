# Commands of this repository; CONTRIBUTING.md says what each is for.

# Tests that train models, read long texts or kill processes: left out of `quick`.
slow_units := "--skip damaged --skip long_repeats --skip long_texts --skip ten_million --skip memory_does_not_grow"
slow := "--skip interruption:: --skip figures:: --skip system:: --skip tasks:: --skip masking:: --skip laws:: --skip audit::" \
    + " --skip commands:: --skip report:: --skip letters:: --skip damaged --skip long_repeats --skip long_texts" \
    + " --skip ten_million --skip freshly_learned --skip fitted_survives --skip memory_does_not_grow"

[private]
default:
    @just --list

# Unit tests and laws, without those that train models or read genomes
quick:
    cargo test --release --workspace --lib --bins -- {{slow_units}}
    cargo test --release --workspace --test '*' -- {{slow}}

# Every test that needs no data from elsewhere
test:
    cargo test --release --workspace

# Every test that needs the data that TOKBENCH_DATA names
test-data:
    cargo test --release --workspace --lib --bins --tests -- --ignored --skip long_table

# Simulate the family-wise error of the decision rule: the table of docs/statistics.md (about ten minutes on one core)
error-rates:
    cargo test --release -p tokbench-statistics --test family_wise_error -- --ignored --nocapture long_table

# All tests: those that need data, and long simulations
full: test test-data error-rates

# Formatting and clippy
lint:
    cargo fmt --all --check
    cargo clippy --release --workspace --all-targets -- -D warnings

# Documentation of the crates, and the book (needs mdbook)
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps
    mdbook build docs

# Draw all committed figures again from the committed records
figures:
    for records in experiments/*.jsonl; do \
        cargo run --release --quiet -- report "$records" --output "figures/$(basename "$records" .jsonl)" || exit 1; \
    done

# What the public workflow checks
ci: lint test docs
