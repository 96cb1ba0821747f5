//! `holdfast gateway` and `devnet up --gateway`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    http,
    support::{Devnet, command, is_alive, noise, run, signal, wait_until},
};

/// Status and body of one request.
fn ask(address: &str, head: &str, body: &[u8]) -> Option<(u16, Vec<u8>)> {
    http::ask(address, head, &[], body)
}

/// Where the devnet's gateway serves a protocol.
fn address(devnet: &Devnet, protocol: &str) -> String {
    let listens = devnet.state()["gateway"]["listens"].as_array().unwrap().clone();
    let listen = listens.into_iter().find(|listen| listen["protocol"] == protocol).unwrap();
    listen["address"].as_str().unwrap().to_owned()
}

/// A gateway of the devnet's, as a process of its own.
struct Process {
    child: Child,
    address: String,
}

impl Process {
    fn start(devnet: &Devnet) -> Self {
        Self::start_with(devnet, "gateway.toml", &[])
    }

    fn start_with(devnet: &Devnet, config: &str, more: &[&str]) -> Self {
        let free = free();
        let (config, none) = (devnet.dir().join(config), "127.0.0.1:0");
        let arguments = ["--config", config.to_str().unwrap(), "gateway", "run", "--http", &free, "--op", none];
        let arguments = [&arguments[..], more].concat();
        let child = command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        wait_until("the gateway serves", || ask(&free, "GET /healthz", b"").is_some_and(|(status, _)| status == 200));
        Self { child, address: free }
    }
}

