//! Parity with public implementations: numbers printed by them, a file of tensors for each part of the model.
//!
//! They are in `tests/fixtures/vectors` at the root of the repository; `TOKBENCH_VECTORS` names another folder of the same form,
//! as every shape and hyperparameter is read from the files. Every device of the build is tested.

#[path = "vectors/deformable.rs"]
mod deformable;
#[path = "vectors/dnabert2.rs"]
mod dnabert2;
#[path = "vectors/files.rs"]
mod files;
#[path = "vectors/heads.rs"]
mod heads;
#[path = "vectors/mxdna.rs"]
mod mxdna;
#[path = "vectors/way_back.rs"]
mod way_back;
