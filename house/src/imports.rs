//! Which file of a crate uses what of which other file.

use std::{collections::BTreeMap, path::PathBuf};

use syn::{
    Attribute, Ident, ItemMod, UseTree,
    visit::{self, Visit},
};

use crate::sources::Source;

/// One file's use of another's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The file that uses.
    pub from: PathBuf,
    /// The file that is used.
    pub to: PathBuf,
    /// What is used, as a path from the crate's root.
    pub path: String,
}

/// Every import between two files of a crate: by `use`, and by paths that begin with `crate`, `self` or `super`. What stands
/// under `#[cfg(test)]` does not count, and `mod` is no import.
///
/// # What is not seen
///
/// A parent that takes from a file below it by that file's name alone (`mod child; use child::Thing;`): to declare files and to
/// give out again what they define looks the same. So a parent and its children can import each other, where house style
/// would have what both use in a file of its own. Written `self::child::Thing`, it is seen. A name that a file gives out again
/// counts as that file's, not as that of the file which defines it; and nothing is seen of what a macro writes.
///
/// # Errors
/// A file that does not parse.
pub fn imports(sources: &[Source]) -> syn::Result<Vec<Import>> {
    let files: BTreeMap<&[String], &PathBuf> =
        sources.iter().map(|source| (source.module.as_slice(), &source.path)).collect();
    let mut found = Vec::new();
    for source in sources {
        let mut paths = Paths { module: source.module.clone(), found: Vec::new() };
        paths.visit_file(&syn::parse_file(&source.text)?);
        for path in paths.found {
            // The longest part of the path that is a file; the rest is an item in it.
            let to = (0..=path.len()).rev().find_map(|length| files.get(&path[..length]));
            let to = to.expect("the crate's root is a file");
            if **to != source.path {
                found.push(Import { from: source.path.clone(), to: (*to).clone(), path: path.join("::") });
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Gathers the paths of one file, made absolute.
struct Paths {
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    /// A path from the crate's root; `None` for one of another crate or of this scope.
    fn absolute(&self, path: &[String]) -> Option<Vec<String>> {
        let (first, mut rest) = path.split_first()?;
        let mut base = match first.as_str() {
            "crate" => Vec::new(),
            "self" => self.module.clone(),
            "super" => self.module.get(..self.module.len().checked_sub(1)?)?.to_vec(),
            _ => return None,
        };
        while let Some(("super", after)) = rest.split_first().map(|(next, after)| (next.as_str(), after)) {
            base.pop()?;
            rest = after;
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn tree(&mut self, tree: &UseTree, before: &[String]) {
        let with = |ident: &Ident| [before, &[ident.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.tree(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => self.found.extend(self.absolute(before)),
            UseTree::Name(name) => self.found.extend(self.absolute(&with(&name.ident))),
            UseTree::Rename(rename) if rename.ident == "self" => self.found.extend(self.absolute(before)),
            UseTree::Rename(rename) => self.found.extend(self.absolute(&with(&rename.ident))),
            UseTree::Glob(_) => self.found.extend(self.absolute(before)),
            UseTree::Group(group) => group.items.iter().for_each(|item| self.tree(item, before)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let attributes = match item {
            syn::Item::Fn(item) => &item.attrs,
            syn::Item::Impl(item) => &item.attrs,
            syn::Item::Mod(item) => &item.attrs,
            syn::Item::Use(item) => &item.attrs,
            _ => return visit::visit_item(self, item),
        };
        if !attributes.iter().any(is_test) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // A module in the same file: `super` in it is this module.
        if let Some((_, items)) = &item.content {
            self.module.push(item.ident.to_string());
            items.iter().for_each(|item| self.visit_item(item));
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if parts.len() > 1 {
            self.found.extend(self.absolute(&parts));
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(super)` and `pub(in crate::x)` import nothing.
    }
}

/// `#[cfg(test)]`, alone or among other conditions.
fn is_test(attribute: &Attribute) -> bool {
    if !attribute.path().is_ident("cfg") {
        return false;
    }
    attribute.meta.require_list().is_ok_and(|list| has_word(list.tokens.clone(), "test"))
}

fn has_word(tokens: proc_macro2::TokenStream, word: &str) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(ident) => ident == word,
        proc_macro2::TokenTree::Group(group) => has_word(group.stream(), word),
        _ => false,
    })
}
