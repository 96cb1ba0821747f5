//! An epoch in which one slot has another key: the other slots go on as they were.

use alloy::primitives::B256;
use holdfast_certificate::Statement;
use holdfast_registry::Status;

use crate::{
    abi::Registry,
    fixture::{DELAY, Fixture, GOVERNANCE, Key, OPERATOR, SEVEN, id_of, keys_of, propose, register, secret_keys},
};

const REPLACED: usize = 3;

#[test]
fn a_replaced_key_changes_no_other_slot_and_no_certificate() {
    let mut fixture = Fixture::new(SEVEN);
    let registry = fixture.registry;
    let mut keys = keys_of(&fixture.chain, registry, 1);
    for (slot, key) in keys.iter().enumerate() {
        set_endpoint(&mut fixture, key, slot);
    }
    let old = fixture.statement();
    let certificate = fixture.certificate();
    let last_of_first = fixture.chain.time + DELAY - 1;

    let newcomer = secret_keys(300, 1).remove(0);
    keys[REPLACED] = register(&mut fixture.chain, registry, &newcomer);
    set_endpoint(&mut fixture, &keys[REPLACED], 99);
    let epoch = fixture.chain.must(GOVERNANCE, registry, &propose(keys.clone(), SEVEN));
    fixture.chain.time += DELAY;

    let [before, after] = [1, epoch].map(|epoch| fixture.chain.call(registry, &Registry::slotsOfCall { epoch }));
    let [old_keys, new_keys] = [1, epoch].map(|epoch| fixture.chain.call(registry, &Registry::slotKeysCall { epoch }));
    for slot in 0..usize::from(SEVEN.n) {
        let same = slot != REPLACED;
        assert_eq!(before[slot].keyId == after[slot].keyId, same, "slot {slot}");
        assert_eq!(before[slot].endpoint == after[slot].endpoint, same, "slot {slot}");
        assert_eq!(before[slot].tlsPin == after[slot].tlsPin, same, "slot {slot}");
        let bytes = slot * 256..(slot + 1) * 256;
        assert_eq!(old_keys[bytes.clone()] == new_keys[bytes], same, "slot {slot}");
    }
    assert_eq!(after[REPLACED].endpoint, endpoint(99));

    // What was certified under the old key stays genuine, and good of its time.
    assert_eq!(fixture.genuine(&certificate), Status::Ok);
    assert_eq!(fixture.verdict_at(&certificate, last_of_first), Status::Ok);
    assert_eq!(fixture.verdict(&certificate), Status::EpochClosed);

    // In the new epoch each slot signs under its old number: with the new key in its slot, or without that slot.
    let statement = Statement { epoch, ..old };
    let without: Vec<u16> = fixture.all().into_iter().filter(|slot| usize::from(*slot) != REPLACED).collect();
    assert_eq!(fixture.verdict(&fixture.certify(&statement, &without)), Status::Ok);
    assert_eq!(fixture.verdict(&fixture.certify(&statement, &fixture.all())), Status::BadSignature, "the old key's");
    fixture.keys[REPLACED] = newcomer;
    assert_eq!(fixture.verdict(&fixture.certify(&statement, &fixture.all())), Status::Ok);
}

fn set_endpoint(fixture: &mut Fixture, key: &Key, number: usize) {
    let tls_pin = B256::with_last_byte(u8::try_from(number + 1).unwrap());
    let call = Registry::setEndpointCall { keyId: id_of(key), endpoint: endpoint(number), tlsPin: tls_pin };
    fixture.chain.must(OPERATOR, fixture.registry, &call);
}

fn endpoint(number: usize) -> String {
    format!("https://m{number}.example:7400")
}
