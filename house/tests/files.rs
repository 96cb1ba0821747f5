//! No file of any crate imports, directly or by way of others, a file that imports it; and inner files do not import from the
//! crate's face. `holdfast_house::imports` says what counts as an import: what a parent takes from its children by their names
//! alone does not.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use holdfast_house::{Import, circles, imports, sources};

/// The workspace's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder of the workspace").to_path_buf()
}

/// The folders of all crates' sources.
fn crates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root())
        .expect("the workspace")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("Cargo.toml").is_file())
        .map(|path| if path.join("rust").is_dir() { path.join("rust") } else { path.join("src") })
        .collect();
    folders.sort();
    assert!(folders.len() >= 12, "{folders:?}");
    folders
}

fn imports_of(folder: &Path) -> Vec<Import> {
    imports(&sources(folder).expect("readable")).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
}

fn shown(import: &Import) -> String {
    format!("{} -> {} (crate::{})", import.from.display(), import.to.display(), import.path)
}

#[test]
fn no_two_files_of_a_crate_import_each_other() {
    let mut wrong = String::new();
    for folder in crates() {
        for circle in circles(&imports_of(&folder)) {
            let arrows: Vec<String> = circle.into_iter().map(shown).collect();
            writeln!(wrong, "{}:\n    {}", folder.display(), arrows.join("\n    ")).expect("a string");
        }
    }
    assert!(wrong.is_empty(), "files import in a circle:\n{wrong}");
}

#[test]
fn inner_files_do_not_import_from_the_face() {
    let mut wrong = String::new();
    for folder in crates() {
        for import in imports_of(&folder) {
            if import.to == Path::new("lib.rs") || import.to == Path::new("main.rs") {
                writeln!(wrong, "{}: {}", folder.display(), shown(&import)).expect("a string");
            }
        }
    }
    assert!(wrong.is_empty(), "inner files import from lib.rs or main.rs:\n{wrong}");
}

#[test]
fn module_files_stand_beside_their_folders() {
    let mut folders = vec![root()];
    let mut wrong = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                // Nothing of ours is in there.
                if !name.starts_with('.') && !["target", "node_modules", "interop"].contains(&name) {
                    folders.push(path);
                }
            } else if name == "mod.rs" {
                wrong.push(path);
            }
        }
    }
    assert!(wrong.is_empty(), "foo.rs beside foo/, not foo/mod.rs: {wrong:?}");
}

/// What the rules above are worth: each way to break them is seen.
#[test]
fn every_way_to_import_is_seen() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, text).expect("written");
    };
    file("lib.rs", "mod a; mod b; pub use a::A;");
    file("a.rs", "mod inner; use crate::b::{self, B}; pub struct A; #[cfg(test)] mod tests { use crate::c::C; }");
    file("a/inner.rs", "use super::super::b::B; fn f() { super::g(); let _ = crate::A; }");
    file("b.rs", "pub(in crate::a) struct B; mod c { fn h() { super::super::a::f() } }");
    file("b/tests.rs", "use crate::A;");
    // By its name alone a file below is not seen; by way of `self` it is.
    file("d.rs", "mod e; mod f; use e::E; use self::f::F;");
    file("d/e.rs", "use super::D;");
    file("d/f.rs", "");
    let arrows: Vec<String> = imports_of(folder.path()).iter().map(shown).collect();
    let expected = [
        "a/inner.rs -> a.rs (crate::a::g)",
        "a/inner.rs -> b.rs (crate::b::B)",
        "a/inner.rs -> lib.rs (crate::A)",
        "a.rs -> b.rs (crate::b)",
        "a.rs -> b.rs (crate::b::B)",
        "b.rs -> a.rs (crate::a::f)",
        "d/e.rs -> d.rs (crate::d::D)",
        "d.rs -> d/f.rs (crate::d::f::F)",
    ];
    assert_eq!(arrows, expected);
    let all = imports_of(folder.path());
    let circle: Vec<String> = circles(&all).into_iter().flatten().map(shown).collect();
    assert_eq!(circle, ["a.rs -> b.rs (crate::b)", "b.rs -> a.rs (crate::a::f)"]);
}