/// A free address.
fn free() -> String {
    holdfast_transport::free_addresses(1).unwrap()[0].to_string()
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_devnets_gateway_serves_is_checked_and_goes_down_with_it() {
    let devnet = Devnet::up(&["--gateway", "op,http", "--members", "4"]);
    let (http, op) = (address(&devnet, "http"), address(&devnet, "op"));
    let payload = noise(100_000, 1);
    let (status, commitment) = ask(&op, "POST /put", &payload).unwrap();
    assert_eq!((status, &commitment[..2]), (200, [0x01, 0xff].as_slice()));
    let (status, read) = ask(&op, &format!("GET /get/0x{}", hex::encode(&commitment)), b"").unwrap();
    assert!(status == 200 && read == payload);
    // What the gateway stored, the command line reads, and its certificate is good on L1.
    let stored: Value = serde_json::from_slice(&ask(&http, "PUT /v1/blobs", &payload).unwrap().1).unwrap();
    assert_eq!(stored["reused"], true);
    assert!(devnet.get(stored["blobId"].as_str().unwrap()) == payload);
    devnet.run(&["cert", "verify", stored["certificate"].as_str().unwrap(), "--on-chain"]).ok();

    let config = devnet.dir().join("gateway.toml").to_str().unwrap().to_owned();
    run(&["--config", &config, "gateway", "check"]).fails(2, &["cannot listen on"]);
    run(&["--config", &config, "gateway", "run"]).fails(2, &["cannot listen on"]);
    let status = devnet.devnet(&["--json", "status"]).ok().json();
    let rows = status["processes"].as_array().unwrap();
    let pid = rows.iter().find(|row| row["name"] == "gateway").unwrap()["pid"].as_i64().unwrap();
    devnet.devnet(&["down"]).ok();
    assert!(!is_alive(i32::try_from(pid).unwrap()));
    devnet.devnet(&["up"]).ok();
    let (status, read) = ask(&op, &format!("GET /get/0x{}", hex::encode(&commitment)), b"").unwrap();
    assert!(status == 200 && read == payload);
}

#[test]
fn check_says_what_is_wrong_and_starts_nothing() {
    let devnet = Devnet::up(&["--gateway", "http", "--members", "4", "--l1", "none"]);
    let good = fs::read_to_string(devnet.dir().join("gateway.toml"))
        .unwrap()
        .replace(&address(&devnet, "http"), "127.0.0.1:0");
    let check = |name: &str, text: &str| {
        let file = devnet.dir().join(name);
        fs::write(&file, text).unwrap();
        run(&["--config", file.to_str().unwrap(), "--json", "gateway", "check"])
    };
    let report = check("good.toml", &good).ok().json();
    assert_eq!(
        (&report["epoch"], &report["chainId"], &report["problems"]),
        (&1.into(), &0.into(), &serde_json::json!([]))
    );
    fs::write(devnet.dir().join("other.key"), hex::encode([9u8; 32])).unwrap();
    for (name, text, part) in [
        ("a.toml", good.replace("disperser.key", "other.key"), "is not a disperser of namespace"),
        ("b.toml", good.replace("disperser.key", "missing.key"), "missing.key"),
        ("c.toml", good.replace("committee.json", "missing.json"), "missing.json"),
        ("d.toml", format!("{good}\n[put]\nretention = \"2h\"\nwhole = \"1h\"\n"), "`put.retention`"),
        ("e.toml", good.replace("[listen]", "[listne]"), "did you mean `listen`?"),
        ("f.toml", good.replace("127.0.0.1:0", &address(&devnet, "http")), "cannot listen on"),
    ] {
        check(name, &text).fails(2, &[part]);
    }
}

/// The logs of the devnet's registry on its L1.
fn logs(devnet: &Devnet) -> Vec<Value> {
    let l1 = devnet.state()["l1"].clone();
    let filter = serde_json::json!({ "address": l1["registry"], "fromBlock": "0x0", "toBlock": "latest" });
    let call =
        serde_json::json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_getLogs", "params": [filter] }).to_string();
    let head = "POST / HTTP/1.1\r\ncontent-type: application/json";
    let mut stream = TcpStream::connect(l1["listen"].as_str().unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("{head}\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{call}", call.len());
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let json = &body[body.find('{').unwrap()..=body.rfind('}').unwrap()];
    serde_json::from_str::<Value>(json).unwrap()["result"].as_array().unwrap().clone()
}

/// A value of the gateway's metrics.
fn metric(address: &str, name: &str) -> Option<f64> {
    let (_, body) = ask(address, "GET /metrics", b"")?;
    let text = String::from_utf8(body).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

const UNPUBLISHED: &str = "holdfast_gateway_unpublished_certificates ";

#[test]
fn certificates_go_to_l1_each_once_or_in_a_checkpoint_also_when_the_gateway_is_killed() {
    let devnet = Devnet::up(&["--gateway", "http", "--members", "4"]);
    let settings = fs::read_to_string(devnet.dir().join("gateway.toml")).unwrap();
    let publish = |file: &str, mode: &str, interval: &str| {
        let table = format!("[publish]\nmode = \"{mode}\"\ninterval = \"{interval}\"\n");
        let table = table + &format!("dir = \"outbox-{mode}\"\nkey_file = \"l1.key\"\n");
        fs::write(devnet.dir().join(file), format!("{settings}\n{table}")).unwrap();
    };
    let put = |gateway: &Process, payload: &[u8]| {
        let (status, stored) = ask(&gateway.address, "PUT /v1/blobs", payload).unwrap();
        let stored: Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!(status, 200, "{stored}");
        stored["blobId"].as_str().unwrap().to_owned()
    };
    publish("each.toml", "each", "1h");
    let payload = noise(10_000, 90);
    for again in [false, true] {
        let metrics = free();
        let gateway = Process::start_with(&devnet, "each.toml", &["--metrics", &metrics]);
        let id = put(&gateway, &payload);
        wait_until("it is final", || metric(&metrics, UNPUBLISHED) == Some(0.0));
        let of_blob = logs(&devnet).into_iter().filter(|log| log["topics"][1] == id.as_str()).count();
        assert_eq!(of_blob, 1, "again: {again}");
        signal(i32::try_from(gateway.child.id()).unwrap(), Signal::KILL);
    }

    // Killed while three wait for their checkpoint.
    publish("hourly.toml", "checkpoint", "1h");
    let metrics = free();
    let gateway = Process::start_with(&devnet, "hourly.toml", &["--metrics", &metrics]);
    let ids: Vec<String> = (0..3).map(|seed| put(&gateway, &noise(5_000, 91 + seed))).collect();
    wait_until("they are counted", || metric(&metrics, UNPUBLISHED) == Some(3.0));
    assert!(metric(&metrics, "holdfast_gateway_oldest_unpublished_timestamp_seconds ").unwrap() > 1e9);
    signal(i32::try_from(gateway.child.id()).unwrap(), Signal::KILL);
    drop(gateway);
    publish("often.toml", "checkpoint", "1s");
    let gateway = Process::start_with(&devnet, "often.toml", &["--metrics", &metrics]);
    wait_until("they are final", || metric(&metrics, UNPUBLISHED) == Some(0.0));
    let kept = |suffix: &str| {
        let files = fs::read_dir(devnet.dir().join("outbox-checkpoint/checkpoints")).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == suffix));
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].to_str().unwrap().to_owned()
    };
    devnet.run(&["cert", "verify", &kept("checkpoint"), "--on-chain"]).ok();
    // What a bridge gets over HTTP, by id and by digest, is what the command line proves and L1 takes.
    let (checkpoint, blobs) = (kept("checkpoint"), kept("ids"));
    let inclusion = |gateway: &Process, blob: &str| {
        let (status, body) = ask(&gateway.address, &format!("GET /v1/blobs/{blob}/inclusion"), b"").unwrap();
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    wait_until("the gateway knows it is final", || inclusion(&gateway, &ids[0]).1["final"] == true);
    for (id, seed) in ids.iter().zip(91..) {
        let prove = ["--json", "cert", "prove", id, "--checkpoint", &checkpoint, "--ids", &blobs, "--on-chain"];
        let proven = devnet.run(&prove).ok().json();
        let certificate = ask(&gateway.address, &format!("GET /v1/blobs/{id}/certificate"), b"").unwrap().1;
        let certificate: Value = serde_json::from_slice(&certificate).unwrap();
        assert_eq!(certificate["payloadLength"], noise(5_000, seed).len());
        for name in
            [id.as_str(), certificate["payloadDigest"].as_str().unwrap(), certificate["certificate"].as_str().unwrap()]
        {
            let (status, told) = inclusion(&gateway, name);
            assert_eq!((status, &told["proof"], &told["index"]), (200, &proven["proof"], &proven["index"]), "{told}");
            assert_eq!(
                (&told["blobId"], &told["final"], &told["count"]),
                (&id.as_str().into(), &true.into(), &3.into())
            );
        }
    }
    // In no checkpoint yet, of a gateway that makes none, and never stored.
    let fresh = put(&gateway, &noise(5_000, 99));
    let (status, told) = inclusion(&gateway, &fresh);
    assert!(status == 200 || (status, &told["error"]) == (503, &"not_in_checkpoint".into()), "{status} {told}");
    let (status, told) = inclusion(&gateway, &format!("0x{}", "ab".repeat(32)));
    assert_eq!((status, &told["error"]), (404, &"not_found".into()));
    let plain = Process::start(&devnet);
    let (status, told) = inclusion(&plain, &ids[0]);
    assert_eq!((status, &told["error"]), (501, &"no_checkpoints".into()));
    drop((plain, gateway));

    run(&["gateway", "run", "--backend", "memory", "--http", "127.0.0.1:0", "--publish", "each"])
        .fails(2, &["--publish needs the table `publish`"]);
}

#[test]
fn ways_of_posting_are_compared_by_a_nodes_prices_and_by_given_ones() {
    let given = ["cert", "cost", "--size", "1MB", "--batches", "720/day", "--base-fee", "2", "--blob-fee", "0.125"];
    let costs = run(&[&["--json"][..], &given[..]].concat()).ok().json();
    let ways: Vec<&str> = costs["ways"].as_array().unwrap().iter().map(|way| way["way"].as_str().unwrap()).collect();
    assert_eq!(ways, ["calldata", "blobs", "publish each", "checkpoint", "commitment only"]);
    // 42,000 gas of two transactions and eight blobs.
    let blobs = costs["ways"][1]["etherABatch"].as_f64().unwrap();
    assert!((blobs - (42_000.0 * 2.0 + 8.0 * 131_072.0 * 0.125) * 1e-9).abs() < 1e-12, "{blobs}");
    run(&given).ok();
    run(&["cert", "cost", "--size", "1MB", "--batches", "720/day"]).fails(2, &["no L1 node"]);
    run(&["cert", "cost", "--size", "1MB", "--batches", "720/day", "--base-fee", "1"]).fails(2, &["--blob-fee"]);
    let devnet = Devnet::up(&["--members", "4"]);
    let asked = devnet.run(&["--json", "cert", "cost", "--size", "120kB", "--batches", "1/min"]).ok().json();
    assert!(asked["fees"]["gas"].as_f64().unwrap() > 0.0, "{asked}");
    assert_eq!((&asked["batchesADay"], &asked["batchesACheckpoint"]), (&1440.0.into(), &1440.into()));
}

/// SIGKILL in the middle of a PUT; the PUT is repeated at another gateway.
#[test]
fn a_gateway_killed_in_mid_put_loses_nothing_and_the_repeat_is_the_same_blob() {
    let devnet = Devnet::up(&["--gateway", "http", "--members", "4", "--l1", "none"]);
    let other = address(&devnet, "http");
    for (number, after) in [0, 2, 5, 9, 14, 20].into_iter().enumerate() {
        let payload = noise(2_000_000, 50 + number as u64);
        let dying = Process::start(&devnet);
        let (at, body) = (dying.address.clone(), payload.clone());
        let put = std::thread::spawn(move || ask(&at, "PUT /v1/blobs", &body));
        std::thread::sleep(Duration::from_millis(after));
        signal(i32::try_from(dying.child.id()).unwrap(), Signal::KILL);
        let first = put.join().unwrap();
        let (status, stored) = ask(&other, "PUT /v1/blobs", &payload).unwrap();
        let stored: Value = serde_json::from_slice(&stored).unwrap();
        assert_eq!(status, 200, "{stored}");
        if let Some((200, first)) = first {
            let first: Value = serde_json::from_slice(&first).unwrap();
            assert_eq!(first["blobId"], stored["blobId"]);
        }
        let third = Process::start(&devnet);
        let path = format!("GET /v1/blobs/{}", stored["keccak256"].as_str().unwrap());
        let (status, read) = ask(&third.address, &path, b"").unwrap();
        assert!(status == 200 && read == payload);
    }
}
