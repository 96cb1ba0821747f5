//! `holdfast member`: what an operator can get wrong.

use std::{fs, os::unix::net::UnixDatagram, process::Stdio, time::Duration};

use rustix::process::Signal;

use crate::support::{Devnet, command, run, signal};

#[test]
fn a_running_member_says_how_it_is_and_another_cannot_take_its_port_or_data() {
    let devnet = Devnet::shared();
    let config = |name: &str| devnet.dir().join("m0").join(name).to_str().unwrap().to_owned();
    let ours = config("member.toml");
    let status = run(&["--json", "--config", &ours, "member", "status"]).ok().json();
    // Beside the running member, the check finds it and is content.
    let checked = run(&["--json", "--config", &ours, "member", "check"]).ok().json();
    assert_eq!((&checked["running"], &checked["problems"]), (&true.into(), &serde_json::json!([])));
    assert_eq!(
        (&status["slot"], &status["epoch"], &status["writesDisabled"]),
        (&0.into(), &1.into(), &serde_json::Value::Null)
    );

    let listen = devnet.state()["members"][0]["listen"].as_str().unwrap().to_owned();
    let text = fs::read_to_string(&ours).unwrap();
    fs::write(config("port.toml"), text.replace("\"data\"", "\"data2\"")).unwrap();
    run(&["--config", &config("port.toml"), "member", "run"]).fails(2, &[&listen, "in use by another process"]);
    let theirs = devnet.dir().join("m1/taken.toml");
    fs::write(&theirs, text.replace("m0", "m1")).unwrap();
    run(&["--config", theirs.to_str().unwrap(), "member", "check"]).fails(2, &["cannot listen on", &listen]);

    fs::write(config("data.toml"), text.replace(&listen, "127.0.0.1:0")).unwrap();
    run(&["--config", &config("data.toml"), "member", "run"]).fails(6, &["data folder", "in use by another process"]);
}

#[test]
fn a_misspelt_key_is_answered_with_the_nearest() {
    let devnet = Devnet::shared();
    let config = |name: &str| devnet.dir().join("m1").join(name).to_str().unwrap().to_owned();
    let text = fs::read_to_string(config("member.toml")).unwrap();
    fs::write(config("misspelt.toml"), text.replace("listen", "lissen")).unwrap();
    for verb in ["check", "run", "status"] {
        run(&["--config", &config("misspelt.toml"), "member", verb]).fails(2, &["`lissen`", "did you mean `listen`"]);
    }
}

#[test]
fn init_makes_a_folder_once_and_check_says_what_is_missing() {
    let devnet = Devnet::shared();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("m").to_str().unwrap().to_owned();
    let committee = devnet.dir().join("committee.json").to_str().unwrap().to_owned();
    let init = ["--json", "member", "init", "--dir", &dir, "--listen", "127.0.0.1:0", "--committee-file", &committee];
    let made = run(&init).ok().json();
    assert!(made["publicKey"].is_string() && made["proofOfPossession"].is_string());
    let before = fs::read(folder.path().join("m/keystore.json")).unwrap();
    run(&init).fails(6, &["member.toml exists"]);
    assert_eq!(fs::read(folder.path().join("m/keystore.json")).unwrap(), before);
    let store = fs::read_to_string(folder.path().join("m/data/store.json")).unwrap();
    assert!(store.contains(made["publicKey"].as_str().unwrap()), "{store}");

    let config = made["config"].as_str().unwrap();
    let checked = run(&["--json", "--config", config, "member", "check"]);
    checked.fails(2, &["epoch 1 has no slot for this key"]);
    assert_eq!((&checked.json()["epoch"], &checked.json()["slot"]), (&1.into(), &serde_json::Value::Null));
    run(&["member", "init", "--dir", &dir]).fails(2, &["--committee-file"]);

    fs::write(folder.path().join("m/password.txt"), "another").unwrap();
    for verb in ["check", "run"] {
        run(&["--config", config, "member", verb]).fails(2, &["keystore.json", "password"]);
    }
}

#[test]
fn a_data_folder_that_is_not_there_is_never_made_by_itself() {
    let devnet = Devnet::shared();
    let folder = devnet.dir().join("m2");
    let text = fs::read_to_string(folder.join("member.toml")).unwrap();
    let listen = devnet.state()["members"][2]["listen"].as_str().unwrap().to_owned();
    let config = folder.join("unmounted.toml");
    fs::write(&config, text.replace(&listen, "127.0.0.1:0").replace("\"data\"", "\"unmounted\"")).unwrap();
    let config = config.to_str().unwrap();
    let data = folder.join("unmounted");
    run(&["--config", config, "member", "run"]).fails(6, &["holds no store", "mounted", "--accept-empty-store"]);
    assert!(!data.exists());
    fs::create_dir(&data).unwrap();
    run(&["--config", config, "member", "run"]).fails(6, &["holds no store"]);
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0);
    let made = run(&["--json", "--config", config, "member", "new-store"]).ok().json();
    run(&["--config", config, "member", "new-store"]).fails(6, &[made["storeId"].as_str().unwrap()]);
}

#[test]
fn a_service_manager_is_told_when_the_member_serves_and_when_it_stops() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "3"]);
    devnet.devnet(&["fault", "m0", "crash"]).ok();
    let path = devnet.path("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let heard = || {
        let mut text = [0; 256];
        let length = manager.recv(&mut text).expect("told in time");
        String::from_utf8(text[..length].to_vec()).unwrap()
    };
    let config = devnet.dir().join("m0/member.toml");
    let mut member = command(&["--config", config.to_str().unwrap(), "member", "run"]);
    let mut member = member.env("NOTIFY_SOCKET", &path).stderr(Stdio::null()).spawn().unwrap();
    let ready = heard();
    // It serves by then.
    let status = run(&["--config", config.to_str().unwrap(), "member", "status"]);
    signal(i32::try_from(member.id()).unwrap(), Signal::TERM);
    let stopping = heard();
    let ended = member.wait().unwrap();
    assert_eq!((ready.as_str(), stopping.as_str()), ("READY=1\n", "STOPPING=1\n"));
    status.ok();
    assert!(ended.success(), "{ended}");
}
