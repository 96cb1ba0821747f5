//! What the registry would refuse is refused before anything is written.

use std::{fs, path::Path};

use holdfast_certificate::{CommitteeFile, FileMember, Registration, SecretKey};
use holdfast_devchain::DEV_KEYS;

use crate::{
    committee::{Desk, GOVERNANCE, address, arguments, endpoint_of, key_of, l1, public_key, registered},
    support::{Devnet, Ran, edit_json, run},
};

#[test]
fn an_unsafe_proposal_writes_no_file() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let cards = desk.cards_of(&devnet);
    let stranger = desk.card("stranger", &desk.quick_key("stranger"), "https://s.example:7400", &[]);
    let foreign = address(&DEV_KEYS[9]);
    let foreign_options = registered(&devnet, &foreign);
    let foreign_options = foreign_options.each_ref().map(String::as_str);
    let other = desk.card("other", &key_of(&devnet, 3), &endpoint_of(&devnet, 3), &foreign_options);
    let with = |card: &String| [&cards[..3], std::slice::from_ref(card), &cards[4..]].concat();
    let propose = |cards: &[String], more: &[&str]| {
        let file = desk.path("epoch.json");
        let options = ["committee", "propose", "--safe-json", &file];
        let ran = run(&arguments(&[&options, more, &["--cards"]], &[cards, &l1].concat()));
        assert!(ran.stdout.is_empty() && !desk.exists("epoch.json"), "{}", ran.text());
        ran
    };

    let ran = propose(&with(&stranger), &[]);
    ran.fails(6, &["m3 (Operator of stranger)", "is not registered", "holdfast l1 register-key"]);
    let ran = propose(&with(&other), &[]);
    ran.fails(6, &["m3 (Operator of other)", &foreign, &address(&DEV_KEYS[4]), "the card names"]);
    // Both at once, so that an operator is asked once.
    let ran = propose(&[&with(&stranger)[..6], &[other]].concat(), &[]);
    ran.fails(6, &["m3 (Operator of stranger)", "m6 (Operator of other)"]);

    let forged = desk.path("forged.card.json");
    edit_json(Path::new(&stranger), Path::new(&forged), |card| {
        card["publicKey"] = public_key(&cards[3]).to_string().into()
    });
    propose(&with(&forged), &[]).fails(4, &["forged.card.json", "Operator of stranger", "does not verify"]);

    for too_early in ["0", "5", "2026-01-31T12:00:00Z", "now"] {
        propose(&cards, &["--active-from", too_early]).fails(6, &["is to begin at", "is the earliest"]);
    }
    // Past what the contract keeps times in.
    for too_late in [1_u64 << 48, u64::MAX] {
        let ran = propose(&cards, &["--active-from", &too_late.to_string()]);
        ran.fails(6, &["the registry would refuse this proposal", "ActiveTooLate"]);
    }
    propose(&cards, &["-t", "8"]).fails(2, &["at most 7"]);
    propose(&cards[..1], &[]).fails(2, &["1 members"]);
    propose(&[&cards[..6], &cards[..1]].concat(), &[]).fails(2, &["m0.card.json", "the same public key"]);
    propose(&cards, &["--active-from", "soon"]).fails(2, &["soon", "unix seconds"]);
}

#[test]
fn more_members_than_a_registry_takes_are_refused_before_l1_is_asked() {
    let desk = Desk::new();
    let master = SecretKey::derive_master(&[7; 32]).unwrap();
    let file = |members: u16| {
        let member = |slot: u16| {
            let key = master.derive_child(slot.into());
            FileMember {
                slot,
                public_key: key.public_key(),
                proof_of_possession: key.prove_possession(&Registration::WITHOUT_L1),
                account: None,
                endpoint: "http://127.0.0.1:9".to_owned(),
                tls_pin: None,
            }
        };
        let file = CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: 1,
            original_shards: 14,
            total_shards: members,
            threshold: 81,
            max_payload: 1 << 20,
            members: (0..members).map(member).collect(),
            namespaces: Vec::new(),
        };
        let path = desk.path(&format!("{members}.json"));
        fs::write(&path, file.to_json()).unwrap();
        path
    };
    let out = desk.path("epoch.json");
    for (members, says) in [(95, "95 members, a registry takes at most 94"), (94, "no L1 is configured")] {
        let ran = run(&["committee", "propose", "--committee", &file(members), "--safe-json", &out]);
        ran.fails(2, &[says]);
    }
    assert!(!desk.exists("epoch.json"));
}

#[test]
fn an_unsafe_cancellation_or_revocation_writes_no_file() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let call = |verb: &str, epoch: &str| -> Ran {
        let file = desk.path("call.json");
        let ran = run(&arguments(&[&["committee", verb, "--epoch", epoch, "--safe-json", &file]], &l1));
        assert!(ran.stdout.is_empty() && !desk.exists("call.json"), "{}", ran.text());
        ran
    };
    call("cancel", "1").fails(6, &["the registry would refuse this", "AlreadyActive"]);
    for verb in ["cancel", "revoke"] {
        for epoch in ["0", "7", "18446744073709551615"] {
            call(verb, epoch).fails(6, &[&format!("unknown epoch {epoch}")]);
        }
        call(verb, "one").fails(2, &["one"]);
    }
}

#[test]
fn an_l1_that_is_not_the_registry_s_is_told_from_one_that_is_down() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let file = desk.path("revoke.json");
    let revoke = ["committee", "revoke", "--epoch", "1", "--safe-json", &file];
    let nobody = address(&GOVERNANCE);
    run(&[&revoke[..], &["--rpc", &l1[1], "--registry", &nobody]].concat()).fails(2, &["no contract at", &nobody]);
    run(&[&revoke[..], &["--rpc", "http://127.0.0.1:9", "--registry", &l1[3]]].concat())
        .fails(3, &["L1 at 127.0.0.1:9"]);
    run(&[&revoke[..], &["--rpc", &l1[1]]].concat()).fails(2, &["--registry ADDRESS"]);
    run(&[&revoke[..], &["--registry", &l1[3]]].concat()).fails(2, &["--rpc URL"]);
    run(&revoke).fails(2, &["no L1 is configured"]);
    assert!(!desk.exists("revoke.json"));
    run(&arguments(&[&["committee", "show", "--epoch", "9"]], &l1))
        .fails(5, &["no epoch 9 in finalized block", "1 proposed"]);
}

#[test]
fn a_file_for_a_safe_is_replaced_only_when_that_is_asked_for() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let cards = desk.cards_of(&devnet);
    let file = desk.path("precious.json");
    for (verb, owned) in [
        (&["propose", "--cards"][..], [cards.as_slice(), &l1].concat()),
        (&["revoke", "--epoch", "1"], l1.clone()),
        // What would be refused is said after that.
        (&["cancel", "--epoch", "1"], l1.clone()),
    ] {
        fs::write(&file, "precious").unwrap();
        let command =
            arguments(&[&["committee"], verb], &[&owned[..], &["--safe-json".to_owned(), file.clone()]].concat());
        run(&command).fails(6, &["precious.json exists and would be overwritten", "--force"]);
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
        let forced = run(&[command.as_slice(), &["--force".to_owned()]].concat());
        assert_eq!(forced.code, Some(if verb[0] == "cancel" { 6 } else { 0 }), "{}", forced.stderr);
        assert_eq!(fs::read_to_string(&file).unwrap() == "precious", verb[0] == "cancel");
    }
}
