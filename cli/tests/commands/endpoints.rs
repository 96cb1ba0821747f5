//! Endpoints that cannot be one, and those that want TLS.

use std::{
    io::Read as _,
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use crate::support::{Devnet, edit_json, run};

#[test]
fn an_endpoint_with_a_part_too_many_is_refused_with_the_part() {
    let devnet = Devnet::shared();
    let (keystore, password) = (devnet.dir().join("m0/keystore.json"), devnet.dir().join("m0/password"));
    for (endpoint, says) in [
        ("http://m0:7400/v1", "the path \"/v1\""),
        ("http://user@m0:7400", "a user"),
        ("http://m0:7400?key=1", "a query"),
        ("http://m0:0", "port \"0\""),
        ("http://m0:99999", "port \"99999\""),
        ("http://:7400", "no host"),
        ("m0:7400", "neither http"),
    ] {
        let card = ["committee", "card", "--operator", "A", "--endpoint", endpoint, "--keystore"];
        let files = [keystore.to_str().unwrap(), "--password-file", password.to_str().unwrap()];
        run(&[&card[..], &files].concat()).fails(2, &[endpoint, says]);
        // And in a committee file, with the slot.
        let json = devnet.path("endpoint.json");
        edit_json(&devnet.dir().join("committee.json"), json.as_ref(), |file| {
            file["members"][2]["endpoint"] = endpoint.into();
        });
        let config = devnet.config("endpoint.toml", |ours| ours.replace("\"committee.json\"", &format!("\"{json}\"")));
        run(&["--config", &config, "status"]).fails(2, &["slot 2", endpoint, says]);
    }
}

#[test]
fn a_member_that_wants_tls_is_sent_no_plain_text() {
    let devnet = Devnet::shared();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let stopped = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&stopped);
    // Whoever comes is read from until something has come, and hung up on.
    let heard = thread::spawn(move || {
        let mut heard = Vec::new();
        for stream in listener.incoming() {
            if ended.load(Ordering::SeqCst) {
                break;
            }
            let mut first = [0; 64];
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let count = stream.read(&mut first).unwrap_or(0);
            heard.push(first[..count].to_vec());
        }
        heard
    });
    let json = devnet.path("tls.json");
    edit_json(&devnet.dir().join("committee.json"), json.as_ref(), |file| {
        file["members"][1]["endpoint"] = format!("https://{address}").into();
    });
    let config = devnet.config("tls.toml", |ours| ours.replace("\"committee.json\"", &format!("\"{json}\"")));
    let status = run(&["--config", &config, "--json", "status"]).ok().json();
    assert!(status["members"][1]["version"].is_null(), "{status}");
    let file = devnet.file("tls", b"for six of seven");
    let put = run(&["--config", &config, "--json", "put", &file]).ok().json();
    assert_eq!(put["attested"], 6, "{put}");
    stopped.store(true, Ordering::SeqCst);
    drop(TcpStream::connect(address).unwrap());
    let heard = heard.join().unwrap();
    assert!(heard.len() >= 2, "{heard:?}");
    for first in heard {
        // A handshake record of TLS, and the hello of a client in it.
        assert!(first.len() > 5 && (first[0], first[1], first[5]) == (22, 3, 1), "{first:?}");
    }
}
