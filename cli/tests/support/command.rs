//! Running the binary, and devnets that are stopped however a test ends.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, Weak},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const MIB: usize = 1 << 20;

const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);

/// What one run of the binary said.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    fn new(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Asserts success.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts an exit code, and that the error says all of `says`, on stderr only; with `--json` in its message.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let message = self.error().map(|error| error["message"].as_str().unwrap().to_owned()).unwrap_or_default();
        for part in says {
            let said = self.stderr.contains(part) || message.contains(part);
            assert!(said, "expected {part:?} in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }

    /// The error that `--json` printed: on one line, the last of stderr.
    pub(crate) fn error(&self) -> Option<Value> {
        let said: Value = serde_json::from_str(self.stderr.lines().last()?).ok()?;
        said.get("error").filter(|error| error.is_object()).cloned()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8")
    }

    /// What `--json` printed.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// The binary, free of the caller's settings.
pub(crate) fn command<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holdfast"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HOLDFAST_")) {
        command.env_remove(name);
    }
    command.args(arguments).stdin(Stdio::null()).env("XDG_STATE_HOME", state_folder());
    command
}

/// Where the binary keeps what it must know again, apart from the user's own.
fn state_folder() -> &'static Path {
    static FOLDER: std::sync::LazyLock<TempDir> = std::sync::LazyLock::new(|| tempfile::tempdir().unwrap());
    FOLDER.path()
}

pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Ran {
    ran(&mut command(arguments))
}

/// Runs a command that was prepared further.
pub(crate) fn ran(command: &mut Command) -> Ran {
    Ran::new(command.output().expect("the binary starts"))
}

/// A committee in a folder of its own.
#[derive(Debug)]
pub(crate) struct Devnet {
    folder: TempDir,
}

impl Devnet {
    /// Starts one, with `devnet up`'s further arguments.
    pub(crate) fn up(arguments: &[&str]) -> Self {
        // The guard exists before anything is started.
        let devnet = Self { folder: tempfile::tempdir().unwrap() };
        devnet.devnet(&[&["up"], arguments].concat()).ok();
        devnet
    }

    /// Seven members and no L1, shared by tests that leave its members as they are.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Devnet>> = Mutex::new(Weak::new());
        Self::share(&SHARED, &["--l1", "none"])
    }

    /// Seven members and an embedded L1, shared by tests that leave the chain as it is.
    pub(crate) fn shared_with_l1() -> Arc<Self> {
        static SHARED: Mutex<Weak<Devnet>> = Mutex::new(Weak::new());
        Self::share(&SHARED, &[])
    }

    fn share(shared: &Mutex<Weak<Self>>, arguments: &[&str]) -> Arc<Self> {
        let mut shared = shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let devnet = Arc::new(Self::up(arguments));
            *shared = Arc::downgrade(&devnet);
            devnet
        })
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("devnet")
    }

    /// A path beside the devnet's folder.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// `holdfast devnet ... --dir` this one.
    pub(crate) fn devnet(&self, arguments: &[&str]) -> Ran {
        run(&[&["devnet"], arguments, &["--dir", self.dir().to_str().unwrap()]].concat())
    }

    /// `holdfast ...` with this devnet's client configuration.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run(&[&["--config", self.dir().join("client.toml").to_str().unwrap()], arguments].concat())
    }

    /// `holdfast ...` with this devnet's client configuration, to be prepared further.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        command(&[&["--config", self.dir().join("client.toml").to_str().unwrap()], arguments].concat())
    }

    /// The client configuration with other lines, in a file of its own beside the devnet's, so that its paths hold.
    pub(crate) fn config(&self, name: &str, change: impl FnOnce(String) -> String) -> String {
        let ours = fs::read_to_string(self.dir().join("client.toml")).unwrap();
        let path = self.dir().join(name);
        fs::write(&path, change(ours)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Stores bytes; the certificate is in the file returned.
    pub(crate) fn put(&self, name: &str, bytes: &[u8], arguments: &[&str]) -> String {
        let (file, certificate) = (self.file(name, bytes), self.path(&format!("{name}.cert")));
        self.run(&[&["put", &file, "--force", "-o", &certificate], arguments].concat()).ok();
        certificate
    }

    /// Reads by a certificate or id.
    pub(crate) fn get(&self, what: &str) -> Vec<u8> {
        let file = self.path(&format!("{:?}.read", std::thread::current().id()));
        self.run(&["get", what, "--force", "-o", &file]).ok();
        fs::read(file).unwrap()
    }

    /// The state file.
    pub(crate) fn state(&self) -> Value {
        serde_json::from_slice(&fs::read(self.dir().join("devnet.json")).unwrap()).unwrap()
    }

    /// Process ids of the L1 and the members that were running when the state was written.
    pub(crate) fn pids(&self) -> Vec<i32> {
        let state = self.state();
        let members = state["members"].as_array().unwrap().iter().map(|member| &member["process"]["pid"]);
        std::iter::once(&state["l1"]["process"]["pid"])
            .chain(members)
            .filter_map(|pid| pid.as_i64().map(|pid| i32::try_from(pid).unwrap()))
            .collect()
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        if self.dir().join("devnet.json").exists() {
            let down = self.devnet(&["down"]);
            if !std::thread::panicking() {
                down.ok();
            }
        }
    }
}

/// True while the process has not ended (a zombie has).
pub(crate) fn is_alive(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat[stat.rfind(')').unwrap()..].starts_with(") Z"))
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

/// Waits until a condition holds.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !holds() {
        assert!(Instant::now() < deadline, "still not so after {LIMIT:?}: {what}");
        std::thread::sleep(POLL);
    }
}

/// Processes whose command line holds this text.
pub(crate) fn processes_naming(text: &str) -> Vec<i32> {
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(text) && is_alive(*pid)
    })
    .collect()
}

/// Bytes that do not compress and differ for each seed (xorshift64).
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Changes a JSON file.
pub(crate) fn edit_json(from: &Path, to: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(from).unwrap()).unwrap();
    change(&mut value);
    fs::write(to, serde_json::to_vec(&value).unwrap()).unwrap();
}
