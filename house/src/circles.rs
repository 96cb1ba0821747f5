//! Circles among files.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::imports::Import;

/// One circle for each group of files that reach each other through imports: the imports along it, each ending where the
/// next begins.
#[must_use]
pub fn circles(imports: &[Import]) -> Vec<Vec<&Import>> {
    let mut arrows: BTreeMap<&Path, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        arrows.entry(&import.from).or_default().push(import);
    }
    let mut seen: BTreeSet<&PathBuf> = BTreeSet::new();
    let mut found = Vec::new();
    for import in imports {
        if !seen.contains(&import.from)
            && let Some(circle) = way(&arrows, &import.from, &import.from)
        {
            seen.extend(circle.iter().map(|import| &import.from));
            found.push(circle);
        }
    }
    found
}

/// The shortest way along the arrows from one file to another, of at least one arrow.
fn way<'a>(arrows: &BTreeMap<&Path, Vec<&'a Import>>, from: &Path, to: &Path) -> Option<Vec<&'a Import>> {
    let mut reached: BTreeSet<&Path> = BTreeSet::new();
    let mut ways: Vec<Vec<&'a Import>> = vec![Vec::new()];
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            let end = way.last().map_or(from, |last| last.to.as_path());
            for &next in arrows.get(end).map_or(&[][..], Vec::as_slice) {
                let extended = [way.as_slice(), &[next]].concat();
                if next.to == to {
                    return Some(extended);
                }
                if reached.insert(&next.to) {
                    longer.push(extended);
                }
            }
        }
        ways = longer;
    }
    None
}
