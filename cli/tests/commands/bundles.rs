//! What anybody keeps of a namespace: `export`, `mirror run`, `verify`; and what its operator has held on: `namespace renew`.

use std::{fs, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Devnet, edit_json, noise, signal, wait_until};

fn blobs(devnet: &Devnet) -> Vec<(Vec<u8>, Value)> {
    let mut blobs = Vec::new();
    for (name, length, arguments) in
        [("one", 1, &[][..]), ("two", 300_000, &[]), ("three", 40_000, &["--by", "payload", "--retain", "40d"])]
    {
        let payload = noise(length, length as u64);
        let certificate = devnet.put(name, &payload, arguments);
        blobs.push((payload, devnet.run(&["--json", "cert", "show", &certificate]).ok().json()));
    }
    blobs
}

fn file_of(bundle: &str, id: &str, extension: &str) -> std::path::PathBuf {
    let name = id.trim_start_matches("0x");
    Path::new(bundle).join("blobs").join(&name[..2]).join(format!("{name}.{extension}"))
}

#[test]
fn a_namespace_is_exported_while_two_members_are_down_and_checked_without_anybody() {
    let devnet = Devnet::up(&["--l1", "none"]);
    let blobs = blobs(&devnet);
    devnet.devnet(&["fault", "m2", "crash"]).ok();
    devnet.devnet(&["fault", "m5", "crash"]).ok();
    let bundle = devnet.path("bundle");
    // Everything is there; but with f = 4, what the two know alone could be a certified blob's honest signers.
    let ran = devnet.run(&["--json", "export", "--dir", &bundle]);
    ran.fails(3, &["too few members gave their lists"]);
    let exported = ran.json();
    assert_eq!((&exported["blobs"], &exported["read"], &exported["complete"]), (&3.into(), &3.into(), &false.into()));
    devnet.devnet(&["heal", "m5"]).ok();
    for (payload, shown) in &blobs {
        assert_eq!(fs::read(file_of(&bundle, shown["blobId"].as_str().unwrap(), "bin")).unwrap(), *payload);
    }
    // Again: nothing is read twice, and a file that is gone or short is read again.
    let id = blobs[1].1["blobId"].as_str().unwrap();
    assert_eq!(devnet.run(&["--json", "export", "--dir", &bundle]).ok().json()["read"], 0);
    fs::write(file_of(&bundle, id, "bin"), &blobs[1].0[..1000]).unwrap();
    fs::remove_file(file_of(&bundle, id, "json")).unwrap();
    assert_eq!(devnet.run(&["--json", "export", "--dir", &bundle]).ok().json()["read"], 1);

    let verified = devnet.run(&["--json", "verify", "--bundle", &bundle]).ok().json();
    assert_eq!((&verified["blobs"], &verified["certified"]), (&3.into(), &3.into()));
    assert_eq!((&verified["keys"], &verified["bytes"]), (&"registry".into(), &340_001.into()));
    // Nobody is asked: the whole committee may be gone.
    let registry = verified["registry"].as_str().unwrap().to_owned();
    devnet.devnet(&["down"]).ok();
    let offline = |bundle: &str| {
        crate::support::run(&["--json", "verify", "--bundle", bundle, "--offline", "--registry", &registry])
    };
    assert_eq!(offline(&bundle).ok().json()["keys"], "bundle");
    let elsewhere = format!("0x{}", "12".repeat(20));
    crate::support::run(&["verify", "--bundle", &bundle, "--offline", "--registry", &elsewhere])
        .fails(4, &["expected"]);

    // A lying bundle: a flipped bit, another blob's payload, another's certificate, other keys, a blob made up.
    let (of, path) = (|id: &str, extension: &str| file_of(&bundle, id, extension), file_of(&bundle, id, "bin"));
    let sound = fs::read(&path).unwrap();
    let mut flipped = sound.clone();
    flipped[77_777] ^= 1;
    fs::write(&path, flipped).unwrap();
    let refused = offline(&bundle);
    refused.fails(4, &["1 of 3 blobs"]);
    assert_eq!(refused.json()["bad"][0]["blobId"], id);
    fs::write(&path, &sound).unwrap();
    let other = blobs[0].1["blobId"].as_str().unwrap();
    let record = fs::read(of(id, "json")).unwrap();
    edit_json(&of(other, "json"), &of(other, "json"), |it| {
        let of_another: Value = serde_json::from_slice(&record).unwrap();
        it["certificates"] = of_another["certificates"].clone();
    });
    offline(&bundle).fails(4, &["a certificate of another blob"]);
    edit_json(&of(other, "json"), &of(other, "json"), |it| it["certificates"] = Value::Array(Vec::new()));
    let uncertified = offline(&bundle).ok().json();
    assert_eq!((&uncertified["certified"], &uncertified["uncertified"]), (&2.into(), &1.into()));
    let head = Path::new(&bundle).join("bundle.json");
    let before = fs::read(&head).unwrap();
    edit_json(&head, &head, |it| {
        let slots = it["epochs"]["1"]["slots"].as_array_mut().unwrap();
        slots.swap(0, 1);
    });
    offline(&bundle).fails(4, &["the keys of epoch 1 are not those of registry"]);
    fs::write(&head, &before).unwrap();
    let held = Path::new(&bundle).join("held.txt");
    let lines = fs::read_to_string(&held).unwrap();
    fs::write(&held, format!("{lines}0x{}\n", "ab".repeat(32))).unwrap();
    offline(&bundle).fails(4, &["its record cannot be read"]);
    fs::write(&held, &lines[..lines.len() - 20]).unwrap();
    offline(&bundle).fails(4, &["held.txt is damaged: it has 2 sound lines, expected 3"]);
    fs::write(&held, &lines).unwrap();
    fs::write(&head, &before[..before.len() / 2]).unwrap();
    offline(&bundle).fails(4, &["bundle.json is damaged", "`holdfast export --dir"]);
    edit_json_of(&head, &before, |it| it["format"] = 7.into());
    offline(&bundle).fails(2, &["has format 7, expected"]);
}

