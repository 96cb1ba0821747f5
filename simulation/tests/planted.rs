//! The oracles can fail: what is planted is found.

use holdfast_simulation::Plant;

mod support;

/// Within so many seeds each planted fault is found.
const WITHIN: u64 = 20;

/// What must be said of it.
fn found_by(plant: Plant) -> &'static [&'static str] {
    match plant {
        Plant::SignBeforeSync => &["has signed for"],
        Plant::DropEarly => &["dropped shards-", "dropped whole-"],
        Plant::NeverRepair => &["repair does not come to an end"],
        Plant::TooFewHolders => &["a certificate that nobody else takes"],
    }
}

#[test]
fn what_the_protocol_does_not_stand_is_found() {
    for plant in Plant::ALL {
        let found = (0..WITHIN).find(|seed| {
            let (good, log) = support::world(*seed, Some(plant));
            !good && found_by(plant).iter().any(|words| log.contains(words))
        });
        let seed = found.unwrap_or_else(|| panic!("{} is not found within {WITHIN} seeds", plant.name()));
        println!("{}: seed {seed}", plant.name());
    }
}
