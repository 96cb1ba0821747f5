//! A headless Chromium, driven over its DevTools protocol by way of two pipes: for tests that look at a page as people do. What goes
//! wrong fails the test: these calls panic.

use std::{collections::VecDeque, io::Write as _, path::PathBuf, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// What the browser may take for one step, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(60);
const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// The browser reads its commands from file 3 and answers on file 4.
const PIPES: &str = r#"exec "$0" "$@" 3<&0 4>&1 0</dev/null 1>/dev/null"#;
const OPTIONS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
    // Nothing but this machine can be reached.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];

/// Where a Chromium is installed.
#[must_use]
pub fn installed() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let all = std::env::split_paths(&path).flat_map(|folder| NAMES.map(|name| folder.join(name)));
    all.into_iter().find(|file| file.is_file())
}

/// Says, past the capture of the test's own output, that a test was skipped since no Chromium is installed.
pub fn skipped(test: &str) {
    let said = format!("SKIPPED {test}: no chromium is installed (apt-get install chromium)\n");
    let _told = std::io::stderr().write_all(said.as_bytes());
}

/// A browser with one page. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    _process: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
    /// What the browser told without being asked.
    events: VecDeque<Value>,
    _profile: TempDir,
}

impl Browser {
    /// Starts the browser that is installed there.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub async fn start(file: PathBuf) -> Self {
        let profile = tempfile::tempdir().expect("the browser's pipes and folder");
        let mut process = Command::new("sh")
            .args(["-c", PIPES])
            .arg(file)
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the browser's pipes and folder");
        let (to, from) = (
            process.stdin.take().expect("the browser's pipes and folder"),
            BufReader::new(process.stdout.take().expect("the browser's pipes and folder")),
        );
        let mut browser =
            Self { _process: process, to, from, session: None, number: 0, events: VecDeque::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" })).await;
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = browser.call("Target.attachToTarget", attach).await;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({})).await;
        }
        browser
    }

    /// Opens a page in a window of this size and waits until it is loaded.
    ///
    /// # Panics
    ///
    /// If it cannot be loaded.
    pub async fn open(&mut self, url: &str, (width, height): (u32, u32), dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", features).await;
        // Of a page before this one.
        self.told("Page.loadEventFired");
        let went = self.call("Page.navigate", json!({ "url": url })).await;
        assert!(went["errorText"].is_null(), "{went}");
        let mut kept = VecDeque::new();
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => self.next().await,
            };
            let loaded = event["method"] == "Page.loadEventFired";
            kept.push_back(event);
            if loaded {
                break;
            }
        }
        kept.append(&mut self.events);
        self.events = kept;
    }

    /// What an expression is in the page. The page's own policy is not asked.
    ///
    /// # Panics
    ///
    /// If it throws.
    pub async fn evaluate(&mut self, expression: &str) -> Value {
        let answer = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true })).await;
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The whole page as PNG, in base64.
    ///
    /// # Panics
    ///
    /// If the browser gives none.
    pub async fn picture(&mut self) -> String {
        let answer =
            self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
        answer["data"].as_str().expect("the browser's pipes and folder").to_owned()
    }

    /// What was told under this name since the last time.
    pub fn told(&mut self, method: &str) -> Vec<Value> {
        let (these, others) = self.events.drain(..).partition(|event| event["method"] == method);
        self.events = others;
        let these: VecDeque<Value> = these;
        these.into_iter().map(|event| event["params"].clone()).collect()
    }

    async fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.number += 1;
        let mut command = json!({ "id": self.number, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let mut bytes = command.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).await.expect("the browser's pipes and folder");
        loop {
            let told = self.next().await;
            if told["id"] == self.number {
                assert!(told["error"].is_null(), "{method}: {told}");
                return told["result"].clone();
            }
            self.events.push_back(told);
        }
    }

    async fn next(&mut self) -> Value {
        let mut message = Vec::new();
        let read = timeout(LIMIT, self.from.read_until(0, &mut message))
            .await
            .expect("the browser answers")
            .expect("the browser's pipes and folder");
        assert!(read > 0, "the browser ended");
        message.pop();
        serde_json::from_slice(&message).expect("the browser's pipes and folder")
    }
}
