//! An epoch's whole life: proposed as a Safe's file, sent by governance, shown, cancelled, revoked.

use std::time::{SystemTime, UNIX_EPOCH};

use holdfast_certificate::ProvenKey;
use holdfast_l1::Publisher;
use serde_json::Value;

use crate::{
    committee::{
        Desk, GOVERNANCE, NEWCOMER, address, arguments, l1, public_key, registered,
        safe::{Call, block_on, word},
    },
    support::{Devnet, run, wait_until},
};

/// Where nobody listens.
const NOWHERE: &str = "http://127.0.0.1:9";
const PIN: [u8; 32] = [0x5a; 32];

fn show(l1: &[String], epoch: &[&str]) -> Value {
    run(&arguments(&[&["--json", "committee", "show"], epoch], l1)).ok().json()
}

/// Registers a card's key from an account, with the endpoint and the TLS pin given.
fn register(l1: &[String], card: &str, account: &[u8; 32], endpoint: &str) {
    let json: Value = serde_json::from_slice(&std::fs::read(card).unwrap()).unwrap();
    let (key, proof) = (public_key(card), json["proofOfPossession"].as_str().unwrap().parse().unwrap());
    block_on(async {
        let publisher = Publisher::connect(&l1[1], l1[3].parse().unwrap(), account).await.unwrap();
        ProvenKey::check(key, proof, &publisher.registration()).unwrap();
        publisher.register_key(&key, &proof).await.unwrap();
        publisher.set_endpoint(&key, endpoint, Some(PIN)).await.unwrap();
    });
}

