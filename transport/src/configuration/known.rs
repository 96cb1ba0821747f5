//! Every key there is, so that a misspelt one is refused and the right one named.

use std::path::Path;

use toml::{Table, Value};

use super::error::Error;

/// Refuses the first key of the file that is neither a setting nor the table of one.
pub(super) fn check(table: &Table, keys: &[&str], file: &Path) -> Result<(), Error> {
    walk(table, "", keys, file)
}

fn walk(table: &Table, name: &str, keys: &[&str], file: &Path) -> Result<(), Error> {
    let tables = keys.iter().filter_map(|key| Some(key.split_once('.')?.0));
    let known: Vec<&str> = keys.iter().copied().chain(tables).collect();
    for (key, value) in table {
        let key = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        if !known.contains(&key.as_str()) {
            let nearest = nearest(&key, known.iter().copied()).map(str::to_owned);
            return Err(Error::UnknownKey { key, origin: file.display().to_string(), nearest });
        }
        if let Value::Table(inner) = value {
            walk(inner, &key, keys, file)?;
        }
    }
    Ok(())
}

/// The known name that is most like `name`, where one has much in common with it: another would only mislead.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, known)| *distance <= known.len() / 2)
        .map(|(_, known)| known)
}
