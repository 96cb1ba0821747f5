//! `holdfast committee propose|revoke --safe-json`: the file is the call that was asked for, and the diff says what it is.

use std::fs;

use holdfast_devchain::DEV_KEYS;
use serde_json::Value;

use crate::{
    committee::{
        Desk, GOVERNANCE, address, arguments, l1, public_key,
        safe::{Call, word},
    },
    support::{Devnet, run},
};

/// The words of a `proposeEpoch` call.
fn proposal(cards: &[String], k: u64, t: u64, max_payload: u64, active_from: u64) -> Vec<String> {
    let n = cards.len() as u64;
    let head = [0xc0, 0xc0 + 32 + 256 * n, k, t, max_payload, active_from, 256 * n].map(word);
    let keys = keys_of(cards);
    let keys = keys.chunks(32).map(hex::encode);
    let accounts = cards.iter().map(|card| format!("{}{}", "0".repeat(24), &account_of(card)[2..]));
    head.into_iter().chain(keys).chain([word(n)]).chain(accounts).collect()
}

/// The cards' keys in EIP-2537 layout, one after the other.
fn keys_of(cards: &[String]) -> Vec<u8> {
    cards.iter().flat_map(|card| public_key(card).to_eip2537()).collect()
}

/// The account that a card names.
fn account_of(card: &str) -> String {
    let json: Value = serde_json::from_slice(&fs::read(card).unwrap()).unwrap();
    json["registration"]["account"].as_str().unwrap().to_lowercase()
}

#[test]
fn a_proposal_is_the_call_that_was_asked_for() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let cards = desk.cards_of(&devnet);
    // Slots in the order given, which is not that of the epoch before.
    let swapped = [&cards[1..2], &cards[..1], &cards[2..]].concat();
    let six = cards[..6].to_vec();
    for (number, (cards, more, expected)) in [
        (&cards, &[][..], proposal(&cards, 2, 6, 32 << 20, 0)),
        (&swapped, &["-t", "5", "-k", "3"], proposal(&swapped, 3, 5, 32 << 20, 0)),
        (&six, &["--max-payload", "1MiB"], proposal(&six, 2, 5, 1 << 20, 0)),
        (&cards, &["--active-from", "2100-01-01T00:00:00Z"], proposal(&cards, 2, 6, 32 << 20, 4_102_444_800)),
        // Past what a date can show.
        (&cards, &["--active-from", "281474976710654"], proposal(&cards, 2, 6, 32 << 20, 281_474_976_710_654)),
    ]
    .into_iter()
    .enumerate()
    {
        let file = desk.path(&format!("epoch-{number}.json"));
        let options = ["--json", "committee", "propose", "--safe-json", &file];
        let ran = run(&arguments(&[&options, more, &["--cards"]], &[cards.as_slice(), &l1].concat())).ok();
        let call = Call::read(&file, &address(&GOVERNANCE), &devnet);
        assert_eq!(call.function(), "proposeEpoch");
        assert_eq!(call.words(), expected, "{more:?}");
        // What the wallet shows and encodes anew is the same.
        assert_eq!(call.shown("keys"), format!("0x{}", hex::encode(keys_of(cards))));
        let accounts: Vec<_> = cards.iter().map(|card| account_of(card)).collect();
        assert_eq!(call.shown("accounts").to_lowercase(), format!("[{}]", accounts.join(",")));
        for (position, argument) in ["originalShards", "threshold", "maxPayload", "activeFrom"].iter().enumerate() {
            assert_eq!(word(call.shown(argument).parse().unwrap()), expected[2 + position], "{argument}");
        }
        assert_eq!((&ran.json()["epoch"], &ran.json()["succeeds"]), (&2.into(), &1.into()));
        // What the signers read does not grow stale while they gather.
        let begins =
            if more[..].contains(&"--active-from") { "; active from " } else { "; active 1s after it is sent" };
        let description = call.json["meta"]["description"].as_str().unwrap();
        assert!(description.starts_with("epoch 2: n=") && description.contains(begins), "{description}");
        assert_eq!(ran.json()["governance"], address(&GOVERNANCE));
    }
}

#[test]
fn a_committee_file_is_proposed_as_its_cards_are() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let cards = desk.cards_of(&devnet);
    let committee = devnet.dir().join("committee.json").to_str().unwrap().to_owned();
    let data = |name: &str, from: &[&str], owned: &[String]| {
        let file = desk.path(name);
        run(&arguments(&[&["committee", "propose", "--safe-json", &file], from], &[owned, &l1].concat())).ok();
        Call::read(&file, &address(&GOVERNANCE), &devnet).data
    };
    assert_eq!(data("a.json", &["--committee", &committee], &[]), data("b.json", &["--cards"], &cards));
}

