//! One seed, in a process of its own.

use std::process::Command;

use holdfast_simulation::Plant;

/// What one seed has come to: whether all was as it must be, and the log.
pub(super) fn world(seed: u64, plant: Option<Plant>) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast-simulation"));
    command.arg(seed.to_string()).args(plant.map(Plant::name)).env_remove("HOLDFAST_LOG");
    let output = command.output().expect("the program of this package runs");
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    // 1 is for what was found; anything else is no world at all.
    assert!(matches!(output.status.code(), Some(0 | 1)), "seed {seed}: {}: {said}", output.status);
    (output.status.success(), log)
}
