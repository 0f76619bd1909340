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

    /// The layout of a file with these tensors.
    pub(super) fn of<'a>(tensors: impl IntoIterator<Item = &'a str>) -> Names {
        // Of a file without prefixes (the encoder alone), the names of the layers tell.
        let marks = ["Wqkv", "gated_layers", "LayerNorm"];
        let original = |name: &str| {
            name.starts_with("bert.") || name.starts_with("cls.") || marks.iter().any(|mark| name.contains(mark))
        };
        if tensors.into_iter().any(original) { Names::Original } else { Names::Multimolecule }
    }

    /// Name of the matrix of a sequence classifier.
    pub(super) fn classifier(self) -> &'static str {
        match self {
            Names::Original => "classifier.weight",
            Names::Multimolecule => "sequence_head.decoder.weight",
        }
    }

    /// What the names of the encoder's tensors begin with in the whole model.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Names::Original => "bert.",
            Names::Multimolecule => "model.",
        }
    }
}
