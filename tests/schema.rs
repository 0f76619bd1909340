//! The published schema of records (`docs/record.schema.json`) against committed records, and against the types.

use experiment::Record;
use experiment::record::{Metric, Outcome};
use serde_json::{Map, Value, json};

use crate::dir::root;

/// A JSON Schema of the few keywords that ours uses; any other keyword is an error.
struct Schema(Value);

impl Schema {
    fn read() -> Schema {
        let text = std::fs::read_to_string(root().join("docs/record.schema.json")).unwrap();
        Schema(serde_json::from_str(&text).unwrap())
    }

    /// Why a value does not fit, with its place.
    fn check(&self, value: &Value) -> Result<(), String> {
        self.fits(self.0.as_object().unwrap(), value, "")
    }

    fn fits(&self, schema: &Map<String, Value>, value: &Value, at: &str) -> Result<(), String> {
        for (keyword, wanted) in schema {
            let fits = match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => true,
                "$ref" => {
                    let pointer = wanted.as_str().unwrap().strip_prefix('#').expect("a definition of this file");
                    let named = self.0.pointer(pointer).and_then(Value::as_object).expect("a definition");
                    self.fits(named, value, at).map(|()| true)?
                }
                "oneOf" => {
                    let kinds =
                        wanted.as_array().unwrap().iter().map(|kind| self.fits(kind.as_object().unwrap(), value, at));
                    let (good, bad): (Vec<_>, Vec<_>) = kinds.partition(Result::is_ok);
                    let all = || bad.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; or ");
                    (good.len() == 1).then_some(true).ok_or_else(all)?
                }
                "type" => match wanted {
                    Value::Array(types) => types.iter().any(|kind| is(kind, value)),
                    kind => is(kind, value),
                },
                "const" => value == wanted,
                "enum" => wanted.as_array().unwrap().contains(value),
                "minimum" => value.as_f64() >= wanted.as_f64(),
                "maximum" => value.as_f64() <= wanted.as_f64(),
                "pattern" => {
                    assert_eq!(wanted, "^[0-9a-f]{64}$", "the one pattern that is understood");
                    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
                    value.as_str().is_some_and(|text| text.len() == 64 && text.bytes().all(digit))
                }
                "required" => wanted.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
                "additionalProperties" => {
                    assert_eq!(wanted, &Value::Bool(false));
                    let known = schema["properties"].as_object().unwrap();
                    value.as_object().is_some_and(|object| object.keys().all(|name| known.contains_key(name)))
                }
                "properties" => {
                    for (name, schema) in wanted.as_object().unwrap() {
                        if let Some(value) = value.get(name) {
                            self.fits(schema.as_object().unwrap(), value, &format!("{at}/{name}"))?;
                        }
                    }
                    true
                }
                "items" => {
                    for (number, value) in value.as_array().into_iter().flatten().enumerate() {
                        self.fits(wanted.as_object().unwrap(), value, &format!("{at}/{number}"))?;
                    }
                    true
                }
                other => panic!("the keyword {other:?} is not understood"),
            };
            if !fits {
                return Err(format!("{at}: {keyword} {wanted}"));
            }
        }
        Ok(())
    }
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("the type {other:?} is not understood"),
    }
}

/// Lines of all committed records, one of each file and kind of run first.
fn committed() -> Vec<Value> {
    let mut values = Vec::new();
    let folders =
        ["experiments", "experiments/protocol1"].map(|folder| std::fs::read_dir(root().join(folder)).unwrap());
    for entry in folders.into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            let text = std::fs::read_to_string(path).unwrap();
            values.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
        }
    }
    assert!(values.len() > 100, "{} records", values.len());
    values
}

#[test]
fn committed_records_fit_the_schema() {
    let schema = Schema::read();
    for value in committed() {
        schema.check(&value).unwrap_or_else(|why| panic!("{}: {why}", value["key"]));
    }
}

/// What no committed record has: a failure, names of classes, another metric, a loss that is not a number.
#[test]
fn rare_records_fit_the_schema() {
    let schema = Schema::read();
    let records: Vec<Record> = committed().into_iter().map(|value| serde_json::from_value(value).unwrap()).collect();
    let check = |record: &Record| schema.check(&serde_json::to_value(record).unwrap()).unwrap();
    let mut failed = records[0].clone();
    failed.outcome = Outcome::Failed { reason: "the loss diverged at step 7".to_owned() };
    check(&failed);
    let (mut classifiers, mut models) = (0, 0);
    for mut record in records {
        match &mut record.outcome {
            Outcome::Finetuned(found) => {
                (found.names, found.metric) = (vec!["no".to_owned(), "yes".to_owned()], Metric::F1);
                found.dev_losses[0] = f64::NAN;
                classifiers += 1;
            }
            Outcome::Pretrained(found) if !found.curve.is_empty() => {
                found.curve[0].loss = f64::NAN;
                models += 1;
            }
            _ => {}
        }
        check(&record);
    }
    assert!(classifiers > 0 && models > 0);
}

#[test]
fn what_does_not_fit_is_refused() {
    let schema = Schema::read();
    let record = committed().into_iter().find(|value| value["outcome"]["status"] == "pretrained").unwrap();
    let refused = |pointer: &str, name: &str, value: Value| {
        let mut changed = record.clone();
        changed.pointer_mut(pointer).unwrap()[name] = value;
        assert!(schema.check(&changed).is_err(), "{pointer}/{name}");
    };
    refused("", "key", json!("0123"));
    refused("", "more", json!(1));
    refused("/run", "seed", json!(-1));
    refused("/run/work", "kind", json!("other"));
    refused("/outcome", "status", json!("finetuned"));
    refused("/outcome/blocks/0", "bases", json!(1.5));
    refused("/outcome/blocks/0", "surprise", json!(0.0));
    refused("/timing", "threads", json!("two"));
    let mut missing = record.clone();
    missing["outcome"]["cost"].as_object_mut().unwrap().remove("steps");
    assert!(schema.check(&missing).is_err());
}

/// The page names every field, and every field has a description.
#[test]
fn every_field_is_described() {
    let schema = Schema::read();
    let page = std::fs::read_to_string(root().join("docs/records.md")).unwrap();
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).flat_map(|code| code.split(['.', '[', ']'])).collect();
    for (kind, definition) in schema.0["$defs"].as_object().unwrap() {
        for (name, field) in definition["properties"].as_object().into_iter().flatten() {
            assert!(named.contains(&name.as_str()), "docs/records.md does not name {kind}.{name}");
            let told =
                field.get("description").is_some() || field.get("$ref").is_some() || field.get("const").is_some();
            assert!(told, "{kind}.{name} has no description");
        }
    }
}
