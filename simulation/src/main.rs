//! Runs the world of one seed and prints what happened: `holdfast-simulation SEED [PLANTED FAULT]`. It ends with 1 where something
//! was found that must not be. With `HOLDFAST_LOG=debug`, or another filter, the members' own logs come between the lines.

use std::process::ExitCode;

use holdfast_simulation::{Plant, run};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().and_then(|seed| seed.parse().ok());
    let plant = arguments.next().map(|name| Plant::named(&name));
    let (Some(seed), None | Some(Some(_))) = (seed, plant) else {
        let names = Plant::ALL.map(Plant::name).join(", ");
        eprintln!("holdfast-simulation SEED [PLANTED FAULT]: a number, and one of {names}");
        return ExitCode::from(2);
    };
    if let Ok(filter) = EnvFilter::try_from_env("HOLDFAST_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).without_time().init();
    }
    let outcome = run(seed, plant.flatten());
    print!("{}", outcome.log);
    for violation in &outcome.violations {
        println!("seed {seed}: {violation}");
    }
    ExitCode::from(u8::from(!outcome.violations.is_empty()))
}
