//! A headless Chromium, driven over its DevTools protocol by way of two pipes: for tests that look at a page as people do. What goes
//! wrong fails the test: these calls panic.

use std::{
    collections::VecDeque,
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// What the browser may take for one step, on a machine that has much else to do.
const LIMIT: Duration = Duration::from_secs(60);
/// A kind of window, its size, and whether its user likes it dark.
const WINDOWS: [(&str, (u32, u32), bool); 3] =
    [("wide", (1280, 900), false), ("dark", (1280, 900), true), ("phone", (390, 844), false)];
/// What a status page consists of.
const STATUS_PAGE: [&str; 3] = ["", "status.css", "status.svg"];
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
        let profile = tempfile::tempdir().expect("a folder");
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
            .expect("a shell");
        let (to, from) = (
            process.stdin.take().expect("it was asked for"),
            BufReader::new(process.stdout.take().expect("it was asked for")),
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

    /// Opens a page in every kind of window (`wide`, the same `dark`, a `phone`), and tells what an expression is in each. A picture
    /// of each is kept, as `PICTURES-KIND.png`.
    ///
    /// # Panics
    ///
    /// If the page cannot be loaded, the expression throws, or the picture cannot be written.
    pub async fn looks(&mut self, url: &str, expression: &str, pictures: &Path) -> Vec<(&'static str, Value)> {
        let mut looks = Vec::new();
        for (kind, size, dark) in WINDOWS {
            self.open(url, size, dark).await;
            looks.push((kind, self.evaluate(expression).await));
            let answer =
                self.call("Page.captureScreenshot", json!({ "format": "png", "captureBeyondViewport": true })).await;
            let picture = STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64");
            std::fs::write(format!("{}-{kind}.png", pictures.display()), picture).expect("written");
        }
        looks
    }

    /// Checks that a status page, opened `times` times, has asked for nothing but what is its own, and has broken no rule that came with
    /// it.
    ///
    /// # Panics
    ///
    /// If it did.
    pub fn kept_to_itself(&mut self, url: &str, times: usize) {
        let asked = self.told("Network.requestWillBeSent");
        assert!(asked.len() >= times * STATUS_PAGE.len(), "{asked:?}");
        for request in &asked {
            let path = request["request"]["url"].as_str().and_then(|asked| asked.strip_prefix(url));
            assert!(path.is_some_and(|path| STATUS_PAGE.contains(&path)), "{request}");
        }
        for method in ["Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"] {
            assert_eq!(self.told(method), Vec::<Value>::new(), "{method}");
        }
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
        self.to.write_all(&bytes).await.expect("the browser reads");
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
            .expect("the browser answers in time")
            .expect("the browser's pipe is read");
        assert!(read > 0, "the browser ended");
        message.pop();
        serde_json::from_slice(&message).expect("JSON")
    }
}
