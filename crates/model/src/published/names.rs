//! The two layouts of published checkpoints.

/// A layout: whose names the tensors have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The original release: `bert.encoder.layer.0.attention.self.Wqkv.weight`.
    Original,
    /// multimolecule: `model.encoder.layer.0.attention.self.query.weight`.
    Multimolecule,
}

impl Names {
    /// For sentences.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Names::Original => "the original release",
            Names::Multimolecule => "multimolecule",
        }
    }
}
