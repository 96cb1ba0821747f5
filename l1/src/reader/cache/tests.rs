use super::*;

fn shelf(capacity: usize) -> Shelf<u64, u64> {
    Shelf::new(capacity)
}

#[test]
fn asking_for_what_is_made_up_drives_out_nothing_that_exists() {
    let mut shelf = shelf(8);
    let begin = Moment::now();
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
    let begin = Moment::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let block = |number: u64| BlockPoint {
        number,
        hash: B256::left_padding_from(&u64::to_be_bytes(number)),
        timestamp: number,
    };
    let (down, pruned) = (Lack::Answer, Lack::State);
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
    let may = |cache: &Cache, lack: Lack, now| {
        let held = cache.namespaces.get(&namespace).expect("held");
        cache.may_bridge(held, lack, at(now), &options)
    };
    // An hour in which the node says that block 1 is still the one.
    cache.advance(block(1), at(3600), &options).expect("the same block");
    assert!(may(&cache, down, 3610) && !may(&cache, down, 3611));
    // The next block comes, and its state is gone: the age stands still for as long as that block is the one.
    cache.advance(block(2), at(3605), &options).expect("the next block");
    assert!(!may(&cache, down, 3611) && may(&cache, pruned, 1_000_000));
    cache.advance(block(3), at(3609), &options).expect("the next block");
    assert!(may(&cache, pruned, 1_000_000));
    cache.advance(block(4), at(3611), &options).expect("the next block");
    assert!(!may(&cache, pruned, 3611), "the node never has state");
    // What does not exist is no answer to rely on in an outage.
    let unknown = cache.epochs.get(&7).expect("held");
    assert!(!cache.may_bridge(unknown, down, at(3611), &options));
}

#[test]
fn a_block_behind_confirms_nothing() {
    let options = ReaderOptions { outage_limit: Duration::from_secs(10), ..ReaderOptions::default() };
    let begin = Moment::now();
    let block = |number: u64| BlockPoint { number, hash: B256::ZERO, timestamp: number };
    let mut cache = Cache::default();
    cache.advance(block(9), begin, &options).expect("the first block");
    let seen = cache.advance(block(8), begin + Duration::from_secs(10), &options).expect("bridged");
    assert_eq!(seen.block.number, 9);
    let error = cache.advance(block(8), begin + Duration::from_secs(11), &options).expect_err("too long");
    assert!(matches!(error, Error::WentBack { known: 9, got: 8 }), "{error}");
}

#[test]
fn what_is_known_is_answered_with_at_once_until_a_look_can_be_over_and_longer_only_while_nodes_are_known_to_fail() {
    let options = ReaderOptions {
        refresh: Duration::from_secs(2),
        call_limit: Duration::from_secs(5),
        outage_limit: Duration::from_secs(600),
        ..ReaderOptions::default()
    };
    let begin = Moment::now();
    let at = |seconds| begin + Duration::from_secs(seconds);
    let block = |number: u64| BlockPoint { number, hash: B256::ZERO, timestamp: 12 * number };
    let mut cache = Cache::default();
    cache.advance(block(1), at(0), &options).expect("the first block");
    let record =
        |block: u64, value: Option<u64>| Held { value, block, read: begin, good: begin, asked: begin, failure: None };
    let ready = |cache: &Cache, held: &Held<u64>, now| cache.is_ready(held, at(now), &options);
    // 2 s to the next look, and three calls of 5 s for it.
    assert!(ready(&cache, &record(1, None), 16) && !ready(&cache, &record(1, Some(7)), 17));
    // At the next block what is known serves while it is read anew; that there was nothing does not.
    cache.advance(block(3), at(10), &options).expect("a block");
    assert_eq!(cache.pace(&options), Duration::from_secs(12), "as far apart as the blocks");
    assert!(ready(&cache, &record(1, Some(7)), 26) && !ready(&cache, &record(1, None), 26));
    assert!(!ready(&cache, &record(1, Some(7)), 27));
    // The nodes fail: it serves for as long as an outage may last, and is asked for again when nobody tries any more.
    let mut failing = |tried| cache.fail(Error::Timeout { what: "a call", limit: Duration::ZERO }, at(tried), &options);
    failing(600);
    assert!(ready(&cache, &record(3, Some(7)), 610) && !ready(&cache, &record(3, None), 610));
    assert!(!ready(&cache, &record(3, Some(7)), 611), "older than an outage may last");
    assert!(!ready(&cache, &record(3, Some(7)), 630), "nobody has tried since");
    // Where every call is to ask, nothing is answered without.
    let eager = ReaderOptions { refresh: Duration::ZERO, ..options.clone() };
    assert!(!cache.is_ready(&record(3, Some(7)), at(600), &eager));
}