#[test]
fn the_diff_says_what_changes_and_what_gets_weaker() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let mut cards = desk.cards_of(&devnet);
    cards.swap(0, 1);
    cards.pop();
    let propose = |name: &str, more: &[&str]| {
        let file = desk.path(name);
        let options = ["committee", "propose", "-t", "4", "--safe-json", &file];
        run(&arguments(&[&options, more, &["--cards"]], &[cards.as_slice(), &l1].concat())).ok()
    };
    let ran = propose("a.json", &[]);
    let row = |begins: &str| {
        let mut lines = ran.text().lines().filter(|line| line.split("  ").next() == Some(begins));
        let line = lines.next().unwrap_or_else(|| panic!("{begins:?} in: {}", ran.text()));
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, before, after) in [
        ("members n", "7", "6"),
        ("signatures needed t", "6", "4"),
        ("original shards k", "2", "2"),
        ("stored per byte", "3.50", "3.00"),
        ("may be down for writes", "1", "2"),
        ("colluders to withhold", "5", "3"),
        ("honest members needed", "3", "4"),
    ] {
        assert_eq!(row(name), [name, before, after]);
    }
    // Slots have cells that no terminal is wide enough for in a row: each is a block, with its change below it.
    let blocks: Vec<&str> = ran.text().split("\nslot        ").skip(1).collect();
    for (slot, change) in [("m0", "CHANGES OPERATOR"), ("m2", "stays"), ("m6", "LEAVES")] {
        let block = blocks.iter().find(|block| block.lines().next() == Some(slot)).unwrap_or_else(|| panic!("{slot}"));
        assert_eq!(block.lines().nth(1).map(str::trim), Some(format!("change    {change}").as_str()));
    }
    for note in [
        "weaker: 3 members can withhold data by colluding, 5 before",
        "weaker: 4 honest members are needed to read, 3 before",
        "m0 has the key of m1",
        "a Safe cannot sign for it",
    ] {
        let mut notes = ran.text().lines().filter(|line| line.starts_with("note: "));
        assert!(notes.any(|line| line.contains(note)), "{note}: {}", ran.text());
    }
    // Cards that say what L1 says are not remarked on.
    assert!(!ran.text().contains("nobody names") && !ran.text().contains("TLS pin 0x"), "{}", ran.text());

    let json = propose("b.json", &["--json"]).json();
    let changes: Vec<_> =
        json["slots"].as_array().unwrap().iter().map(|slot| slot["change"].as_str().unwrap()).collect();
    assert_eq!(changes, ["changes-operator", "changes-operator", "stays", "stays", "stays", "stays", "leaves"]);
    assert_eq!(json["slots"][0]["movesFrom"], 1);
    assert_eq!(json["slots"][0]["account"], address(&DEV_KEYS[2]));
    assert_eq!(json["slots"][0]["previousAccount"], address(&DEV_KEYS[1]));
    assert_eq!(json["slots"][6]["keyId"], Value::Null);
    assert_eq!((&json["before"]["threshold"], &json["after"]["threshold"]), (&6.into(), &4.into()));
}

#[test]
fn a_revocation_is_the_call_that_was_asked_for_and_needs_no_key() {
    let devnet = Devnet::shared_with_l1();
    let (desk, l1) = (Desk::new(), l1(&devnet));
    let file = desk.path("revoke.json");
    let ran = run(&arguments(&[&["committee", "revoke", "--epoch", "1", "--safe-json", &file]], &l1)).ok();
    let call = Call::read(&file, &address(&GOVERNANCE), &devnet);
    assert_eq!((call.function(), call.words(), call.shown("epoch")), ("revokeEpoch", vec![word(1)], "1"));
    for part in
        ["revokeEpoch of epoch 1", "n=7 t=6 k=2, active: from", "no certificate of the epoch", &address(&GOVERNANCE)]
    {
        assert!(ran.text().contains(part), "expected {part:?} in: {}", ran.text());
    }
    // The only files in reach are those that this test wrote: no key was there to be asked for, or left behind.
    assert_eq!(desk.files(), ["revoke.json"]);
    let text = fs::read_to_string(&file).unwrap();
    assert!(DEV_KEYS.iter().all(|key| !text.contains(&hex::encode(key))), "{text}");
    for verb in ["propose", "cancel", "revoke"] {
        let help = run(&["committee", verb, "--help"]).ok();
        for asks in ["keystore", "password", "key-file"] {
            assert!(!help.text().contains(asks), "{verb}: {}", help.text());
        }
    }
}
