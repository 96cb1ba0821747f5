//! A member that was away, and one that lost its disk.

use std::{fs, path::Path};

use crate::support::{Devnet, noise, run, wait_until};

#[test]
fn a_member_that_was_away_becomes_whole_by_itself_and_recovers_from_a_wiped_disk() {
    let devnet = Devnet::up(&["--l1", "none"]);
    let config = devnet.dir().join("m3/member.toml");
    devnet.devnet(&["fault", "m3", "crash"]).ok();
    soon(&config);
    let (shards, whole) = (noise(300_000, 1), noise(40_000, 2));
    let by_shard = devnet.put("by-shard", &shards, &[]);
    let by_payload = devnet.put("by-payload", &whole, &["--by", "payload"]);
    let serves = |certificate: &str| {
        let checked = devnet.run(&["--json", "blob", "check", certificate]).ok().json();
        checked["serving"].as_array().unwrap().contains(&3.into())
    };
    assert!(!serves(&by_shard));
    devnet.devnet(&["heal", "m3"]).ok();
    wait_until("m3 is whole", || serves(&by_shard) && serves(&by_payload));
    let config = config.to_str().unwrap();
    let status = run(&["--json", "--config", config, "member", "status"]).ok().json();
    assert_eq!((&status["repair"]["repaired"], &status["repair"]["queued"]), (&2.into(), &0.into()));
    assert!(run(&["--config", config, "member", "status"]).ok().text().contains("2 repaired, 0 queued"));

    devnet.devnet(&["fault", "m3", "crash"]).ok();
    fs::remove_dir_all(devnet.dir().join("m3/data")).unwrap();
    run(&["--config", config, "member", "run"]).fails(6, &["holds no store"]);
    let recovered = run(&["--json", "--config", config, "member", "recover"]).ok().json();
    assert_eq!((&recovered["complete"], &recovered["blobs"]), (&true.into(), &2.into()), "{recovered}");
    devnet.devnet(&["heal", "m3"]).ok();
    let status = run(&["--json", "--config", config, "member", "status"]).ok().json();
    assert_eq!(status["storeLostAt"], serde_json::Value::Null);
    for name in ["m1", "m2", "m4", "m5", "m6"] {
        devnet.devnet(&["fault", name, "crash"]).ok();
    }
    assert!(devnet.get(&by_shard) == shards && devnet.get(&by_payload) == whole);
}

/// Lets a member repair within seconds.
fn soon(config: &Path) {
    let text = fs::read_to_string(config).unwrap();
    fs::write(config, format!("{text}\n[policy]\nrepair_delay = \"1s\"\n")).unwrap();
}
