//! The committee file: strict parsing, and messages that name the slot and both values.

use holdfast_certificate::{
    Address, Committee, CommitteeFile, Domain, FileMember, FileNamespace, Namespace, Registration,
};
use serde_json::{Value, json};

use crate::world::{parameters, proven, secret};

fn file() -> CommitteeFile {
    CommitteeFile {
        chain_id: 0,
        registry: None,
        epoch: 1,
        original_shards: 2,
        total_shards: 4,
        threshold: 3,
        max_payload: 1 << 20,
        members: (0..4)
            .map(|slot| FileMember {
                slot,
                public_key: secret(slot).public_key(),
                proof_of_possession: secret(slot).prove_possession(&Registration::WITHOUT_L1),
                account: None,
                endpoint: format!("http://127.0.0.1:{}", 9000 + slot),
                tls_pin: None,
            })
            .collect(),
        namespaces: vec![FileNamespace {
            id: Namespace::from([7; 32]),
            dispersers: vec![Address::from([1; 20]), Address::from([2; 20])],
            min_retention: 86_400,
        }],
    }
}

/// Files of every kind, as JSON.
pub(crate) fn seeds() -> Vec<String> {
    let registration =
        |account| Registration { domain: Domain { chain_id: 31337, registry: Address::from([0xab; 20]) }, account };
    let mut on_chain = CommitteeFile { chain_id: 31337, registry: Some(Address::from([0xab; 20])), ..file() };
    for member in &mut on_chain.members {
        let account = Address::from([member.slot.to_be_bytes()[1]; 20]);
        member.account = Some(account);
        member.proof_of_possession = secret(member.slot).prove_possession(&registration(account));
    }
    let mut pinned = file();
    pinned.members[1].endpoint = "https://m1.example:7400".into();
    pinned.members[1].tls_pin = Some([9; 32]);
    [file(), on_chain, pinned]
        .map(|file| {
            file.committee().expect("sound");
            file.to_json()
        })
        .into()
}

fn refused(change: impl Fn(&mut CommitteeFile)) -> String {
    let mut file = file();
    file.committee().expect("sound as it is");
    change(&mut file);
    CommitteeFile::parse(&file.to_json()).expect("the syntax is right").committee().expect_err("changed").to_string()
}

