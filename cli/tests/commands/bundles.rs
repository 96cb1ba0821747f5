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
    edit_json(&head, &head, |it| it["blobs"].as_array_mut().unwrap().push(format!("0x{}", "ab".repeat(32)).into()));
    offline(&bundle).fails(4, &["its record cannot be read"]);
    fs::write(&head, b"{").unwrap();
    offline(&bundle).fails(2, &["is no such file"]);
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
        fs::read_to_string(Path::new(&bundle).join("bundle.json")).unwrap().contains(&second)
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
