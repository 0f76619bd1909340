//! Parity with public implementations: numbers printed by them, a file of tensors for each part of the model.
//!
//! The folder is `TOKBENCH_VECTORS`, else `../shared/vectors` beside the workspace. Every shape and hyper-parameter is read
//! from the files, so another set of the same form can be dropped in. The tests are ignored, as the folder is not part of
//! the repository; `-- --ignored` runs them, on every device of the build.

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
