//! The same seed gives the same log.

mod support;

#[test]
fn the_same_seed_gives_the_same_log_byte_for_byte_and_another_seed_another() {
    let mut logs = Vec::new();
    for seed in 1000..1012 {
        let (first, second) = (support::world(seed, None), support::world(seed, None));
        assert_eq!(first.1, second.1, "seed {seed}");
        assert!(first.1.lines().count() > 20, "something happens: {}", first.1);
        logs.push(first.1);
    }
    logs.dedup();
    assert_eq!(logs.len(), 12, "each is another world");
}
