//! `holdfast keys`.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::support::run;

#[test]
fn a_keystore_is_made_shown_and_proven_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (keystore, password, wrong) = (path("m0.json"), path("password"), path("wrong"));
    fs::write(&password, "correct horse\n").unwrap();
    fs::write(&wrong, "battery staple\n").unwrap();

    let made = run(&["--json", "keys", "new", "--keystore", &keystore, "--password-file", &password]).ok().json();
    assert_eq!(fs::metadata(&keystore).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = run(&["--json", "keys", "show", "--keystore", &keystore]).ok().json();
    assert_eq!(made["publicKey"], shown["publicKey"]);
    let proven = run(&["--json", "keys", "pop", "--keystore", &keystore, "--password-file", &password]).ok().json();
    assert_eq!(proven["publicKey"], made["publicKey"]);
    let key = proven["publicKey"].as_str().unwrap().parse().unwrap();
    let proof = proven["proofOfPossession"].as_str().unwrap().parse().unwrap();
    let without = holdfast_certificate::Registration::WITHOUT_L1;
    holdfast_certificate::ProvenKey::check(key, proof, &without).expect("the proof verifies");
    let (registry, account) = (format!("0x{}", "33".repeat(20)), format!("0x{}", "22".repeat(20)));
    let pop = ["--json", "keys", "pop", "--keystore", &keystore, "--password-file", &password];
    let registered = ["--chain-id", "5", "--registry", &registry, "--account", &account];
    let proven = run(&[&pop[..], &registered].concat()).ok().json();
    let registration = holdfast_certificate::Registration {
        domain: holdfast_certificate::Domain { chain_id: 5, registry: registry.parse().unwrap() },
        account: account.parse().unwrap(),
    };
    let proof = proven["proofOfPossession"].as_str().unwrap().parse().unwrap();
    holdfast_certificate::ProvenKey::check(key, proof, &registration).expect("the proof verifies");
    run(&[&pop[..], &registered[..4]].concat()).fails(2, &["--account"]);

    run(&["keys", "pop", "--keystore", &keystore, "--password-file", &wrong]).fails(2, &["m0.json", "password"]);
    let before = fs::read(&keystore).unwrap();
    run(&["keys", "new", "--keystore", &keystore, "--password-file", &password]).fails(6, &["m0.json", "overwritten"]);
    assert_eq!(fs::read(&keystore).unwrap(), before);
    run(&["keys", "show", "--keystore", &password]).fails(2, &["not an ERC-2335 keystore"]);
    run(&["keys", "pop", "--keystore", &path("absent"), "--password-file", &password])
        .fails(2, &["cannot read", "absent"]);
}

#[test]
fn a_seed_gives_the_same_key_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (password, seed, short) = (path("password"), path("seed"), path("short"));
    fs::write(&password, "p").unwrap();
    fs::write(&seed, "07".repeat(32)).unwrap();
    fs::write(&short, "07".repeat(31)).unwrap();
    let new = |name: &str, seed: &str, at: &str| {
        run(&[
            "keys",
            "new",
            "--keystore",
            &path(name),
            "--password-file",
            &password,
            "--seed-file",
            seed,
            "--path",
            at,
        ])
    };
    let first = new("a", &seed, "m/12381/60/0/0").ok();
    let again = new("b", &seed, "m/12381/60/0/0").ok();
    let other = new("c", &seed, "m/12381/60/0/1").ok();
    assert_eq!(first.text(), again.text());
    assert_ne!(first.text(), other.text());
    new("d", &short, "m/1").fails(2, &["31 bytes", "at least 32"]);
    new("d", &seed, "12381/60").fails(2, &["m/12381/60/0/0"]);
    new("d", &seed, "m/x").fails(2, &["\"x\"", "2^32"]);
    assert!(!folder.path().join("d").exists());
}
