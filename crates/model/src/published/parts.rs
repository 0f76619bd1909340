//! The tensors of a DNABERT-2 model, with their shapes and their names in both layouts.

use super::{Config, Names};

/// Prefixes of the names in a [`super::Checkpoint`].
pub(super) const EMBEDDINGS: &str = "model.embeddings";
pub(super) const HEAD: &str = "lm_head";
pub(super) const POOLER: &str = "model.pooler.dense";
pub(super) const CLASSIFIER: &str = "sequence_head.decoder";

/// Prefix of the names of a layer.
pub(super) fn layer(number: usize) -> String {
    format!("model.encoder.layer.{number}")
}

/// When a tensor must be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// In every file.
    Always,
    /// With the masked-language-model head.
    Head,
    /// With the pooler.
    Pooler,
    /// With the sequence classifier.
    Classifier,
    /// A duplicate of the part with this name, which may be absent.
    Tied(String),
}

/// One tensor of the model.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) shape: Vec<usize>,
    pub(super) presence: Presence,
    original: Vec<String>,
    /// Several if the first dimension is divided there.
    multimolecule: Vec<String>,
    name: String,
}

impl Part {
    /// Its name in a [`super::Checkpoint`].
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Its names in a layout. Several: the first dimension is divided equally.
    pub(super) fn names(&self, names: Names) -> &[String] {
        match names {
            Names::Original => &self.original,
            Names::Multimolecule => &self.multimolecule,
        }
    }
}

impl Config {
    /// Number of parameters of embeddings, encoder and masked-language-model head, tied matrices counted once; without pooler. 117,074,176
    /// for DNABERT-2.
    #[must_use]
    pub fn parameters(&self) -> usize {
        let counted = |part: &&Part| matches!(part.presence, Presence::Always | Presence::Head);
        parts(self, None).iter().filter(counted).map(|part| part.shape.iter().product::<usize>()).sum()
    }
}

/// All tensors of a model, with a classifier if it has `outputs`; those to which others are tied come first.
pub(super) fn parts(config: &Config, outputs: Option<usize>) -> Vec<Part> {
    let Config { vocabulary, types, hidden: h, intermediate: i, layers, .. } = *config;
    let mut all = Vec::new();
    let mut add = |presence: &Presence, original: String, multimolecule: String, shape: Vec<usize>| {
        all.push(Part {
            shape,
            presence: presence.clone(),
            name: multimolecule.clone(),
            original: vec![original],
            multimolecule: vec![multimolecule],
        });
    };
    let always = Presence::Always;
    let words = ["bert", "model"].map(|root| format!("{root}.embeddings.word_embeddings.weight"));
    add(&always, words[0].clone(), words[1].clone(), vec![vocabulary, h]);
    let (there, here) = ("bert.embeddings", EMBEDDINGS);
    let kinds = "token_type_embeddings.weight";
    add(&always, format!("{there}.{kinds}"), format!("{here}.{kinds}"), vec![types, h]);
    for end in ["weight", "bias"] {
        add(&always, format!("{there}.LayerNorm.{end}"), format!("{here}.layer_norm.{end}"), vec![h]);
    }
    for number in 0..layers {
        let (there, here) = (format!("bert.encoder.layer.{number}"), layer(number));
        for (end, shape) in [("weight", vec![3 * h, h]), ("bias", vec![3 * h])] {
            let own = |part: &str| format!("{here}.attention.self.{part}.{end}");
            add(&always, format!("{there}.attention.self.Wqkv.{end}"), own("qkv"), shape);
        }
        let linear = [
            ("attention.output.dense", "attention.output.dense", vec![h, h], true),
            ("mlp.gated_layers", "mlp.up_proj", vec![2 * i, h], false),
            ("mlp.wo", "mlp.down_proj", vec![h, i], true),
        ];
        for (original, own, shape, bias) in linear {
            if bias {
                add(&always, format!("{there}.{original}.bias"), format!("{here}.{own}.bias"), vec![shape[0]]);
            }
            add(&always, format!("{there}.{original}.weight"), format!("{here}.{own}.weight"), shape);
        }
        for (original, own) in
            [("attention.output.LayerNorm", "attention.output.layer_norm"), ("mlp.layernorm", "mlp.layer_norm")]
        {
            for end in ["weight", "bias"] {
                add(&always, format!("{there}.{original}.{end}"), format!("{here}.{own}.{end}"), vec![h]);
            }
        }
    }
    let (there, here) = ("cls.predictions", HEAD);
    for (end, shape) in [("weight", vec![h, h]), ("bias", vec![h])] {
        let dense = format!("transform.dense.{end}");
        add(&Presence::Head, format!("{there}.{dense}"), format!("{here}.{dense}"), shape);
        add(
            &Presence::Head,
            format!("{there}.transform.LayerNorm.{end}"),
            format!("{here}.transform.layer_norm.{end}"),
            vec![h],
        );
    }
    add(&Presence::Head, format!("{there}.decoder.bias"), format!("{here}.bias"), vec![vocabulary]);
    for (end, shape) in [("weight", vec![h, h]), ("bias", vec![h])] {
        add(&Presence::Pooler, format!("bert.pooler.dense.{end}"), format!("{POOLER}.{end}"), shape);
    }
    if let Some(outputs) = outputs {
        for (end, shape) in [("weight", vec![outputs, h]), ("bias", vec![outputs])] {
            add(&Presence::Classifier, format!("classifier.{end}"), format!("{CLASSIFIER}.{end}"), shape);
        }
    }
    let decoder = |end: &str| format!("{here}.decoder.{end}");
    add(&Presence::Tied(words[1].clone()), format!("{there}.decoder.weight"), decoder("weight"), vec![vocabulary, h]);
    for part in &mut all {
        if let Some((before, after)) = part.name.split_once(".qkv.") {
            part.multimolecule = ["query", "key", "value"].map(|third| format!("{before}.{third}.{after}")).to_vec();
        }
    }
    // Only multimolecule has its output bias twice.
    all.push(Part {
        shape: vec![vocabulary],
        presence: Presence::Tied(format!("{here}.bias")),
        original: Vec::new(),
        multimolecule: vec![decoder("bias")],
        name: decoder("bias"),
    });
    all
}