fn unreadable(change: impl Fn(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(&file().to_json()).expect("JSON");
    change(&mut value);
    CommitteeFile::parse(&value.to_string()).expect_err("changed").to_string()
}

#[test]
fn file_is_its_committee() {
    let keys = || (0..4).map(|slot| proven(&secret(slot))).collect();
    let committee = file().committee().expect("sound");
    assert_eq!(committee, Committee::off_chain(1, parameters(2, 4, 3), keys()).expect("sound"));

    let domain = Domain { chain_id: 31337, registry: Address::from([0xab; 20]) };
    let mut on_chain = CommitteeFile { chain_id: 31337, registry: Some(domain.registry), ..file() };
    // Without an account, and with one but the proofs for no chain.
    let error = on_chain.committee().expect_err("no account").to_string();
    assert!(error.contains("account must be given"), "{error}");
    for member in &mut on_chain.members {
        member.account = Some(Address::from([9; 20]));
    }
    let error = on_chain.committee().expect_err("proofs for no chain").to_string();
    assert!(error.contains("proof of possession does not verify"), "{error}");
    for member in &mut on_chain.members {
        let registration = Registration { domain, account: Address::from([9; 20]) };
        member.proof_of_possession = secret(member.slot).prove_possession(&registration);
    }
    assert_eq!(CommitteeFile::parse(&on_chain.to_json()).expect("its own JSON"), on_chain);
    let committee = on_chain.committee().expect("sound");
    assert_eq!(committee, Committee::new(domain, 1, parameters(2, 4, 3), keys()).expect("sound"));
}

#[test]
fn file_round_trips_through_json() {
    for registry in [None, Some(Address::from([3; 20]))] {
        let file = CommitteeFile { registry, ..file() };
        assert_eq!(CommitteeFile::parse(&file.to_json()).expect("its own JSON"), file);
    }
    assert_eq!(file().endpoints()[3], "http://127.0.0.1:9003");
    let value: Value = serde_json::from_str(&file().to_json()).expect("JSON");
    assert_eq!(value["version"], json!(1));
    assert_eq!(value["chainId"], json!(0));
    assert_eq!(value["members"][2]["publicKey"], json!(secret(2).public_key().to_string()));
}

#[test]
fn derived_registry_may_be_written_and_must_then_be_right() {
    let derived = file().committee().expect("sound").domain().registry;
    CommitteeFile { registry: Some(derived), ..file() }.committee().expect("the right one");
    let wrong = Address::from([0xab; 20]);
    assert_eq!(
        refused(|file| file.registry = Some(wrong)),
        format!(
            "committee file: registry must be {derived} (derived from the file, as chainId is 0) or absent, got {wrong}"
        )
    );
    assert_eq!(refused(|file| file.chain_id = 1), "committee file: registry must be given, as chainId is 1");
}

#[test]
fn bad_proof_of_possession_names_the_slot() {
    assert_eq!(
        refused(|file| file.members[2].proof_of_possession = secret(1).prove_possession(&Registration::WITHOUT_L1)),
        format!(
            "committee file, slot 2: proof of possession does not verify for public key {}",
            secret(2).public_key()
        )
    );
}

#[test]
fn duplicate_key_names_both_slots() {
    let message = refused(|file| {
        file.members[3].public_key = secret(1).public_key();
        file.members[3].proof_of_possession = secret(1).prove_possession(&Registration::WITHOUT_L1);
    });
    assert_eq!(message, format!("slots 1 and 3 have the same public key {}", secret(1).public_key()));
}

#[test]
fn members_must_be_in_slot_order() {
    assert_eq!(refused(|file| file.members.swap(1, 2)), "committee file: member at position 1 must have slot 1, got 2");
    assert_eq!(
        refused(|file| file.members[3].slot = 7),
        "committee file: member at position 3 must have slot 3, got 7"
    );
}

#[test]
fn number_of_members_must_be_that_of_the_shards() {
    assert_eq!(refused(|file| drop(file.members.pop())), "committee must have 4 members, got 3");
    assert_eq!(refused(|file| file.members.push(file.members[0].clone())), "committee must have 4 members, got 5");
}

#[test]
fn impossible_parameters_are_refused() {
    assert!(refused(|file| file.threshold = 2).starts_with("threshold must be at least 3"));
    assert!(refused(|file| file.max_payload = 0).starts_with("max payload must be from 1"));
    assert!(refused(|file| file.original_shards = 4).contains("got 4 of 4"));
}

#[test]
fn pin_goes_with_https_and_round_trips() {
    let pinned = |endpoint: &str, pin: [u8; 32]| {
        let mut file = file();
        file.members[1].endpoint = endpoint.to_owned();
        file.members[1].tls_pin = Some(pin);
        file
    };
    let sound = pinned("https://127.0.0.1:9001", [0xab; 32]);
    sound.committee().expect("sound");
    assert_eq!(CommitteeFile::parse(&sound.to_json()).expect("its own JSON"), sound);
    let value: Value = serde_json::from_str(&sound.to_json()).expect("JSON");
    assert_eq!(value["members"][1]["tlsPin"], json!(format!("0x{}", "ab".repeat(32))));
    assert!(value["members"][0].get("tlsPin").is_none());
    let plain = pinned("http://127.0.0.1:9001", [0xab; 32]).committee().expect_err("plain text").to_string();
    assert_eq!(
        plain,
        "committee file, slot 1: endpoint \"http://127.0.0.1:9001\" cannot be used: it is http, and a TLS key is pinned for it: expected https"
    );
    for bad in ["0xab", "ab", &"0xzz".repeat(16)] {
        let message = unreadable(|value| value["members"][1]["tlsPin"] = json!(bad));
        assert!(message.contains("slot 1") && message.contains("TLS pin"), "{message}");
    }
}

#[test]
fn endpoint_must_be_a_url() {
    assert_eq!(
        refused(|file| file.members[1].endpoint = "127.0.0.1:9001".to_owned()),
        "committee file, slot 1: endpoint \"127.0.0.1:9001\" cannot be used: it begins with neither http:// nor https://"
    );
}

#[test]
fn namespaces_and_dispersers_are_listed_once() {
    let id = Namespace::from([7; 32]);
    assert_eq!(
        refused(|file| file.namespaces.push(file.namespaces[0].clone())),
        format!("committee file: namespaces 0 and 1 have the same id {id}")
    );
    let disperser = Address::from([1; 20]);
    assert_eq!(
        refused(|file| file.namespaces[0].dispersers.push(disperser)),
        format!("committee file: namespace {id} lists disperser {disperser} more than once")
    );
}

#[test]
fn version_must_be_known() {
    assert_eq!(unreadable(|value| value["version"] = json!(2)), "committee file version must be 1, got 2");
}

#[test]
fn unknown_missing_and_repeated_fields_are_refused() {
    assert!(unreadable(|value| value["treshold"] = json!(3)).contains("unknown field `treshold`"));
    assert!(unreadable(|value| value["members"][0]["key"] = json!(3)).contains("unknown field `key`"));
    assert!(unreadable(|value| value["namespaces"][0]["owner"] = json!(3)).contains("unknown field `owner`"));
    let message = unreadable(|value| drop(value.as_object_mut().expect("an object").remove("threshold")));
    assert!(message.contains("missing field `threshold`"), "{message}");
    let twice = file().to_json().replacen("\"epoch\": 1,", "\"epoch\": 1, \"epoch\": 2,", 1);
    let message = CommitteeFile::parse(&twice).expect_err("two epochs").to_string();
    assert!(message.contains("duplicate field `epoch`") && message.contains("line"), "{message}");
}

#[test]
fn bad_key_names_the_slot() {
    assert_eq!(
        unreadable(|value| value["members"][3]["publicKey"] = json!("0xabcd")),
        "committee file, slot 3: public key must be 0x and 192 hex digits, got 4 digits"
    );
    let identity = format!("0xc0{}", "00".repeat(95));
    assert_eq!(
        unreadable(|value| value["members"][3]["publicKey"] = json!(identity)),
        "committee file, slot 3: public key must not be the identity"
    );
    let off = format!("0x{}", "00".repeat(48));
    assert_eq!(
        unreadable(|value| value["members"][0]["proofOfPossession"] = json!(off)),
        "committee file, slot 0: proof of possession is not a canonical point encoding"
    );
}
