//! The list of what is in a bundle's folder.

use std::collections::BTreeSet;

use holdfast_erasure::BlobId;

use crate::{
    bundle::{
        Bundle,
        index::{self, Lines},
    },
    output::progress,
    target,
};

/// The ids of what is in the folder, and how long their list is, in bytes. A list that is damaged, or has fewer lines than
/// `expected`, is made anew from the files: members and L1 name again what has not expired, and nobody what has. Where nobody knows
/// how many to expect, the files say.
pub(super) fn read(bundle: &Bundle, expected: Option<u64>) -> anyhow::Result<(BTreeSet<BlobId>, u64)> {
    let Lines { lines: mut order, bytes, whole } = index::read(&bundle.held_file(), index::held)?;
    let mut held: BTreeSet<BlobId> = order.iter().copied().collect();
    if whole && expected.is_some_and(|expected| held.len() as u64 >= expected) {
        return Ok((held, bytes));
    }
    let listed = order.len();
    order.extend(bundle.payloads()?.into_iter().filter(|id| held.insert(*id)));
    if whole && expected.is_none() && order.len() == listed {
        return Ok((held, bytes));
    }
    progress("the list of what is in the folder is damaged: it is made anew from the files");
    let lines: String = order.iter().map(|id| format!("{id}\n")).collect();
    target::write(&bundle.held_file(), lines.as_bytes())?;
    Ok((held, lines.len() as u64))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use holdfast_erasure::{Dispersal, Parameters, encode};

    use super::*;
    use crate::bundle::Record;

    #[test]
    fn a_list_that_is_lost_cut_or_damaged_is_made_anew_from_the_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let bundle = Bundle::make(folder.path()).expect("made");
        let code = Parameters::new(2, 5).expect("a code");
        let mut ids = Vec::new();
        for seed in 0..4u8 {
            let encoded = encode(code, vec![seed; 100].into(), Dispersal::ByPayload).expect("encodes");
            bundle.write_payload(&encoded.id(), encoded.payload()).expect("written");
            bundle.write_record(&Record::new(encoded.blob())).expect("written");
            ids.push(encoded.id());
        }
        let lines: String = ids.iter().map(|id| format!("{id}\n")).collect();
        let cases = [
            None,
            Some(String::new()),
            Some(lines[..150].to_owned()),
            Some(format!("{}damaged\n", &lines[..67])),
            Some(lines.clone()),
        ];
        for case in cases {
            // Also where the head is lost, which says how many there are.
            for expected in [Some(4), None] {
                match &case {
                    None => drop(fs::remove_file(bundle.held_file())),
                    Some(text) => fs::write(bundle.held_file(), text).expect("written"),
                }
                let (found, bytes) = read(&bundle, expected).expect("made anew");
                assert_eq!(found, ids.iter().copied().collect(), "{case:?}");
                let text = fs::read_to_string(bundle.held_file()).expect("there");
                assert_eq!((text.lines().count(), text.len() as u64), (4, bytes), "{case:?}");
            }
        }
        // A payload that is not there is not held.
        let name = hex::encode(ids[0].as_bytes());
        let payload = folder.path().join("blobs").join(&name[..2]).join(format!("{name}.bin"));
        fs::remove_file(payload).expect("removed");
        fs::remove_file(bundle.held_file()).expect("removed");
        assert_eq!(read(&bundle, Some(5)).expect("made anew").0.len(), 3);
    }
}
