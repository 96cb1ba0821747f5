//! What scripts rely on: JSON of results and errors, what is given by any of its names, the version.

use std::fs;

use serde_json::Value;

use crate::support::{Devnet, run};

#[test]
fn every_result_and_every_error_says_its_format() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("format", b"format", &[]);
    for arguments in [
        &["status"][..],
        &["ls"],
        &["committee", "check"],
        &["committee", "plan", "--members", "7"],
        &["cert", "show", &certificate],
        &["cert", "verify", &certificate],
        &["blob", "check", &certificate],
        &["doctor"],
    ] {
        let said = devnet.run(&[&["--json"], arguments].concat()).ok().json();
        assert_eq!(said["format"], 1, "{arguments:?}: {said}");
    }
    assert_eq!(devnet.devnet(&["--json", "status"]).ok().json()["format"], 1);
}

#[test]
fn an_error_is_one_object_on_the_last_line_of_stderr() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    let file = devnet.file("errors", b"errors");
    devnet.devnet(&["fault", "m0", "crash"]).ok();
    devnet.devnet(&["fault", "m2", "crash"]).ok();
    let ran = devnet.run(&["--json", "put", &file, "--deadline", "3s"]);
    ran.fails(3, &["quorum not reached"]);
    assert!(ran.stdout.is_empty());
    let said: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(said["format"], 1);
    let error = &said["error"];
    assert_eq!((&error["code"], &error["exit"]), (&"unreachable".into(), &3.into()));
    let slots: Vec<u64> = error["members"].as_array().unwrap().iter().map(|it| it["slot"].as_u64().unwrap()).collect();
    assert!(slots.contains(&0) && slots.contains(&2), "{error}");
    for member in error["members"].as_array().unwrap() {
        assert!(member["endpoint"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{member}");
        assert!(member["text"].is_string(), "{member}");
    }
    assert_eq!(error["members"][0]["code"], "UNREACHABLE");
    // Members stand in records only.
    assert!(!error["message"].as_str().unwrap().contains("member"), "{error}");

    let never = format!("0x{}", "ab".repeat(32));
    for (arguments, code, exit) in [
        (&["get", "absent", "-o", "x"][..], "usage", 2),
        (&["cert", "show"], "usage", 2),
        (&["frobnicate"], "usage", 2),
        (&["get", &never, "-o", "x"], "unreachable", 3),
        (&["cert", "show", "/dev/null"], "verification", 4),
    ] {
        let ran = devnet.run(&[&["--json"], arguments].concat());
        assert_eq!(ran.code, Some(exit), "{arguments:?}: {}", ran.stderr);
        let error = ran.error().unwrap_or_else(|| panic!("{arguments:?}: {}", ran.stderr));
        assert_eq!((&error["code"], &error["exit"]), (&code.into(), &exit.into()), "{arguments:?}");
    }
}

#[test]
fn what_put_has_printed_is_read_wherever_a_certificate_is() {
    let devnet = Devnet::shared();
    let file = devnet.file("dress", b"in every dress");
    let put = devnet.run(&["--json", "put", &file]).ok();
    let hex = put.json()["certificate"].as_str().unwrap().to_owned();
    let dresses = [
        devnet.file("dress.json", &put.stdout),
        devnet.file("dress.hex", format!("{hex}\n").as_bytes()),
        devnet.file("dress.bare", hex.trim_start_matches("0x").as_bytes()),
        devnet.file("dress.bin", &hex::decode(&hex[2..]).unwrap()),
        hex,
    ];
    for dress in &dresses {
        for verb in [["cert", "show"], ["cert", "verify"], ["blob", "check"]] {
            devnet.run(&[verb[0], verb[1], dress]).ok();
        }
        assert_eq!(devnet.get(dress), b"in every dress");
    }
}

#[test]
fn what_is_given_is_named() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("named-kind", b"named", &[]);
    let checkpoint = devnet.path("named-kind.cp");
    let ids = devnet.path("named-kind.ids");
    devnet.run(&["cert", "checkpoint", &certificate, "-o", &checkpoint, "--ids-out", &ids, "--force"]).ok();
    let read = devnet.path("named-kind.read");
    devnet.run(&["get", &checkpoint, "-o", &read]).fails(2, &["this is a checkpoint over 1 blob"]);
    devnet.run(&["cert", "checkpoint", &checkpoint]).fails(2, &["this is a checkpoint", "expected a certificate"]);
    devnet.run(&["get", "0x1234", "-o", &read]).fails(2, &["2 bytes are no id"]);
    let id = fs::read_to_string(&ids).unwrap().trim().to_owned();
    devnet.run(&["cert", "show", &id]).fails(2, &["is a blob id"]);
    let committee = devnet.dir().join("committee.json");
    devnet.run(&["cert", "show", committee.to_str().unwrap()]).fails(4, &["this is a committee file"]);
    // A certificate serves where its blob is meant.
    let prove = |what: &str| devnet.run(&["--json", "cert", "prove", what, "--checkpoint", &checkpoint, "--ids", &ids]);
    assert_eq!(prove(&certificate).ok().json(), prove(&id).ok().json());
    prove(&checkpoint).fails(2, &["expected one of its blobs"]);
}

#[test]
fn the_version_names_commit_and_target() {
    let said = run(&["--version"]).ok();
    for part in [env!("CARGO_PKG_VERSION"), "commit    ", "target    ", "protocol  1", "features  "] {
        assert!(said.text().contains(part), "{}", said.text());
    }
    assert_eq!(run(&["-V"]).ok().text(), format!("holdfast {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&["completions", shell]).ok();
        for part in ["put", "checkpoint", "doctor", "--retain"] {
            let part = part.trim_start_matches(if shell == "fish" { "--" } else { "" });
            assert!(script.text().contains(part), "{shell}: {part}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    run(&["man", "--dir", folder.path().to_str().unwrap()]).ok();
    let page = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(page("holdfast-put.1").contains("retain"));
    assert!(page("holdfast.1").contains("holdfast\\-put(1)"));
    assert!(folder.path().join("holdfast-cert-checkpoint.1").exists());
}

#[test]
fn tables_fit_eighty_columns_and_no_color_is_heard() {
    let devnet = Devnet::shared();
    let wide = |text: &str| text.lines().find(|line| line.chars().count() > 80).map(str::to_owned);
    for arguments in
        [&["status"][..], &["committee", "check"], &["committee", "show"], &["committee", "plan", "--members", "40"]]
    {
        let said = devnet.run(arguments).ok();
        // What is no table is prose, which a terminal wraps; and one key or root cannot be shorter.
        let text = said.text().split("\n\n").next().unwrap_or_default();
        let line = wide(text).filter(|line| !line.contains("0x"));
        assert_eq!(line, None, "{arguments:?}");
    }
    assert_eq!(wide(devnet.devnet(&["status"]).ok().text()), None);
    for (name, value) in [("NO_COLOR", "1"), ("CLICOLOR_FORCE", "0")] {
        let said = crate::support::ran(devnet.command(&["get", "absent"]).env(name, value));
        assert!(!said.stderr.contains('\u{1b}'), "{name}: {}", said.stderr);
    }
}
