//! `holdfast committee card` and `assemble`: what is taken from operators, and what is made of it.

use std::{fs, path::Path};

use crate::{
    committee::{Desk, Key},
    support::{edit_json, run},
};

fn seven(desk: &Desk) -> Vec<String> {
    (0..7)
        .map(|slot| {
            let name = format!("m{slot}");
            desk.card(&name, &desk.quick_key(&name), &format!("https://{name}.example:7400"), &[])
        })
        .collect()
}

fn assemble(cards: &[String], more: &[&str]) -> crate::support::Ran {
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    run(&[&["committee", "assemble"], cards.as_slice(), more].concat())
}

#[test]
fn seven_cards_make_a_committee_that_is_shown_as_it_was_made() {
    let desk = Desk::new();
    let cards = seven(&desk);
    let file = desk.path("committee.json");
    let made = assemble(&cards, &["--json", "-o", &file]).ok().json();
    assert_eq!((&made["members"], &made["threshold"], &made["originalShards"]), (&7.into(), &6.into(), &2.into()));
    // Without -o the file itself is printed, whoever reads it.
    for more in [&[][..], &["--json"]] {
        assert_eq!(assemble(&cards, more).ok().text(), fs::read_to_string(&file).unwrap());
    }

    let config = desk.path("client.toml");
    fs::write(&config, "committee_file = \"committee.json\"\n").unwrap();
    let shown = run(&["--config", &config, "--json", "committee", "show"]).ok().json();
    assert_eq!((&shown["epoch"], &shown["state"], &shown["chainId"]), (&1.into(), &"active".into(), &0.into()));
    assert_eq!(shown["registry"], made["registry"]);
    for (slot, card) in cards.iter().enumerate() {
        let key = super::public_key(card);
        let (shown, made) = (&shown["slots"][slot], &made["slots"][slot]);
        assert_eq!(shown["publicKey"], key.to_string());
        assert_eq!((&shown["keyId"], &made["keyId"]), (&key.id().to_string().into(), &key.id().to_string().into()));
        assert_eq!(shown["endpoint"], format!("https://m{slot}.example:7400"));
        assert_eq!(made["operator"], format!("Operator of m{slot}"));
    }
    let text = run(&["--config", &config, "committee", "show", "--epoch", "1"]).ok();
    for part in ["epoch         1 (active)", "n=7 t=6 k=2", "slot        m6", "https://m6.example:7400"] {
        assert!(text.text().contains(part), "expected {part:?} in: {}", text.text());
    }
    run(&["--config", &config, "committee", "show", "--epoch", "2"]).fails(5, &["no epoch 2 in the committee file"]);

    for (more, says) in [
        (&["-t", "8"][..], "at most 7"),
        (&["-t", "3"], "at least 4"),
        (&["-k", "7"], "k=7"),
        (&["--max-payload", "0"], "payload"),
        (&["--max-payload", "3TB"], "3TB"),
        (&["--namespace", "0x12"], "--namespace"),
        (&["--chain-id", "1"], "--registry"),
    ] {
        let bad = desk.path("bad.json");
        assemble(&cards, &[more, &["-o", &bad]].concat()).fails(2, &[says]);
        assert!(!desk.exists("bad.json"), "{more:?}");
    }
    assemble(&cards[..1], &[]).fails(2, &["1 members, expected 2 to 126"]);
    let twice = [&cards[..6], &cards[2..3]].concat();
    assemble(&twice, &[]).fails(2, &["m2.card.json", "the same public key"]);
}

#[test]
fn a_card_that_proves_nothing_is_named_and_refused() {
    let desk = Desk::new();
    let cards: Vec<_> = (0..4)
        .map(|slot| {
            let name = format!("m{slot}");
            desk.card(&name, &desk.quick_key(&name), "https://a.example:7400", &[])
        })
        .collect();
    let proof = |card: &String| {
        let card: serde_json::Value = serde_json::from_slice(&fs::read(card).unwrap()).unwrap();
        card["proofOfPossession"].clone()
    };
    let refused = |change: &dyn Fn(&mut serde_json::Value), code: i32, says: &[&str]| {
        let changed = desk.path("changed.card.json");
        edit_json(Path::new(&cards[1]), Path::new(&changed), change);
        let cards = [&cards[..1], &[changed], &cards[2..]].concat();
        let file = desk.path("committee.json");
        assemble(&cards, &["-o", &file]).fails(code, &[&["changed.card.json"], says].concat());
        assert!(!desk.exists("committee.json"));
    };
    let foreign = proof(&cards[0]);
    // Somebody else's proof, and somebody else's key with one's own proof: both claim a key that is not proven.
    refused(&|card| card["proofOfPossession"] = foreign.clone(), 4, &["Operator of m1", "does not verify"]);
    let key = super::public_key(&cards[0]).to_string();
    refused(&|card| card["publicKey"] = key.clone().into(), 4, &["Operator of m1", "does not verify"]);
    refused(&|card| card["version"] = 2.into(), 2, &["version 2, expected 1"]);
    refused(&|card| card["endpoint"] = "m1.example".into(), 2, &["no endpoint"]);
    refused(&|card| card["endpoint"] = format!("https://{}", "m".repeat(250)).into(), 2, &["at most 255"]);
    refused(&|card| card["operator"] = "\u{1b}[2J".into(), 2, &["operator's name"]);
    refused(&|card| card["tlsPin"] = "00".repeat(32).into(), 2, &["a pin of zeros"]);
    let plain = |card: &mut serde_json::Value| {
        card["endpoint"] = "http://m1.example:7400".into();
        card["tlsPin"] = "5a".repeat(32).into();
    };
    refused(&plain, 2, &["a TLS key is pinned for it: expected https"]);
    refused(&|card| card["secret"] = "x".into(), 2, &["unknown field"]);
    refused(&|card| card["publicKey"] = "0x00".into(), 2, &["not a member's card"]);
}

