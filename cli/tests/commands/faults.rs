//! `holdfast devnet fault`: each fault is one of a real member's process, is shown, and is undone.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Devnet, command, noise, processes_naming, run, signal, wait_until};

const MEMBERS: [&str; 4] = ["--l1", "none", "--members", "4"];

/// What `devnet status` says of a member's faults.
fn faults(devnet: &Devnet, name: &str) -> Vec<String> {
    let shown = devnet.devnet(&["--json", "status"]).ok().json();
    let rows = shown["processes"].as_array().unwrap().clone();
    let row = rows.into_iter().find(|row| row["name"] == name).unwrap();
    row["faults"].as_array().unwrap().iter().map(|fault| fault.as_str().unwrap().to_owned()).collect()
}

/// What a member says of itself, and how long it took.
fn status(devnet: &Devnet, name: &str) -> (Value, Duration) {
    let config = devnet.dir().join(name).join("member.toml");
    let started = Instant::now();
    let said = run(&["--json", "--config", config.to_str().unwrap(), "member", "status"]).ok().json();
    (said, started.elapsed())
}

fn pid(devnet: &Devnet, slot: usize) -> Option<i32> {
    devnet.state()["members"][slot]["process"]["pid"].as_i64().map(|pid| i32::try_from(pid).unwrap())
}

/// As `ps` shows it: `T` for stopped.
fn state_of(pid: i32) -> char {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat[stat.rfind(')').unwrap() + 2..].chars().next().unwrap()
}

#[test]
fn faults_of_a_member_s_process_are_real_and_end_without_a_trace() {
    let devnet = Devnet::up(&MEMBERS);
    let payload = noise(20_000, 1);
    let certificate = devnet.put("before", &payload, &[]);

    // Silent: it is there, and says nothing. What has one such fault gets no other.
    let made = devnet.devnet(&["--json", "fault", "m1", "silent"]).ok().json();
    assert_eq!((&made["member"], made["done"].as_str().unwrap().contains("m1 is stopped")), (&"m1".into(), true));
    assert_eq!((state_of(pid(&devnet, 1).unwrap()), faults(&devnet, "m1")), ('T', vec!["silent".to_owned()]));
    for other in ["crash", "slow=2s", "bitflip"] {
        devnet.devnet(&["fault", "m1", other]).fails(2, &["has a fault already, silent", "fault m1 none"]);
    }
    assert_eq!(devnet.get(&certificate), payload);
    devnet.devnet(&["fault", "m1", "none"]).ok();
    assert_eq!((state_of(pid(&devnet, 1).unwrap()) == 'T', faults(&devnet, "m1")), (false, Vec::new()));
    assert!(status(&devnet, "m1").0["writesDisabled"].is_null());

    // Slow: the answers come, later.
    devnet.devnet(&["fault", "m2", "slow=1500ms"]).ok();
    let (_, took) = status(&devnet, "m2");
    assert!(took >= Duration::from_millis(1500), "{took:?}");
    assert_eq!(faults(&devnet, "m2"), ["slow=1s500ms"]);
    let line = format!("devnet\0line\0--listen\0{}", devnet.state()["members"][2]["listen"].as_str().unwrap());
    assert_eq!(processes_naming(&line).len(), 1);
    devnet.devnet(&["fault", "m2", "none"]).ok();
    assert_eq!((processes_naming(&line), faults(&devnet, "m2")), (Vec::new(), Vec::new()));
    assert!(status(&devnet, "m2").0["writesDisabled"].is_null());

    // A wrong clock, ahead and behind; no member comes to that by its settings.
    let off = || status(&devnet, "m3").0["clockOffSeconds"].as_i64().unwrap();
    for (order, expected) in [("clock=+30d", 30 * 86_400), ("clock=-1h", -3600)] {
        devnet.devnet(&["fault", "m3", order]).ok();
        assert!((off() - expected).abs() < 60, "{order}: {}", off());
        devnet.devnet(&["fault", "m3", "none"]).ok();
    }
    assert!(off().abs() < 60);
    let elsewhere = devnet.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    for name in ["keystore.json", "password", "member.toml"] {
        fs::copy(devnet.dir().join("m3").join(name), format!("{elsewhere}/{name}")).unwrap();
    }
    let config = format!("{elsewhere}/member.toml");
    run(&["--config", &config, "devnet", "clock", "--seconds", "60"]).fails(2, &["members of a devnet only"]);

    // What ends by itself, what is interrupted, and what the end of the devnet undoes.
    let made = devnet.devnet(&["--json", "fault", "m0", "crash", "--for", "100ms"]).ok().json();
    assert_eq!((&made["done"], &made["undone"]), (&"m0 killed".into(), &"m0: undone: crash".into()));
    assert!(pid(&devnet, 0).is_some() && faults(&devnet, "m0").is_empty());
    let dir = devnet.dir().to_str().unwrap().to_owned();
    let mut waiting = command(&["devnet", "fault", "m0", "silent", "--for", "300s", "--dir", &dir])
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("it is silent", || faults(&devnet, "m0").first().is_some_and(|fault| fault.contains("silent until")));
    signal(i32::try_from(waiting.id()).unwrap(), Signal::INT);
    assert!(waiting.wait().unwrap().success());
    assert!(faults(&devnet, "m0").is_empty() && state_of(pid(&devnet, 0).unwrap()) != 'T');
    devnet.devnet(&["fault", "m0", "silent"]).ok();
    devnet.devnet(&["fault", "m1", "slow=10s"]).ok();
    devnet.devnet(&["fault", "m2", "crash"]).ok();
    devnet.devnet(&["down"]).ok();
    assert_eq!(processes_naming(&format!("{dir}/")), Vec::<i32>::new());
    devnet.devnet(&["up"]).ok();
    assert!(["m0", "m1", "m2", "m3"].into_iter().all(|name| faults(&devnet, name).is_empty()));
    assert!(devnet.get(&certificate) == payload);
}