fn edit_json_of(file: &Path, sound: &[u8], change: impl FnOnce(&mut Value)) {
    fs::write(file, sound).unwrap();
    edit_json(file, file, change);
}

/// Whoever has the payloads and their certificates can have everything else made anew.
#[test]
fn a_bundle_whose_head_is_lost_or_damaged_gets_it_anew_with_every_epoch_that_its_blobs_need() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    let certificate = devnet.put("one", &noise(5000, 1), &[]);
    let bundle = devnet.path("bundle");
    devnet.run(&["export", "--dir", &bundle]).ok();
    let (head, held) = (Path::new(&bundle).join("bundle.json"), Path::new(&bundle).join("held.txt"));
    let sound = fs::read(&head).unwrap();
    let offline = || devnet.run(&["--json", "verify", "--bundle", &bundle, "--offline"]);
    // The configured registry does for one that is named; with neither nobody knows what to expect.
    assert_eq!(offline().ok().json()["certified"], 1);
    crate::support::run(&["verify", "--bundle", &bundle, "--offline"]).fails(2, &["give --registry ADDRESS"]);
    // A head that does not name an epoch: the registry is asked for it all the same, and an export takes it down.
    edit_json(&head, &head, |it| it["epochs"] = serde_json::json!({}));
    offline().fails(4, &["nobody knows epoch 1"]);
    devnet.run(&["verify", "--bundle", &bundle]).ok();
    devnet.run(&["export", "--dir", &bundle]).ok();
    offline().ok();
    for damage in [None, Some(&sound[..sound.len() / 2]), Some(&[])] {
        for mirrored in [false, true] {
            let how = match damage {
                None => fs::remove_file(&head).map(|()| "is missing").unwrap(),
                Some(bytes) => fs::write(&head, bytes).map(|()| "is damaged").unwrap(),
            };
            // What the head would say of the list is lost as well.
            if mirrored {
                fs::remove_file(&held).unwrap();
            }
            let keep: &[&str] = if mirrored { &["mirror", "run", "--once"] } else { &["export"] };
            let kept = devnet.run(&[keep, &["--dir", &bundle]].concat()).ok();
            assert!(kept.stderr.contains(&format!("bundle.json {how}")), "{}", kept.stderr);
            let verified = offline().ok().json();
            assert_eq!((&verified["blobs"], &verified["certified"]), (&1.into(), &1.into()), "{verified}");
        }
    }
    // A folder without a head is still somebody's.
    fs::remove_file(&head).unwrap();
    let elsewhere = format!("0x{}", "12".repeat(32));
    devnet.run(&["export", "--dir", &bundle, "--namespace", &elsewhere]).fails(6, &["has the payloads of namespace"]);
    assert!(!head.exists() && file_of(&bundle, &id_of(&devnet, &certificate), "bin").exists());
    for (field, value, code, says) in
        [("format", 7.into(), 2, "has format 7"), ("chainId", 99.into(), 6, "has the payloads of namespace")]
    {
        let value: Value = value;
        edit_json_of(&head, &sound, |it| it[field] = value);
        let before = fs::read(&head).unwrap();
        devnet.run(&["export", "--dir", &bundle]).fails(code, &[says]);
        assert_eq!(fs::read(&head).unwrap(), before, "{field}");
    }
}

