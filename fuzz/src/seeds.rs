//! Inputs to begin with.

use serde_json::Value;

/// The longest text in a golden file that is taken for a seed, in bytes of what its hex stands for.
const MOST_BYTES: usize = 16 << 10;

/// Every value of `field` in a golden file, wherever it stands, as the bytes that its hex stands for.
///
/// # Panics
///
/// If the file is no JSON or has none: a target without seeds tests nothing.
#[must_use]
pub fn golden(json: &str, field: &str) -> Vec<Vec<u8>> {
    let value: Value = serde_json::from_str(json).expect("a golden file is JSON");
    let mut found = Vec::new();
    collect(&value, field, &mut found);
    found.sort();
    found.dedup();
    assert!(!found.is_empty(), "no {field} in the golden file");
    found
}

/// The bytes that hex stands for, with or without `0x`; none where it is no hex.
#[must_use]
pub fn hex_of(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).ok()
}

fn collect(value: &Value, field: &str, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| name == field).and_then(hex_of) {
                    Some(bytes) if bytes.len() <= MOST_BYTES => found.push(bytes),
                    _ => collect(value, field, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, field, found)),
        _ => {}
    }
}
