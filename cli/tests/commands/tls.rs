//! Committees whose members speak TLS, all of them or some, known by their pins.

use std::fs;

use crate::support::{Devnet, edit_json, noise, run};

/// The committee file with a change, and a client's configuration that reads it.
fn with_committee(devnet: &Devnet, name: &str, change: impl FnOnce(&mut serde_json::Value)) -> String {
    let json = devnet.path(&format!("{name}.json"));
    edit_json(&devnet.dir().join("committee.json"), json.as_ref(), change);
    devnet.config(&format!("{name}.toml"), |ours| ours.replace("\"committee.json\"", &format!("\"{json}\"")))
}

#[test]
fn members_with_and_without_tls_work_together_and_a_wrong_pin_is_not_spoken_to() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4", "--tls", "m0,m2"]);
    let payload = noise(300_000, 1);
    let certificate = devnet.put("mixed", &payload, &[]);
    assert!(devnet.get(&certificate) == payload);
    let status = devnet.run(&["--json", "status"]).ok().json();
    for (slot, scheme) in ["https://", "http://", "https://", "http://"].into_iter().enumerate() {
        let member = &status["members"][slot];
        assert!(member["endpoint"].as_str().unwrap().starts_with(scheme) && member["state"] == "serving", "{status}");
    }
    // The member itself is asked by its own certificate.
    let config = devnet.dir().join("m2/member.toml");
    let own = run(&["--json", "--config", config.to_str().unwrap(), "member", "status"]).ok().json();
    assert_eq!(own["slot"], 2);

    // Another pin, and none with no root that vouches for the key: the member is not spoken to, and the rest go on.
    let other = format!("0x{}", "5a".repeat(32));
    let wrong = with_committee(&devnet, "wrong", |file| file["members"][2]["tlsPin"] = other.clone().into());
    let none = with_committee(&devnet, "none", |file| {
        file["members"][2].as_object_mut().unwrap().remove("tlsPin");
    });
    for config in [&wrong, &none] {
        let said = run(&["--config", config, "--json", "status"]).ok().json();
        let states: Vec<bool> = (0..4).map(|slot| said["members"][slot]["state"] == "serving").collect();
        assert_eq!(states, [true, true, false, true], "{said}");
        let file = devnet.file("without", b"three of four");
        let put = run(&["--config", config, "--json", "put", &file]).ok().json();
        assert_eq!(put["attested"], 3, "{put}");
        let read = devnet.path("without.read");
        let certificate = put["certificate"].as_str().unwrap();
        run(&["--config", config, "get", certificate, "--force", "-o", &read]).ok();
        assert_eq!(fs::read(read).unwrap(), b"three of four");
    }
    // A pin for plain text is refused with the slot, whatever the member is.
    let plain = with_committee(&devnet, "plain", |file| file["members"][1]["tlsPin"] = other.clone().into());
    run(&["--config", &plain, "status"]).fails(2, &["slot 1", "a TLS key is pinned for it: expected https"]);
    devnet.devnet(&["up", "--tls", "m0"]).fails(2, &["cannot be changed"]);
}

#[test]
fn a_committee_on_l1_speaks_tls_by_the_pins_that_are_there() {
    let devnet = Devnet::up(&["--members", "4", "--tls", "all"]);
    let payload = noise(100_000, 3);
    let certificate = devnet.put("on-l1", &payload, &["--publish"]);
    assert!(devnet.get(&certificate) == payload);
    let check = devnet.run(&["--json", "committee", "check"]).ok().json();
    assert_eq!(check["sound"], 4);
    let shown = devnet.run(&["--json", "committee", "show"]).ok().json();
    for slot in 0..4 {
        assert_eq!(shown["slots"][slot]["tlsPin"], devnet.state()["members"][slot]["tlsPin"]);
        assert!(shown["slots"][slot]["endpoint"].as_str().unwrap().starts_with("https://"), "{shown}");
    }
}
