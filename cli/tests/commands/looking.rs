//! Commands that look: `ls`, `find`, `blob check`, `get --audit`, `doctor`; and disperser's keys.

use std::fs;

use crate::support::{Devnet, noise, run};

#[test]
fn what_members_hold_is_listed_and_found() {
    let devnet = Devnet::up(&["--l1", "none"]);
    assert_eq!(devnet.run(&["ls"]).ok().text(), "no blobs\n");
    let payload = noise(2000, 40);
    let by_payload = devnet.put("by-payload", &payload, &["--by", "payload"]);
    let by_shard = devnet.put("by-shard", b"by shard", &["--retain", "40d"]);
    let id = |certificate: &str| {
        devnet.run(&["--json", "cert", "show", certificate]).ok().json()["blobId"].as_str().unwrap().to_owned()
    };
    let listed = devnet.run(&["--json", "ls"]).ok().json();
    let ids: Vec<_> = listed["blobs"].as_array().unwrap().iter().map(|blob| blob["blobId"].as_str().unwrap()).collect();
    assert_eq!(ids, [id(&by_payload), id(&by_shard)], "soonest to expire first");
    assert_eq!((&listed["blobs"][0]["payloadBytes"], &listed["more"]), (&2000.into(), &false.into()));
    assert!(listed["blobs"][1]["members"].as_array().unwrap().len() >= 6);
    assert_eq!(devnet.run(&["--json", "ls", "--limit", "1", "--from", "m2"]).ok().json()["more"], true);
    let elsewhere = format!("0x{}", "12".repeat(32));
    let ours = devnet.state()["namespace"].as_str().unwrap().to_owned();
    let named = |namespaces: &[&str]| {
        let listed = devnet.run(&[&["--json", "ls", "--namespace"], namespaces].concat()).ok().json();
        listed["blobs"].as_array().unwrap().len()
    };
    assert_eq!((named(&[&elsewhere]), named(&[&ours]), named(&[&ours, &elsewhere])), (0, 2, 2));
    devnet.run(&["ls", "--from", "m9"]).fails(2, &["no member m9"]);

    let file = devnet.file("find", &payload);
    let found = devnet.run(&["--json", "find", "--file", &file]).ok().json();
    assert_eq!(found["blobs"][0]["blobId"], id(&by_payload));
    let digest = found["payloadDigest"].as_str().unwrap();
    assert_eq!(devnet.run(&["find", digest]).ok().text().trim(), id(&by_payload));
    devnet.run(&["find", &format!("0x{}", "ab".repeat(32))]).fails(5, &["was not found"]);
}

