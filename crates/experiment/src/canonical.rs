//! Canonical JSON: object keys sorted, no white space, numbers in shortest form.
//!
//! Keys are sorted here because the maps of `serde_json` keep insertion order if any crate of the build enables that feature,
//! and a run key must not depend on other crates.

use serde_json::Value;

/// Canonical JSON text of a value.
///
/// ```
/// let value = serde_json::json!({ "b": 1, "a": [0.1, null, { "d": "x", "c": true }] });
/// assert_eq!(experiment::canonical::json(&value), r#"{"a":[0.1,null,{"c":true,"d":"x"}],"b":1}"#);
/// ```
#[must_use]
pub fn json(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// BLAKE3 of the canonical JSON, 64 hexadecimal digits.
#[must_use]
pub fn hash(value: &Value) -> String {
    blake3::hash(json(value).as_bytes()).to_hex().to_string()
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (i, (name, member)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(member, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        plain => out.push_str(&plain.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                proptest::collection::btree_map("\\PC{0,4}", inner, 0..6)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    /// Whether the keys of all objects are sorted.
    fn sorted(value: &Value) -> bool {
        match value {
            Value::Object(map) => map.keys().zip(map.keys().skip(1)).all(|(a, b)| a < b) && map.values().all(sorted),
            Value::Array(items) => items.iter().all(sorted),
            _ => true,
        }
    }

    proptest! {
        #[test]
        fn round_trip_is_lossless_and_canonical(value in any_json()) {
            let text = json(&value);
            let again: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&again, &value);
            prop_assert!(sorted(&again));
            prop_assert_eq!(json(&again), text);
        }
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let a: Value = serde_json::from_str(r#"{"x":1,"a":{"z":2,"b":3}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{ "a": {"b":3, "z":2}, "x":1 }"#).unwrap();
        assert_eq!(hash(&a), hash(&b));
        assert_eq!(json(&a), r#"{"a":{"b":3,"z":2},"x":1}"#);
    }
}