#[test]
fn a_proposed_epoch_is_sent_shown_succeeded_and_revoked() {
    let devnet = Devnet::up(&["--members", "4"]);
    let (desk, l1, governance) = (Desk::new(), l1(&devnet), address(&GOVERNANCE));
    let mut cards = desk.cards_of(&devnet);
    let (other, named) = (hex::encode([0x11; 32]), address(&NEWCOMER));
    cards[3] = desk.card(
        "newcomer",
        &desk.quick_key("newcomer"),
        "https://new.example:7400",
        &[registered(&devnet, &named).each_ref().map(String::as_str).as_slice(), &["--tls-pin", &other]].concat(),
    );
    register(&l1, &cards[3], &NEWCOMER, NOWHERE);
    run(&arguments(&[&["committee", "check"]], &l1)).ok();

    // A member is replaced.
    let propose = |name: &str, more: &[&str]| {
        let file = desk.path(name);
        let options = ["--json", "committee", "propose", "--safe-json", &file];
        let ran = run(&arguments(&[&options, more, &["--cards"]], &[cards.as_slice(), &l1].concat())).ok();
        (ran.json(), Call::read(&file, &governance, &devnet))
    };
    let (proposed, call) = propose("second.json", &[]);
    let changes: Vec<_> = proposed["slots"].as_array().unwrap().iter().map(|slot| &slot["change"]).collect();
    assert_eq!(changes, ["stays", "stays", "stays", "changes-operator"]);
    let pin = |byte: u8| format!("0x{}", hex::encode([byte; 32]));
    assert_eq!((&proposed["slots"][3]["tlsPin"], &proposed["slots"][0]["tlsPin"]), (&pin(0x5a).into(), &Value::Null));
    let notes: Vec<_> = proposed["notes"].as_array().unwrap().iter().map(|note| note.as_str().unwrap()).collect();
    for note in [
        &format!("m3 (Operator of newcomer): the endpoint on L1 is {NOWHERE}, given is https://new.example:7400"),
        &format!("m3 (Operator of newcomer): the TLS pin on L1 is {}, given is {}", pin(0x5a), pin(0x11)),
    ] {
        assert!(notes.contains(&note.as_str()), "{note}: {notes:?}");
    }
    let modelled = proposed["gas"].as_u64().unwrap();
    let receipt = call.execute(&devnet, &GOVERNANCE);
    assert!(modelled.abs_diff(receipt.gas_used) * 20 <= receipt.gas_used, "{modelled} modelled, {receipt:?}");
    wait_until("epoch 2 is active", || show(&l1, &[])["epoch"] == 2);
    let (first, second) = (show(&l1, &["--epoch", "1"]), show(&l1, &[]));
    assert_eq!((&first["state"], &second["state"]), (&"closed".into(), &"active".into()));
    assert_eq!(first["activeUntil"], second["activeFrom"]);
    for (slot, card) in cards.iter().enumerate() {
        assert_eq!(second["slots"][slot]["keyId"], public_key(card).id().to_string());
    }
    let slot = &second["slots"][3];
    assert_eq!((&slot["account"], &slot["tlsPin"]), (&named.clone().into(), &pin(0x5a).into()));
    assert_eq!(slot["endpoint"], NOWHERE);
    // The others follow, each as soon as its node says so, and only the newcomer is not there.
    let check = || run(&arguments(&[&["committee", "check"]], &l1));
    wait_until("only the newcomer is missing", || check().stderr.contains("problems with 1 of 4 members"));
    check().fails(3, &["\n  m3: its endpoint cannot be used", "http, and a TLS key is pinned"]);

    // A proposal for later is taken back.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let (proposed, call) = propose("third.json", &["--active-from", &(now + 3600).to_string()]);
    assert_eq!((&proposed["epoch"], &proposed["activeFrom"]), (&3.into(), &(now + 3600).into()));
    assert_eq!(proposed["sendBefore"], now + 3599);
    call.execute(&devnet, &GOVERNANCE);
    assert_eq!(show(&l1, &["--epoch", "3"])["state"], "proposed");
    assert_eq!(show(&l1, &["--epoch", "2"])["activeUntil"], now + 3600);
    let guard = |verb: &str, epoch: &str| {
        let file = desk.path(&format!("{verb}.json"));
        let ran = run(&arguments(&[&["committee", verb, "--epoch", epoch, "--safe-json", &file]], &l1)).ok();
        (ran, Call::read(&file, &governance, &devnet))
    };
    let (ran, call) = guard("cancel", "3");
    assert_eq!((call.function(), call.words()), ("cancelFrom", vec![word(3)]));
    assert!(ran.text().contains("cancelFrom of epoch 3") && ran.text().contains("proposed: from"), "{}", ran.text());
    call.execute(&devnet, &GOVERNANCE);
    assert_eq!(show(&l1, &["--epoch", "3"])["state"], "cancelled");
    assert_eq!(show(&l1, &[])["activeUntil"], Value::Null);
    let text = run(&arguments(&[&["committee", "show", "--epoch", "3"]], &l1)).ok();
    assert!(text.text().contains("active        never"), "{}", text.text());
    let again = desk.path("again.json");
    run(&arguments(&[&["committee", "cancel", "--epoch", "3", "--safe-json", &again]], &l1))
        .fails(6, &["AlreadyCancelled"]);

    // The active one is revoked, and none is left.
    let (_, call) = guard("revoke", "2");
    call.execute(&devnet, &GOVERNANCE);
    wait_until("epoch 2 is revoked", || show(&l1, &["--epoch", "2"])["state"] == "revoked");
    run(&arguments(&[&["committee", "show"]], &l1)).fails(5, &["no epoch is active", "--epoch N"]);
    // Members look at L1 every 2 s.
    wait_until("every member knows", || check().code == Some(3) && check().stderr.contains("problems with 1 of 4"));
    let checked = check();
    checked.fails(3, &["problems with 1 of 4 members"]);
    assert!(
        checked.text().contains("note: no epoch is active; these are the members of epoch 2"),
        "{}",
        checked.text()
    );
    run(&arguments(&[&["committee", "revoke", "--epoch", "2", "--safe-json", &again]], &l1))
        .fails(6, &["AlreadyRevoked"]);
    assert!(!desk.exists("again.json"));
    // Numbers are not used twice: what comes next succeeds the revoked one, and not the cancelled one.
    let (proposed, _) = propose("fourth.json", &[]);
    assert_eq!((&proposed["epoch"], &proposed["succeeds"]), (&4.into(), &2.into()));
}
