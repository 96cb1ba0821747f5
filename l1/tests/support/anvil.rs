//! Anvil, the development node of Foundry, where it is installed.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

/// A running anvil, killed when it goes out of scope, also by a panic.
pub(crate) struct Anvil {
    child: Child,
    pub(crate) url: String,
}

impl Anvil {
    /// Starts it on a free loopback port, with `finalized` two blocks behind the head.
    pub(crate) fn start(program: &PathBuf, hardfork: &str) -> Self {
        let child = Command::new(program)
            .args(["--host", "127.0.0.1", "--port", "0", "--slots-in-an-epoch", "1", "--hardfork", hardfork])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("anvil starts");
        let mut anvil = Self { child, url: String::new() };
        let output = anvil.child.stdout.take().expect("the output is piped");
        let (found, listening) = mpsc::channel();
        // Reads on to the end, or anvil would stop at a full pipe.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Some(address) = line.strip_prefix("Listening on ") {
                    // Nobody listens any more once the test has its address.
                    let _ = found.send(address.to_owned());
                }
            }
        });
        let address = listening.recv_timeout(Duration::from_secs(30)).expect("anvil listens within 30 s");
        anvil.url = format!("http://{address}");
        anvil
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The binary that `npm ci` in `contracts/` installs. Not the script of that name: killing it would leave anvil alive.
pub(crate) fn installed() -> Option<PathBuf> {
    let system = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let package = format!("node_modules/@foundry-rs/anvil-{system}-{processor}/bin/anvil");
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../contracts").join(package);
    if !path.is_file() {
        // Past the test harness, which hides what a passing test prints.
        let reason = format!("\nSKIPPED: no anvil at {}; run `npm ci` in contracts/\n", path.display());
        io::stderr().write_all(reason.as_bytes()).expect("standard error is open");
        return None;
    }
    Some(path)
}
