//! Commands that ask a committee one of whose members lies, watched while they run.

use std::{
    fs::{self, File},
    process::{Child, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use holdfast_certificate::CommitteeFile;
use rustix::process::Signal;
use serde_json::Value;

use crate::{
    liar::{Liar, Lie},
    support::{Devnet, noise, signal},
};

/// The member in whose place the liar answers.
pub(crate) const LIAR: u16 = 3;
/// How long any of the commands may take. A put's result is there long before the command has fed the slow.
const LIMIT: Duration = Duration::from_secs(25);
/// What any of the commands may take of memory; with an honest committee about 40 MiB.
const MEMORY: u64 = 192 << 20;
const LOOK: Duration = Duration::from_millis(2);

/// A committee of four, two of whom can be read from.
struct Town {
    devnet: Devnet,
    payload: Vec<u8>,
    certificate: String,
    id: String,
}

/// A committee in which one lies.
pub(crate) struct Besieged {
    town: Arc<Town>,
    liar: Liar,
    lie: Lie,
    config: String,
}

/// What a command said.
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) json: Value,
    pub(crate) stderr: String,
}

impl Town {
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Town>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let devnet = Devnet::up(&["--l1", "none", "--members", "4", "-t", "3", "-k", "2"]);
            let payload = noise(3 << 20, 5);
            let certificate = devnet.put("stored", &payload, &[]);
            let shown = devnet.run(&["--json", "cert", "show", &certificate]).ok().json();
            let id = shown["blobId"].as_str().unwrap().to_owned();
            let town = Arc::new(Self { devnet, payload, certificate, id });
            *shared = Arc::downgrade(&town);
            town
        })
    }
}

impl Besieged {
    pub(crate) fn by(lie: Lie) -> Self {
        let (town, liar) = (Town::shared(), Liar::start(lie));
        let dir = town.devnet.dir();
        let mut committee = CommitteeFile::parse(&fs::read_to_string(dir.join("committee.json")).unwrap()).unwrap();
        committee.members[usize::from(LIAR)].endpoint = format!("http://{}", liar.address);
        let name = format!("{lie:?}.json");
        fs::write(dir.join(&name), committee.to_json()).unwrap();
        let config = town.devnet.config(&format!("{lie:?}.toml"), |text| text.replace("committee.json", &name));
        Self { town, liar, lie, config }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.town.payload
    }

    pub(crate) fn certificate(&self) -> &str {
        &self.town.certificate
    }

    /// The blob of the payload.
    pub(crate) fn id(&self) -> &str {
        &self.town.id
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.town.devnet.path(&format!("{:?}-{name}", self.lie))
    }

    pub(crate) fn endpoint(&self) -> String {
        self.liar.address.to_string()
    }

    /// Runs a command in its bounds.
    pub(crate) fn ask(&self, what: &str, arguments: &[&str]) -> Said {
        let (stdout, stderr) = (self.path(&format!("{what}.out")), self.path(&format!("{what}.err")));
        let mut command = crate::support::command(&[&["--json", "--config", &self.config], arguments].concat());
        command.stdout(Stdio::from(File::create(&stdout).unwrap())).stderr(Stdio::from(File::create(&stderr).unwrap()));
        let began = Instant::now();
        let mut child = command.spawn().unwrap();
        let (mut peak, mut result_at) = (0, None);
        let status = loop {
            peak = peak_of(&child).unwrap_or(peak);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            let has_result = || fs::read(&stdout).is_ok_and(|bytes| serde_json::from_slice::<Value>(&bytes).is_ok());
            if result_at.is_none() && has_result() {
                result_at = Some(began.elapsed());
                // What follows is for the slow, and may be ended. (A test run in the background ignores SIGINT, and so do its
                // children.)
                signal(child.id().try_into().unwrap(), Signal::TERM);
            }
            if began.elapsed() > LIMIT {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!(
                    "{what} beside {:?} takes longer than {LIMIT:?}: {}",
                    self.lie,
                    fs::read_to_string(stderr).unwrap()
                );
            }
            std::thread::sleep(LOOK);
        };
        let took = result_at.unwrap_or_else(|| began.elapsed());
        eprintln!("{what} beside {:?}: {took:.1?}, {} MiB", self.lie, peak >> 20);
        assert!(peak < MEMORY, "{what} beside {:?} took {peak} bytes", self.lie);
        let stderr = String::from_utf8(fs::read(stderr).unwrap()).expect("UTF-8");
        assert!(!stderr.contains("panicked"), "{stderr}");
        let unfit = |c: char| c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
        assert!(!stderr.contains(unfit), "{what} beside {:?} lets a member steer the terminal: {stderr:?}", self.lie);
        assert!(stderr.len() < 16 << 10, "{what} beside {:?} says {} bytes", self.lie, stderr.len());
        let json = serde_json::from_slice(&fs::read(&stdout).unwrap()).unwrap_or(Value::Null);
        Said { ok: status.success() || result_at.is_some(), json, stderr }
    }
}

/// The most memory that was resident, of a process that is still there.
fn peak_of(child: &Child) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib << 10)
}