/// The events in a bundle.
fn published(bundle: &str) -> Vec<Value> {
    let text = fs::read_to_string(Path::new(bundle).join("published.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn id_of(devnet: &Devnet, certificate: &str) -> String {
    devnet.run(&["--json", "cert", "show", certificate]).ok().json()["blobId"].as_str().unwrap().to_owned()
}

#[test]
fn a_bundle_is_in_the_order_of_l1_and_what_it_says_of_l1_is_checked_with_l1() {
    let devnet = Devnet::up(&["--members", "4"]);
    let put = |name: &str, seed: u64| devnet.put(name, &noise(5000, seed), &[]);
    let [first, second, third, fourth] = [put("first", 1), put("second", 2), put("third", 3), put("fourth", 4)];
    // Stored in one order and published in another; one twice, and one never.
    for certificate in [&third, &first, &fourth] {
        devnet.run(&["cert", "publish", certificate]).ok();
    }
    let bundle = devnet.path("bundle");
    let exported = || devnet.run(&["--json", "export", "--dir", &bundle]).ok().json();
    wait_until("all that was published is final", || exported()["published"] == 3);
    let verify = |more: &[&str]| {
        let base = ["--json", "verify", "--bundle", &bundle];
        devnet.run(&[&base[..], more].concat())
    };
    let order = devnet.path("order");
    let verified = verify(&["--positions", "--order", &order]).ok().json();
    assert_eq!((&verified["published"], &verified["unpublished"]), (&3.into(), &1.into()), "{verified}");
    assert_eq!(
        (&verified["positions"], &verified["unproven"], &verified["absent"]),
        (&"L1".into(), &0.into(), &0.into())
    );
    let lines: Vec<Value> =
        fs::read_to_string(&order).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids = [&third, &first, &fourth, &second].map(|certificate| id_of(&devnet, certificate));
    assert_eq!(lines.iter().map(|line| line["blobId"].as_str().unwrap()).collect::<Vec<_>>(), ids);
    assert_eq!(
        lines.iter().map(|line| line["published"].as_bool().unwrap()).collect::<Vec<_>>(),
        [true, true, true, false]
    );
    let place = |line: &Value| (line["event"]["block"].as_u64().unwrap(), line["event"]["logIndex"].as_u64().unwrap());
    assert!(place(&lines[0]) < place(&lines[1]) && place(&lines[1]) < place(&lines[2]));
    assert!(lines[0]["event"]["transaction"].as_str().unwrap().starts_with("0x"));

    // A bundle that lies about its places on L1: only L1 can tell; about what an event says, or their order, anybody can.
    let file = Path::new(&bundle).join("published.jsonl");
    let sound = fs::read_to_string(&file).unwrap();
    let lie = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut events = published(&bundle);
        change(&mut events);
        let text: String = events.iter().map(|event| format!("{event}\n")).collect();
        fs::write(&file, text).unwrap();
    };
    let registry = verified["registry"].as_str().unwrap();
    let offline = ["--offline", "--registry", registry];
    let head = Path::new(&bundle).join("bundle.json");
    let as_it_was = fs::read(&head).unwrap();
    lie(&|events| events[2]["block"] = (events[2]["block"].as_u64().unwrap() + 1).into());
    verify(&offline).ok();
    verify(&["--positions"]).fails(4, &["L1"]);
    fs::write(&file, &sound).unwrap();
    lie(&|events| drop(events.remove(1)));
    verify(&offline).fails(4, &["published.jsonl is damaged: it has 2 sound lines, expected 3"]);
    edit_json(&head, &head, |it| it["l1"]["published"] = 2.into());
    verify(&offline).ok();
    verify(&["--positions"]).fails(4, &["and the bundle has not"]);
    fs::write(&head, &as_it_was).unwrap();
    for (field, value, says) in [
        ("retainUntil", 7.into(), "says something else than its certificate"),
        ("payloadDigest", format!("0x{}", "ab".repeat(32)).into(), "says something else than its certificate"),
    ] {
        let value: Value = value;
        fs::write(&file, &sound).unwrap();
        lie(&|events| events[0][field] = value.clone());
        verify(&offline).fails(4, &["1 of 4 blobs"]);
        assert!(verify(&offline).json()["bad"][0]["error"].as_str().unwrap().contains(says));
    }
    fs::write(&file, &sound).unwrap();
    lie(&|events| events.swap(0, 1));
    let unordered = verify(&offline);
    unordered.fails(4, &["out of order", "remove it, and `holdfast export --dir"]);
    assert_eq!((&unordered.json()["blobs"], &unordered.json()["certified"]), (&4.into(), &4.into()));
    fs::remove_file(&order).unwrap();
    verify(&["--order", &order]).fails(4, &["out of order"]);
    assert!(!Path::new(&order).exists(), "an order that is none");
    verify(&["--positions"]).fails(4, &["out of order"]);
    // An export alone takes the list for what it has read; what the message says does it.
    for damage in [fs::read_to_string(&file).unwrap(), format!("damaged\n{}", &sound[8..])] {
        fs::write(&file, damage).unwrap();
        verify(&offline).fails(4, &["published.jsonl", "remove it, and `holdfast export --dir"]);
        fs::remove_file(&file).unwrap();
        exported();
        assert_eq!(fs::read_to_string(&file).unwrap(), sound);
        verify(&["--positions"]).ok();
    }
    // What was published and is left out of a bundle that calls itself complete.
    fs::write(&file, &sound).unwrap();
    let held = Path::new(&bundle).join("held.txt");
    let all = fs::read_to_string(&held).unwrap();
    fs::write(&held, all.lines().filter(|line| *line != ids[0]).map(|line| format!("{line}\n")).collect::<String>())
        .unwrap();
    edit_json(&head, &head, |it| it["held"] = 3.into());
    verify(&offline).fails(4, &["1 of 3 blobs"]);
}

/// A mirror's folder as it is at each step between one pass and the next, as if it had been killed there.
#[test]
fn a_mirror_that_is_killed_between_any_two_steps_misses_nothing_and_has_nothing_twice() {
    let devnet = Devnet::up(&["--members", "4"]);
    let [before, after] = ["before", "after"].map(|name| devnet.path(name));
    let once = |dir: &str| devnet.run(&["--json", "mirror", "run", "--once", "--dir", dir]).ok().json();
    let publish = |name: &str, seed: u64| {
        let certificate = devnet.put(name, &noise(9000, seed), &[]);
        devnet.run(&["cert", "publish", &certificate]).ok();
        id_of(&devnet, &certificate)
    };
    let first = publish("first", 1);
    wait_until("the first is final", || once(&before)["published"] == 1);
    let second = publish("second", 2);
    copy(&before, &after);
    wait_until("the second is final", || once(&after)["published"] == 2);
    assert_eq!(once(&after)["read"], 0, "nothing is read twice");
    let blob = |extension: &str| {
        let file = file_of(&after, &second, extension);
        file.strip_prefix(&after).unwrap().to_str().unwrap().to_owned()
    };
    // In the order in which they are written; of lists also half.
    let steps = ["published.jsonl".to_owned(), blob("bin"), blob("json"), "held.txt".into(), "bundle.json".into()];
    for (number, half) in (0..=steps.len()).flat_map(|number| [(number, false), (number, true)]) {
        let killed = devnet.path(&format!("killed-{number}-{half}"));
        copy(&before, &killed);
        for (done, step) in steps[..number].iter().enumerate() {
            let bytes = fs::read(Path::new(&after).join(step)).unwrap();
            let torn = half && done + 1 == number && !step.ends_with("json");
            let bytes = if torn { &bytes[..bytes.len() - 30] } else { &bytes[..] };
            let target = Path::new(&killed).join(step);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, bytes).unwrap();
        }
        once(&killed);
        same_bundle(&devnet, &after, &killed);
    }
    // What it notes is lost or damaged, with and without the list that it is about.
    for (lost, cut) in
        [("follow.json", None), ("published.jsonl", None), ("held.txt", None), ("published.jsonl", Some(10))]
    {
        let damaged = devnet.path(&format!("damaged-{lost}-{}", cut.is_some()));
        copy(&after, &damaged);
        let file = Path::new(&damaged).join(lost);
        match cut {
            None => fs::remove_file(file).unwrap(),
            Some(cut) => {
                let bytes = fs::read(&file).unwrap();
                fs::write(&file, &bytes[..bytes.len() - cut]).unwrap();
            }
        }
        devnet.run(&["export", "--dir", &damaged]).ok();
        same_bundle(&devnet, &after, &damaged);
    }
    assert!(fs::read_to_string(Path::new(&after).join("held.txt")).unwrap().contains(&first));
    // Two at once would undo each other's notes.
    let modified = |bundle: &str| fs::metadata(Path::new(bundle).join("bundle.json")).unwrap().modified().unwrap();
    let made = modified(&after);
    let mut mirror = devnet.command(&["--json", "mirror", "run", "--dir", &after, "--every", "1h"]).spawn().unwrap();
    wait_until("it has made a pass", || modified(&after) != made);
    devnet.run(&["export", "--dir", &after]).fails(6, &["another process keeps the bundle"]);
    signal(i32::try_from(mirror.id()).unwrap(), Signal::TERM);
    assert!(mirror.wait().unwrap().success());
}

