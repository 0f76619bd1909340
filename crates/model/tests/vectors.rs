//! Parity with public implementations: reference vectors computed by them, in one file of tensors per part of the model.
//!
//! The files are in `tests/fixtures/vectors` of the repository, or in the folder `TOKBENCH_VECTORS` if set. All shapes and
//! hyperparameters are read from the files. All devices of the build are tested.

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
#[path = "vectors/native.rs"]
mod native;
#[path = "vectors/published.rs"]
mod published;
#[path = "vectors/upsampling.rs"]
mod upsampling;
