//! The same against a server that speaks S3, with Object Lock: moto's, from PyPI. Where it is not installed the test says so and
//! passes; `make s3` installs it.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use super::*;
use crate::config::Lock;

/// A server, as long as the test runs.
struct Server {
    process: Child,
    addr: SocketAddr,
}

impl Server {
    /// `None` where it is not installed.
    fn start() -> Option<Self> {
        let program = std::env::var("HOLDFAST_MOTO_SERVER").unwrap_or_else(|_| "moto_server".into());
        let addr = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let mut command = Command::new(program);
        command.args(["-H", "127.0.0.1", "-p", &addr.port().to_string()]).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().ok()?;
        let server = Self { process, addr };
        let started = std::time::Instant::now();
        while TcpStream::connect(addr).is_err() {
            assert!(started.elapsed() < Duration::from_secs(60), "the server does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(server)
    }

    /// One request by whoever has the credentials: this server does not look at signatures. Gives the status line and all that follows.
    fn ask(&self, method: &str, path: &str, headers: &str) -> String {
        let mut stream = TcpStream::connect(self.addr).expect("connects");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\nConnection: close\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=id/20270101/us-east-1/s3/aws4_request\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
        String::from_utf8_lossy(&answer).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _status = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_object_lock_keeps_what_is_archived_and_one_without_is_refused() {
    let Some(server) = Server::start() else {
        eprintln!("skipped: moto_server is not installed; `make s3` installs and runs it");
        return;
    };
    for (bucket, headers) in [("plain", ""), ("locked", "x-amz-bucket-object-lock-enabled: true\r\n")] {
        let made = server.ask("PUT", &format!("/{bucket}"), headers);
        assert!(made.starts_with("HTTP/1.1 200"), "{made}");
    }
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), "secret\n").expect("written");
    let at = |url: &str, lock| Archive {
        endpoint: Some(format!("http://{}", server.addr)),
        region: Some("us-east-1".into()),
        access_key_id: Some("id".into()),
        secret_key_file: Some(secret.path().into()),
        keep_local: Some(Duration::ZERO),
        lock,
        ..Archive::at(url)
    };
    let blobs = blobs();
    // The server's clock is that of the machine, and refuses to lock until a time that is over.
    let hour = crate::SystemClock.now() / HOUR;
    let later = hour.saturating_sub(NOW / HOUR) * HOUR;
    for (url, lock) in [("s3://plain/m3", Lock::None), ("s3://locked/some/where", Lock::Compliance)] {
        let mut away = Away::at(at(url, lock), later).await;
        for encoded in &blobs {
            away.store(encoded).await;
        }
        away.until_away().await;
        away.reads(&blobs).await;
        assert_eq!((away.view().objects, away.view().trouble), (4, None));
        // A lost store, from the listing.
        away.down().await;
        fs::remove_dir_all(away.data()).expect("removed");
        let member = away.world.member(away.config(), Arc::clone(&away.clock)).if_missing(IfMissing::Replace);
        let found = member.restore().await.expect("read");
        assert_eq!((found.objects, found.passed_over), (4, 0));
        away.up().await;
        away.reads(&blobs).await;
        away.down().await;
    }
    // What is locked cannot be destroyed by whoever has the key, only hidden.
    let id = hex::encode(blobs[0].id().as_bytes());
    let path = format!("/locked/some/where/blobs/{}/{id}-{:03}", &id[..2], index(&blobs[0]));
    let head = server.ask("HEAD", &path, "");
    let header = |name: &str| {
        let lines = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix(name).map(str::to_owned));
        lines.unwrap_or_else(|| panic!("no {name} in {head}"))
    };
    let version = header("x-amz-version-id: ");
    let locked = header("x-amz-object-lock-retain-until-date: ");
    assert!(locked.to_ascii_uppercase().starts_with(&holdfast_transport::page::utc(RETAIN + later)[..19]), "{locked}");
    let refused = server.ask("DELETE", &format!("{path}?versionId={}", version.trim()), "");
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    // A bucket that locks nothing.
    let away = Away::at(at("s3://plain/other", Lock::Compliance), later).await;
    away.store(&blobs[0]).await;
    until(|| away.view().trouble.is_some()).await;
    assert_eq!((away.view().objects, away.view().waiting), (0, 1));
    away.reads(&blobs[..1]).await;
}
