use super::*;

fn shelf(capacity: usize) -> Shelf<u64, u64> {
    Shelf::new(capacity)
}

#[test]
fn asking_for_what_is_made_up_drives_out_nothing_that_exists() {
    let mut shelf = shelf(8);
    let begin = Instant::now();
    for key in 0..4 {
        shelf.keep(key, Some(key), 1, begin);
    }
    for key in 100..200_u64 {
        shelf.keep(key, None, 1, begin + Duration::from_secs(key));
    }
    assert!((0..4).all(|key| shelf.get(&key).is_some_and(|held| held.value == Some(key))));
    assert_eq!(shelf.records.len(), 8);
    // Of what exists, what was not read for longest goes.
    for key in 4..12_u64 {
        shelf.keep(key, Some(key), 1, begin + Duration::from_secs(key));
    }
    assert_eq!(shelf.records.keys().copied().collect::<Vec<_>>(), (4..12).collect::<Vec<_>>());
}

#[test]
fn a_record_ages_only_from_the_end_of_its_block_and_without_state_not_before_the_next() {
    let options = ReaderOptions { outage_limit: Duration::from_secs(10), ..ReaderOptions::default() };
    let begin = Instant::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let block = |number: u64| BlockPoint {
        number,
        hash: B256::left_padding_from(&u64::to_be_bytes(number)),
        timestamp: number,
    };
    let down = Error::Rpc { what: "a call", reason: "down".to_owned() };
    let pruned = Error::NoState { what: "a call", reason: "missing trie node".to_owned() };
    let mut cache = Cache::default();
    cache.advance(block(1), at(0), &options).expect("the first block");
    cache.epochs.keep(7, None, 1, at(0));
    let namespace = Namespace::from([1; 32]);
    let record = NamespaceRecord {
        owner: holdfast_certificate::Address::ZERO,
        dispersers: Vec::new(),
        min_retention: 0,
        next_min_retention: None,
        hold_until: 0,
    };
    cache.namespaces.keep(namespace, Some(record), 1, at(0));
    let may = |cache: &Cache, error: &Error, now| {
        let held = cache.namespaces.get(&namespace).expect("held");
        cache.may_bridge(held, error, at(now), &options)
    };
    // An hour in which the node says that block 1 is still the one.
    cache.advance(block(1), at(3600), &options).expect("the same block");
    assert!(may(&cache, &down, 3610) && !may(&cache, &down, 3611));
    // The next block comes, and its state is gone: the age stands still for as long as that block is the one.
    cache.advance(block(2), at(3605), &options).expect("the next block");
    assert!(!may(&cache, &down, 3611) && may(&cache, &pruned, 1_000_000));
    cache.advance(block(3), at(3609), &options).expect("the next block");
    assert!(may(&cache, &pruned, 1_000_000));
    cache.advance(block(4), at(3611), &options).expect("the next block");
    assert!(!may(&cache, &pruned, 3611), "the node never has state");
    // What does not exist is no answer to rely on in an outage.
    let unknown = cache.epochs.get(&7).expect("held");
    assert!(!cache.may_bridge(unknown, &down, at(3611), &options));
}

#[test]
fn a_block_behind_confirms_nothing() {
    let options = ReaderOptions { outage_limit: Duration::from_secs(10), ..ReaderOptions::default() };
    let begin = Instant::now();
    let block = |number: u64| BlockPoint { number, hash: B256::ZERO, timestamp: number };
    let mut cache = Cache::default();
    cache.advance(block(9), begin, &options).expect("the first block");
    let seen = cache.advance(block(8), begin + Duration::from_secs(10), &options).expect("bridged");
    assert_eq!(seen.block.number, 9);
    let error = cache.advance(block(8), begin + Duration::from_secs(11), &options).expect_err("too long");
    assert!(matches!(error, Error::WentBack { known: 9, got: 8 }), "{error}");
}
