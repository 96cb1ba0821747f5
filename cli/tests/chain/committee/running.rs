//! A committee made by hand from keys to running members, and `holdfast committee check` of it.

use std::{
    fs,
    path::Path,
    process::{Child, Stdio},
};

use holdfast_transport::free_addresses;

use crate::{
    committee::Desk,
    support::{Ran, command, edit_json, run, wait_until},
};

/// A member's process, killed however a test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn seven_keys_become_cards_a_committee_and_members_that_are_checked() {
    let desk = Desk::new();
    let listens = free_addresses(7).unwrap();
    let mut cards = Vec::new();
    for (slot, listen) in listens.iter().enumerate() {
        let name = format!("m{slot}");
        let key = desk.key(&name);
        cards.push(desk.card(&name, &key, &format!("http://{listen}"), &[]));
        let config = format!(
            "listen = \"{listen}\"\ndata_dir = \"{name}.data\"\nkeystore = \"{}\"\npassword_file = \"{}\"\n\
             committee_file = \"committee.json\"\n",
            key.keystore, key.password
        );
        fs::write(desk.path(&format!("{name}.toml")), config).unwrap();
    }
    let committee = desk.path("committee.json");
    let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
    run(&[&["committee", "assemble"], cards.as_slice(), &["-o", &committee]].concat()).ok();
    fs::write(desk.path("client.toml"), "committee_file = \"committee.json\"\n").unwrap();
    let check = |config: &str, more: &[&str]| -> Ran {
        run(&[more, &["--config", &desk.path(config), "committee", "check"]].concat())
    };

    // Nobody is there yet.
    check("client.toml", &[]).fails(3, &["problems with 7 of 7 members", "m0: unreachable", "m6: unreachable"]);
    let mut members: Vec<_> = (0..7)
        .map(|slot| {
            let config = desk.path(&format!("m{slot}.toml"));
            let log = fs::File::create(desk.path(&format!("m{slot}.log"))).unwrap();
            run(&["--config", &config, "member", "new-store"]).ok();
            let mut member = command(&["--config", &config, "member", "run"]);
            Running(member.stdout(Stdio::null()).stderr(log).spawn().unwrap())
        })
        .collect();
    wait_until("every member is sound", || check("client.toml", &[]).code == Some(0));
    let checked = check("client.toml", &["--json"]).ok().json();
    assert_eq!((&checked["epoch"], &checked["sound"], &checked["threshold"]), (&1.into(), &7.into(), &6.into()));
    for (slot, row) in checked["members"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&row["slot"], &row["reachable"]), (&slot.into(), &true.into()));
        assert_eq!(row["endpoint"], format!("http://{}", listens[slot]));
        assert_eq!(row["problems"], serde_json::json!([]));
    }
    assert_eq!(check("client.toml", &[]).ok().stderr, "");

    // m2 and m5 answer for each other: each is there, and neither is the one that the committee names.
    edit_json(Path::new(&committee), Path::new(&desk.path("swapped.json")), |file| {
        file["members"][2]["endpoint"] = format!("http://{}", listens[5]).into();
        file["members"][5]["endpoint"] = format!("http://{}", listens[2]).into();
    });
    fs::write(desk.path("swapped.toml"), "committee_file = \"swapped.json\"\n").unwrap();
    check("swapped.toml", &[]).fails(4, &["problems with 2 of 7 members", "\n  m2: ", "\n  m5: "]);

    // One is killed: too little to be named a fault, and it is named.
    members.remove(3);
    let ran = check("client.toml", &["--json"]);
    ran.fails(3, &["problems with 1 of 7 members", "\n  m3: unreachable"]);
    assert!(!ran.stderr.contains("m2:"), "{}", ran.stderr);
    let checked = ran.json();
    assert_eq!((&checked["sound"], &checked["members"][3]["reachable"]), (&6.into(), &false.into()));
    // One that answers wrongly is the worse news.
    check("swapped.toml", &[]).fails(4, &["problems with 3 of 7 members", "m2: ", "m3: unreachable", "m5: "]);
}