#[test]
fn a_mirror_learns_from_l1_what_no_list_shows_it_and_from_lists_what_a_member_had_while_it_was_away() {
    let devnet = Devnet::up(&["--members", "4"]);
    let mirror = devnet.path("mirror");
    let once = || devnet.run(&["--json", "mirror", "run", "--once", "--dir", &mirror]);
    let there = |id: &str| file_of(&mirror, id, "bin").exists();
    let first = id_of(&devnet, &devnet.put("first", &noise(4000, 1), &[]));
    once().ok();
    assert!(there(&first));
    // As if every list ended before what comes now: then no member shows it, and the event alone does.
    let follow = Path::new(&mirror).join("follow.json");
    let end = |lists: &mut Value| {
        lists.as_object_mut().unwrap().values_mut().for_each(|list| list["at"] = "7fffffffffffffff".into());
    };
    edit_json(&follow, &follow, |it| end(&mut it["lists"]));
    let second = devnet.put("second", &noise(4000, 2), &[]);
    let unpublished = id_of(&devnet, &devnet.put("third", &noise(4000, 3), &[]));
    once().ok();
    assert!(!there(&id_of(&devnet, &second)) && !there(&unpublished), "no list shows it");
    devnet.run(&["cert", "publish", &second]).ok();
    let second = id_of(&devnet, &second);
    wait_until("the event is final", || {
        once().ok();
        there(&second)
    });
    assert!(!there(&unpublished));
    // Once a day every list is read from its start.
    edit_json(&follow, &follow, |it| {
        it["lists"].as_object_mut().unwrap().values_mut().for_each(|list| list["begun"] = 1.into());
    });
    once().ok();
    assert!(there(&unpublished));
    // Two are away while something is stored that they do not have, and then the mirror's eyes are.
    devnet.devnet(&["fault", "m3", "crash"]).ok();
    let fourth = id_of(&devnet, &devnet.put("fourth", &noise(4000, 4), &[]));
    for member in ["m0", "m1", "m2"] {
        devnet.devnet(&["fault", member, "crash"]).ok();
    }
    devnet.devnet(&["heal", "m3"]).ok();
    once().fails(3, &["too few members gave their lists"]);
    assert!(!there(&fourth));
    for member in ["m0", "m1", "m2"] {
        devnet.devnet(&["heal", member]).ok();
    }
    wait_until("it is there", || {
        once();
        there(&fourth)
    });
    devnet.run(&["verify", "--bundle", &mirror, "--positions"]).ok();
}