#[test]
fn who_can_still_serve_a_blob_is_said_with_how_many_may_fail() {
    let devnet = Devnet::up(&["--l1", "none"]);
    let payload = noise(30_000, 41);
    let certificate = devnet.put("check", &payload, &[]);
    let check = |what: &str| devnet.run(&["--json", "blob", "check", what]);
    let whole = check(&certificate).ok().json();
    assert_eq!((&whole["needed"], &whole["mayFail"]), (&2.into(), &5.into()));
    assert_eq!(whole["serving"], serde_json::json!([0, 1, 2, 3, 4, 5, 6]));
    let id = whole["blobId"].as_str().unwrap().to_owned();
    assert_eq!(check(&id).ok().json()["mayFail"], 5);

    devnet.devnet(&["fault", "m1", "wrong-shard", "--blob", &id]).ok();
    devnet.devnet(&["fault", "m4", "crash"]).ok();
    let ran = check(&certificate);
    ran.fails(4, &["storing the payload again repairs it"]);
    let checked = ran.json();
    assert_eq!((&checked["serving"], &checked["mayFail"]), (&serde_json::json!([0, 2, 3, 5, 6]), &3.into()));
    let failures: Vec<_> = checked["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["slot"].as_u64().unwrap(), it["code"].as_str().unwrap()))
        .collect();
    assert_eq!(failures, [(1, "FAULT"), (4, "UNREACHABLE")]);

    // A reader who audits names every faulty member, and reads.
    let read = devnet.path("audit.read");
    let got = devnet.run(&["--json", "get", &certificate, "--audit", "-o", &read]).ok().json();
    assert_eq!(fs::read(read).unwrap(), payload);
    assert_eq!(got["faults"][0]["slot"], 1);
    assert!(got["failures"].as_array().unwrap().iter().any(|it| it["slot"] == 4), "{got}");
    check(&format!("0x{}", "ab".repeat(32))).fails(5, &["was not found", "members of epoch 1 were asked"]);
}

#[test]
fn the_doctor_says_what_to_do() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    let sound = devnet.run(&["doctor"]).ok();
    for part in ["ok    configuration", "ok    members: 4 of 4", "ok    clock", "ok    disperser key"] {
        assert!(sound.text().contains(part), "{part}: {}", sound.text());
    }
    for name in ["m1", "m2"] {
        devnet.devnet(&["fault", name, "crash"]).ok();
    }
    let stranger = devnet.file("stranger.key", "11".repeat(32).as_bytes());
    let config = devnet.config("sick.toml", |ours| ours.replace("\"disperser.key\"", &format!("\"{stranger}\"")));
    let ran = run(&["--config", &config, "doctor"]);
    ran.fails(3, &["to be mended: members, disperser key"]);
    for part in ["BAD   members: 2 of 4", "-> holdfast committee check", "does not disperse", "-> its owner runs"] {
        assert!(ran.text().contains(part), "{part}: {}", ran.text());
    }
    run(&["doctor"]).fails(2, &["to be mended: registry"]);
}

#[test]
fn a_disperser_s_key_is_made_with_its_address_and_taken_from_a_keystore() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    let (keystore, plain) = (devnet.path("d.json"), devnet.path("d.key"));
    let password = devnet.file("d.password", b"correct horse\n");
    let made = run(&["--json", "keys", "new", "--disperser", "--keystore", &keystore, "--password-file", &password]);
    let address = made.ok().json()["address"].as_str().unwrap().to_owned();
    let other = run(&["--json", "keys", "new", "--disperser", "--key-file", &plain]).ok().json();
    assert_ne!(other["address"], address);
    run(&["keys", "new", "--disperser", "--key-file", &plain]).fails(6, &["overwritten"]);
    run(&["keys", "new", "--disperser"]).fails(2, &["--keystore"]);
    run(&["keys", "new", "--key-file", &plain]).fails(2, &["--disperser"]);

    // Members learn of the new disperser when they start.
    let committee = devnet.dir().join("committee.json");
    crate::support::edit_json(&committee, &committee, |file| {
        file["namespaces"][0]["dispersers"] = vec![address.clone()].into()
    });
    devnet.devnet(&["down"]).ok();
    devnet.devnet(&["up"]).ok();
    let file = devnet.file("by-keystore", b"signed by a keystore");
    let config = |password: &str| {
        devnet.config("keystore.toml", |ours| {
            let files = format!("\"{keystore}\"\ndisperser_password_file = \"{password}\"");
            ours.replace("\"disperser.key\"", &files)
        })
    };
    run(&["--config", &config(&password), "put", &file]).ok();
    let wrong = devnet.file("d.wrong", b"battery staple");
    run(&["--config", &config(&wrong), "put", &file]).fails(2, &["d.json", "wrong password"]);
    let without = devnet.config("without.toml", |ours| ours.replace("\"disperser.key\"", &format!("\"{keystore}\"")));
    run(&["--config", &without, "put", &file]).fails(2, &["is a keystore", "password"]);
    // A keystore that says that it is another account's.
    let lying = fs::read_to_string(&keystore).unwrap().replace(&address[2..], &"07".repeat(20));
    let lying = devnet.file("lying.json", lying.as_bytes());
    let config = devnet.config("lying.toml", |ours| {
        ours.replace("\"disperser.key\"", &format!("\"{lying}\"\ndisperser_password_file = \"{password}\""))
    });
    run(&["--config", &config, "put", &file]).fails(2, &["lying.json", "is for account 0707", &address]);
}
