//! Members that are down, and a data folder that is another member's.

use std::{
    fs,
    time::{Duration, Instant},
};

use crate::support::{Devnet, noise, run};

#[test]
fn below_quorum_and_back() {
    let devnet = Devnet::up(&["--l1", "none"]);
    let payload = noise(10_000, 5);
    let by_shard = devnet.put("by-shard", &payload, &[]);
    let by_payload = devnet.put("by-payload", &payload, &["--by", "payload"]);

    // Six of seven suffice.
    let broken = ["--json", "fault", "m1", "crash"];
    assert_eq!(
        devnet.devnet(&broken).ok().json(),
        serde_json::json!({"format": 1, "member": "m1", "done": "m1 killed"})
    );
    assert_eq!(devnet.devnet(&broken).ok().json()["done"], "m1 is not running already");
    devnet.put("six", b"six of seven", &[]);
    another_member_s_data_folder_is_refused(&devnet);

    // Five do not.
    devnet.devnet(&["fault", "m2", "crash"]).ok();
    let file = devnet.file("five", b"five of seven");
    let started = Instant::now();
    let ran = devnet.run(&["put", &file, "--deadline", "5s", "-o", &devnet.path("five.cert")]);
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
    ran.fails(3, &["quorum not reached", "of 6", "\n  members 1 and 2: ", "unreachable"]);
    assert!(!fs::exists(devnet.path("five.cert")).unwrap());

    // Too few are up to be certain that a blob was never stored.
    let unknown = format!("0x{}", "cd".repeat(32));
    let read = devnet.path("unknown.read");
    devnet
        .run(&["get", &unknown, "-o", &read])
        .fails(3, &["is unknown", "5 members never stored it, 6 would be certain"]);

    // One is left: not enough by shard, enough by payload.
    for member in ["m3", "m4", "m5", "m6"] {
        devnet.devnet(&["fault", member, "crash"]).ok();
    }
    let ran = devnet.run(&["get", &by_shard, "-o", &read]);
    ran.fails(3, &["not retrievable now", "1 of 2 shards", "\n  members 1, 2, 3, 4, 5 and 6: unreachable"]);
    assert_eq!(devnet.get(&by_payload), payload);

    let healed = devnet.devnet(&["--json", "heal"]).ok().json();
    assert_eq!(healed["started"], serde_json::json!(["m1", "m2", "m3", "m4", "m5", "m6"]));
    assert_eq!(devnet.get(&by_shard), payload);
    devnet.put("five", b"five of seven", &[]);
    let every = devnet.devnet(&["heal"]).ok();
    assert_eq!(every.text().trim(), "nothing to start: running already");
    devnet.devnet(&["heal", "m1"]).ok();
}

/// m1 is down, so its folder is free to be taken by mistake.
fn another_member_s_data_folder_is_refused(devnet: &Devnet) {
    let folder = devnet.dir().join("m0");
    let text = fs::read_to_string(folder.join("member.toml")).unwrap();
    let listen = devnet.state()["members"][0]["listen"].as_str().unwrap().to_owned();
    let config = folder.join("other.toml");
    fs::write(&config, text.replace(&listen, "127.0.0.1:0").replace("\"data\"", "\"../m1/data\"")).unwrap();
    let committee: serde_json::Value =
        serde_json::from_slice(&fs::read(devnet.dir().join("committee.json")).unwrap()).unwrap();
    let key = |slot: usize| committee["members"][slot]["publicKey"].as_str().unwrap().to_owned();
    let says = ["belongs to another member", &key(0), &key(1)];
    run(&["--config", config.to_str().unwrap(), "member", "run"]).fails(6, &says);
}