fn copy(from: &str, to: &str) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = (entry.as_ref().unwrap(), Path::new(to).join(entry.as_ref().unwrap().file_name()));
        match entry.file_type().unwrap().is_dir() {
            true => copy(entry.path().to_str().unwrap(), to.to_str().unwrap()),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// The same events and blobs, each once, and all of it sound.
fn same_bundle(devnet: &Devnet, one: &str, other: &str) {
    assert_eq!(published(one), published(other), "{other}");
    let held = |bundle: &str| {
        let text = fs::read_to_string(Path::new(bundle).join("held.txt")).unwrap();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(held(one), held(other), "{other}");
    let verified = devnet.run(&["--json", "verify", "--bundle", other]).ok().json();
    assert_eq!((&verified["uncertified"], &verified["unproven"]), (&0.into(), &0.into()), "{other}: {verified}");
}

#[test]
fn a_mirror_takes_what_is_new_and_keeps_another_namespaces_folder_as_it_is() {
    let devnet = Devnet::up(&["--l1", "none", "--members", "4"]);
    let first = devnet.put("first", &noise(5000, 1), &[]);
    let bundle = devnet.path("mirror");
    let mut mirror = devnet.command(&["--json", "mirror", "run", "--dir", &bundle, "--every", "1s"]).spawn().unwrap();
    let id = |certificate: &str| {
        devnet.run(&["--json", "cert", "show", certificate]).ok().json()["blobId"].as_str().unwrap().to_owned()
    };
    let first = id(&first);
    wait_until("the first is there", || file_of(&bundle, &first, "bin").exists());
    let second = id(&devnet.put("second", &noise(6000, 2), &[]));
    wait_until("the second is there", || file_of(&bundle, &second, "bin").exists());
    wait_until("and in the head", || {
        fs::read_to_string(Path::new(&bundle).join("held.txt")).unwrap().contains(&second)
    });
    signal(i32::try_from(mirror.id()).unwrap(), Signal::TERM);
    assert!(mirror.wait().unwrap().success());
    devnet.run(&["verify", "--bundle", &bundle]).ok();
    let elsewhere = format!("0x{}", "12".repeat(32));
    devnet.run(&["export", "--dir", &bundle, "--namespace", &elsewhere]).fails(6, &["has the payloads of namespace"]);
    let empty = devnet.path("nothing");
    devnet.run(&["verify", "--bundle", &empty]).fails(2, &["there is no bundle.json"]);
}

#[test]
fn what_ends_soon_is_held_on_and_the_same_payload_is_not_certified_twice() {
    let devnet = Devnet::up(&["--l1", "none"]);
    let payload = noise(200_000, 7);
    let short = devnet.put("short", &payload, &["--retain", "3d"]);
    let by_payload = devnet.put("by-payload", &noise(2000, 8), &["--by", "payload", "--retain", "2d"]);
    let long = devnet.put("long", &noise(3000, 9), &["--retain", "60d"]);
    let shown = |certificate: &str| devnet.run(&["--json", "cert", "show", certificate]).ok().json();
    let id = |certificate: &str| shown(certificate)["blobId"].as_str().unwrap().to_owned();
    let would = devnet.run(&["--json", "namespace", "renew", "--retain", "30d", "--dry-run"]).ok().json();
    assert_eq!(would["renewed"].as_array().unwrap().len(), 2, "{would}");
    assert_eq!(would["renewed"][0]["blobId"], id(&by_payload), "what ends first is first");
    let renewed = devnet.run(&["--json", "namespace", "renew", "--retain", "30d"]).ok().json();
    let until = renewed["retainUntil"].as_u64().unwrap();
    assert_eq!((renewed["renewed"].as_array().unwrap().len(), &renewed["complete"]), (2, &true.into()));
    assert!(renewed["renewed"].as_array().unwrap().iter().all(|it| it["retainUntil"] == until));
    let of = |blob: &str| renewed["renewed"].as_array().unwrap().iter().find(|it| it["blobId"] == blob).unwrap();
    let certificate = of(&id(&short))["certificate"].as_str().unwrap();
    devnet.run(&["cert", "verify", certificate]).ok();
    assert_eq!(shown(certificate)["blobId"], id(&short));
    assert_eq!(devnet.get(certificate), payload);
    // Once more there is nothing to do, and what is named is done in any case.
    assert_eq!(
        devnet.run(&["--json", "namespace", "renew", "--retain", "30d"]).ok().json()["renewed"],
        Value::Array(vec![])
    );
    let named = devnet.run(&["--json", "namespace", "renew", &id(&long), "--retain", "70d"]).ok().json();
    assert_eq!(named["renewed"][0]["retainUntil"].as_u64().unwrap(), named["retainUntil"].as_u64().unwrap());
    let nobody = format!("0x{}", "ab".repeat(32));
    devnet.run(&["namespace", "renew", &nobody]).fails(3, &["1 of 1 blobs are not renewed"]);

    let file = devnet.file("again", &payload);
    let again = devnet.run(&["--json", "put", &file, "--retain", "60d", "--enough", "20d"]).ok().json();
    assert_eq!((&again["certificate"], &again["retainUntil"]), (&certificate.into(), &until.into()));
    let longer = devnet.run(&["--json", "put", &file, "--retain", "60d", "--enough", "40d"]).ok().json();
    assert!(longer["retainUntil"].as_u64().unwrap() > until);
}
