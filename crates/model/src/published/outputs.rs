//! The outputs of a published sequence classifier, as `config.json` describes them.

use dataset::TargetKind;
use serde_json::{Map, Value, json};

use super::Names;

/// What a published sequence classifier predicts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// Classes, labels or numbers.
    pub kind: TargetKind,
    /// Name of each output.
    pub names: Vec<String>,
}

impl Outputs {
    /// Outputs of which `config.json` says nothing, as in transformers: one is a number, and several are classes.
    pub(super) fn unnamed(count: usize) -> Outputs {
        Outputs {
            kind: if count == 1 { TargetKind::Numbers } else { TargetKind::Class },
            names: (0..count).map(|label| format!("LABEL_{label}")).collect(),
        }
    }

    /// Reads `problem_type`, `num_labels` and `id2label` for a classifier with `count` outputs; under multimolecule, where the settings of the
    /// head come first, those. Without `problem_type`, one output is a number and several are classes, as in transformers.
    ///
    /// # Errors
    /// A sentence that names the key, if it contradicts the number of outputs or is unknown, or if the head has an activation.
    pub(super) fn parse(json: &Map<String, Value>, count: usize, layout: Names) -> Result<Outputs, String> {
        if count == 0 {
            return Err("the classifier has no outputs".to_owned());
        }
        let head = json.get("head").filter(|_| layout == Names::Multimolecule);
        if let Some(act) = head.and_then(|head| head.get("act")).filter(|act| !act.is_null()) {
            return Err(format!("head.act is {act}: only heads without an activation are supported"));
        }
        let given = |key: &str| {
            let both = [head.and_then(|head| head.get(key)), json.get(key)];
            both.into_iter().flatten().find(|value| !value.is_null())
        };
        if let Some(labels) = given("num_labels").and_then(Value::as_u64).filter(|labels| *labels != count as u64) {
            return Err(format!("num_labels is {labels}, but the classifier has {count} outputs"));
        }
        let names = match json.get("id2label") {
            None | Some(Value::Null) => Outputs::unnamed(count).names,
            Some(names) => {
                let name = |label: usize| Some(names.get(label.to_string())?.as_str()?.to_owned());
                let all: Option<Vec<String>> = (0..count).map(name).collect();
                let complete = all.filter(|_| names.as_object().is_some_and(|names| names.len() == count));
                complete.ok_or_else(|| format!("id2label is {names}, expected a name for each of {count} outputs"))?
            }
        };
        let kind = match given("problem_type") {
            None => Outputs::unnamed(count).kind,
            Some(value) => match value.as_str() {
                Some("single_label_classification" | "multiclass") => TargetKind::Class,
                Some("multi_label_classification" | "multilabel") => TargetKind::Labels,
                Some("binary") if count == 1 => TargetKind::Labels,
                Some("regression") => TargetKind::Numbers,
                _ => return Err(format!("problem_type is {value}: unknown for a classifier with {count} outputs")),
            },
        };
        Ok(Outputs { kind, names })
    }

    /// The keys of `config.json`.
    pub(super) fn json(&self, names: Names) -> Value {
        let count = self.names.len();
        let label = |(number, name): (usize, &String)| (number.to_string(), json!(name));
        let id = |(number, name): (usize, &String)| (name.clone(), json!(number));
        let forward: Map<String, Value> = self.names.iter().enumerate().map(label).collect();
        let back: Map<String, Value> = self.names.iter().enumerate().map(id).collect();
        let kind = match (self.kind, names) {
            (TargetKind::Numbers, _) => "regression",
            (TargetKind::Labels, Names::Original) => "multi_label_classification",
            (TargetKind::Labels, Names::Multimolecule) if count == 1 => "binary",
            (TargetKind::Labels, Names::Multimolecule) => "multilabel",
            (_, Names::Original) => "single_label_classification",
            (_, Names::Multimolecule) => "multiclass",
        };
        let mut json = json!({"id2label": forward, "label2id": back});
        match names {
            Names::Original => json["problem_type"] = json!(kind),
            Names::Multimolecule => {
                json["num_labels"] = json!(count);
                json["head"] = json!({"num_labels": count, "problem_type": kind});
            }
        }
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: Value, count: usize) -> Result<Outputs, String> {
        let Value::Object(json) = json else { panic!("an object") };
        Outputs::parse(&json, count, Names::Multimolecule)
    }

    #[test]
    fn outputs_are_read_back_from_both_layouts() {
        for kind in [TargetKind::Class, TargetKind::Labels, TargetKind::Numbers] {
            for names in [Names::Original, Names::Multimolecule] {
                for count in [1, 3] {
                    let outputs = Outputs { kind, names: (0..count).map(|label| format!("label {label}")).collect() };
                    assert_eq!(parsed(outputs.json(names), count), Ok(outputs));
                }
            }
        }
    }

    #[test]
    fn what_config_json_leaves_open_is_as_in_transformers() {
        let names = |count: usize| (0..count).map(|label| format!("LABEL_{label}")).collect::<Vec<_>>();
        assert_eq!(parsed(json!({}), 2), Ok(Outputs { kind: TargetKind::Class, names: names(2) }));
        assert_eq!(parsed(json!({}), 0), Err("the classifier has no outputs".to_owned()));
        assert_eq!(parsed(json!({"id2label": null}), 1), Ok(Outputs { kind: TargetKind::Numbers, names: names(1) }));
    }

    /// `save_pretrained` of multimolecule writes the number of outputs in the settings of the head, and 1 beside them.
    #[test]
    fn the_settings_of_the_head_come_first() {
        let json = json!({"num_labels": 1, "problem_type": "regression", "head": {"num_labels": 3, "problem_type": "multilabel"}});
        assert_eq!(parsed(json.clone(), 3).unwrap().kind, TargetKind::Labels);
        let Value::Object(json) = json else { panic!("an object") };
        assert!(Outputs::parse(&json, 3, Names::Original).unwrap_err().contains("num_labels is 1"));
    }

    #[test]
    fn contradictions_are_refused_by_their_key() {
        for (json, told) in [
            (json!({"num_labels": 3}), "num_labels is 3, but the classifier has 2 outputs"),
            (json!({"id2label": {"0": "a"}}), "expected a name for each of 2 outputs"),
            (json!({"id2label": {"0": "a", "2": "b"}}), "expected a name for each of 2 outputs"),
            (json!({"head": {"act": "sigmoid"}}), "head.act is \"sigmoid\""),
            (json!({"problem_type": "ranking"}), "problem_type is \"ranking\""),
            (json!({"problem_type": "binary"}), "problem_type is \"binary\""),
        ] {
            let error = parsed(json, 2).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