#[test]
fn a_card_holds_what_was_said_and_nothing_secret() {
    let desk = Desk::new();
    let key = desk.quick_key("m0");
    let pin = "5a".repeat(32);
    let account = format!("0x{}", "22".repeat(20));
    let registry = format!("0x{}", "33".repeat(20));
    let registered = ["--account", &account, "--chain-id", "5", "--registry", &registry];
    let card = desk.card("m0", &key, "https://m0.example:7400", &[&["--tls-pin", &pin], &registered[..]].concat());
    let text = fs::read_to_string(&card).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let fields: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    let known = ["endpoint", "operator", "proofOfPossession", "publicKey", "registration", "tlsPin", "version"];
    assert!(fields.len() == known.len() && known.iter().all(|field| fields.contains(field)), "{fields:?}");
    assert_eq!(json["tlsPin"], format!("0x{pin}"));
    assert_eq!(json["registration"], serde_json::json!({ "chainId": 5, "registry": registry, "account": account }));
    // The pin is in the committee file.
    let other = desk.card("m1", &desk.quick_key("m1"), "https://m1.example:7400", &registered);
    let cards = [card, other];
    let ran = assemble(&cards, &["-t", "2", "-k", "1", "--chain-id", "5", "--registry", &registry]).ok();
    // The proofs on them are for that registry, and for no other committee.
    for elsewhere in [&[][..], &["--chain-id", "6", "--registry", &registry]] {
        let options = [&["-t", "2", "-k", "1"], elsewhere].concat();
        assemble(&cards, &options).fails(2, &["the card of Operator of m0 is for registry", "on chain 5"]);
    }
    let members = &ran.json()["members"];
    assert_eq!((&members[0]["tlsPin"], members[1].get("tlsPin")), (&format!("0x{pin}").into(), None));

    let bad = |endpoint: &str, operator: &str, more: &[&str], says: &str| {
        let Key { keystore, password } = &key;
        let arguments = [
            &["committee", "card", "--keystore", keystore, "--password-file", password],
            &["--endpoint", endpoint, "--operator", operator][..],
            more,
        ];
        run(&arguments.concat()).fails(2, &[says]);
    };
    bad("m0.example:7400", "A", &[], "no endpoint");
    bad("https://m0 .example", "A", &[], "no endpoint");
    bad("https://", "A", &[], "no endpoint");
    bad("https://m0.example", " ", &[], "operator's name");
    bad("https://m0.example", &"x".repeat(65), &[], "operator's name");
    bad("https://m0.example", "A", &["--tls-pin", "abcd"], "no pin");
    bad("http://m0.example", "A", &["--tls-pin", &pin], "a TLS key is pinned for it: expected https");
    bad("https://m0.example", "A", &["--account", "0x12"], "--account");
    bad("https://m0.example", "A", &["--account", &account], "--chain-id");
    bad("https://m0.example", "A", &["--chain-id", "5"], "--account");
}

#[test]
fn files_are_replaced_only_when_that_is_asked_for() {
    let desk = Desk::new();
    let (first, second) = (desk.quick_key("m0"), desk.quick_key("m1"));
    let cards = [
        desk.card("m0", &first, "https://m0.example:7400", &[]),
        desk.card("m1", &second, "https://m1.example:7400", &[]),
    ];
    let file = desk.path("committee.json");
    let parameters = ["-t", "2", "-k", "1", "-o", &file];
    assemble(&cards, &parameters).ok();
    for (written, arguments) in [
        (&cards[0], {
            let card = ["committee", "card", "--endpoint", "https://moved.example", "--operator", "A", "-o", &cards[0]];
            [&card[..], &["--keystore", &first.keystore, "--password-file", &first.password]].concat()
        }),
        (&file, [&["committee", "assemble", &cards[1], &cards[0]], &parameters[..]].concat()),
    ] {
        let before = fs::read(written).unwrap();
        run(&arguments).fails(6, &[written, "exists and would be overwritten", "--force"]);
        assert_eq!(fs::read(written).unwrap(), before);
        run(&[arguments.as_slice(), &["--force"]].concat()).ok();
        assert_ne!(fs::read(written).unwrap(), before);
    }
    assert!(desk.files().iter().all(|name| !name.ends_with(".tmp")), "{:?}", desk.files());
}