#[test]
fn bytes_that_were_changed_are_as_they_were_when_that_is_undone() {
    let devnet = Devnet::up(&MEMBERS);
    let payload = noise(30_000, 2);
    let certificate = devnet.put("blob", &payload, &[]);
    let sound = |faulty: &[u64]| {
        let checked = devnet.run(&["--json", "blob", "check", &certificate]).json();
        let serving: Vec<_> = checked["serving"].as_array().unwrap().iter().map(|it| it.as_u64().unwrap()).collect();
        (0..4).all(|slot| serving.contains(&slot) != faulty.contains(&slot))
    };
    wait_until("all have it", || sound(&[]));
    devnet.devnet(&["fault", "m1", "wrong-shard"]).ok();
    devnet.devnet(&["fault", "m2", "bitflip"]).ok();
    assert!(sound(&[1, 2]));
    assert_eq!((faults(&devnet, "m1"), faults(&devnet, "m2")), (vec!["wrong-shard".into()], vec!["bitflip".into()]));
    devnet.devnet(&["fault", "m1", "none"]).ok();
    assert!(sound(&[2]));
    // Also by way of a stop, and what is healed by name.
    devnet.devnet(&["down"]).ok();
    devnet.devnet(&["up"]).ok();
    assert!(sound(&[]));
    devnet.devnet(&["fault", "m3", "bitflip"]).ok();
    devnet.devnet(&["fault", "m3", "crash"]).ok();
    assert_eq!(faults(&devnet, "m3"), ["bitflip", "crash"]);
    devnet.devnet(&["heal", "m3"]).ok();
    assert!(sound(&[]) && faults(&devnet, "m3").is_empty());

    for (order, says) in [
        ("slow", "slow=2s"),
        ("explode", "expected crash, silent"),
        ("clock=30d", "a sign"),
        ("slow=1y", "at most 10m"),
    ] {
        devnet.devnet(&["fault", "m0", order]).fails(2, &[says]);
    }
    devnet.devnet(&["fault", "m9", "silent"]).fails(2, &["\"m9\"", "m0 to m3"]);
    devnet.devnet(&["fault", "m0", "silent", "--blob", "0x12"]).fails(2, &["--blob"]);
    devnet.devnet(&["fault", "m0", "none", "--for", "1s"]).fails(2, &["at once"]);
}

#[test]
fn a_member_on_a_full_disk_is_read_and_signs_nothing_until_that_is_undone() {
    let devnet = Devnet::up(&MEMBERS);
    let payload = noise(50_000, 3);
    let certificate = devnet.put("before", &payload, &[]);
    let ran = devnet.devnet(&["fault", "m1", "disk-full"]);
    if !may_mount() {
        ran.fails(1, &["name spaces", "this one does not"]);
        return eprintln!("not run: nothing can be mounted here");
    }
    ran.ok();
    assert_eq!(faults(&devnet, "m1"), ["disk-full"]);
    let said = status(&devnet, "m1").0;
    let reason = said["writesDisabled"].as_str().unwrap().to_owned();
    assert!(reason.contains("the disk is full") && reason.contains("tried every"), "{reason}");
    // The data is there, and nothing is added to it.
    let check = devnet.run(&["--json", "blob", "check", &certificate]).ok().json();
    assert!(check["serving"].as_array().unwrap().contains(&1.into()), "{check}");
    devnet.devnet(&["fault", "m1", "none"]).ok();
    let said = status(&devnet, "m1").0;
    assert!(said["writesDisabled"].is_null() && said["blobs"] == 1, "{said}");
    let after = devnet.put("after", &payload[1..], &[]);
    assert_eq!(devnet.get(&after), payload[1..]);
}

fn may_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /tmp"])
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
