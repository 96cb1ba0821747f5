//! A devnet of processes, gateways of it, and its chain.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use reqwest::Client;
use serde_json::{Value, json};
use tempfile::TempDir;
use zksync_types::web3::keccak256;

/// The chain's validator, as it is published.
const VALIDATOR: &str = "../../contracts/artifacts/PubdataValidator.json";
/// How long a gateway may take to serve, in tenths of a second.
const STARTING: u32 = 600;

/// Seven members and an L1.
pub struct Devnet {
    folder: TempDir,
    binary: PathBuf,
}

/// A gateway of the devnet's, as a process of its own. It ends when this is dropped.
pub struct Gateway {
    process: Child,
    pub url: String,
}

impl Devnet {
    pub fn up() -> Self {
        let binary =
            std::env::var_os("HOLDFAST").expect("HOLDFAST must name the holdfast binary (make interop sets it)");
        let devnet = Self { folder: tempfile::tempdir().unwrap(), binary: binary.into() };
        devnet.run(&["devnet", "up", "--gateway", "http", "--dir", devnet.dir().to_str().unwrap()]);
        devnet
    }

    /// Starts a gateway, which makes checkpoints or does not.
    pub fn gateway(&self, checkpoints: bool) -> Gateway {
        let mut settings = fs::read_to_string(self.dir().join("gateway.toml")).unwrap();
        if checkpoints {
            settings +=
                "\n[publish]\nmode = \"checkpoint\"\ninterval = \"1s\"\ndir = \"outbox\"\nkey_file = \"l1.key\"\n";
        }
        let file = self.dir().join("gateway-of-test.toml");
        fs::write(&file, settings).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let arguments = ["--config", file.to_str().unwrap(), "gateway", "run", "--http", &address];
        let mut process = self.command(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..STARTING {
            assert!(process.try_wait().unwrap().is_none(), "the gateway ended");
            if std::net::TcpStream::connect(&address).is_ok() {
                return Gateway { process, url: format!("http://{address}") };
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let _ = process.kill();
        panic!("the gateway does not serve");
    }

    pub fn crash(&self, members: &[&str]) {
        for member in members {
            self.run(&["devnet", "fault", member, "crash", "--dir", self.dir().to_str().unwrap()]);
        }
    }

    /// What `checkDA` of a validator for this devnet's registry and namespace gives as the hash of the state differences; `None` where it
    /// reverts. One call creates the validator and asks it, so that no account is needed.
    pub async fn check_da(&self, output_hash: [u8; 32], operator_input: &[u8]) -> Option<[u8; 32]> {
        let state: Value = serde_json::from_slice(&fs::read(self.dir().join("devnet.json")).unwrap()).unwrap();
        let hex_of = |value: &Value| hex::decode(value.as_str().unwrap().trim_start_matches("0x")).unwrap();
        let artifact: Value = serde_json::from_slice(&fs::read(VALIDATOR).unwrap()).unwrap();
        let mut code = hex_of(&artifact["bytecode"]);
        code.extend([&[0; 12], &hex_of(&state["l1"]["registry"])[..]].concat());
        code.extend(hex_of(&state["namespace"]));

        let signature = b"checkDA(uint256,uint256,bytes32,bytes,uint256)";
        let mut call = keccak256(signature)[..4].to_vec();
        for word in [word(1), word(7), output_hash, word(5 * 32), word(6), word(operator_input.len())] {
            call.extend(word);
        }
        call.extend(operator_input);
        call.resize((call.len() - 4).next_multiple_of(32) + 4, 0);

        let request = json!({
            "jsonrpc": "2.0", "id": 1, "method": "eth_call",
            "params": [{ "input": format!("0x{}", hex::encode(created_and_called(&code, &call))) }, "latest"],
        });
        let url = format!("http://{}", state["l1"]["listen"].as_str().unwrap());
        let answer: Value = Client::new().post(url).json(&request).send().await.unwrap().json().await.unwrap();
        if let Some(error) = answer.get("error") {
            assert!(error.to_string().contains("revert"), "{error}");
            return None;
        }
        Some(hex_of(&answer["result"])[32..64].try_into().unwrap())
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("devnet")
    }

    fn run(&self, arguments: &[&str]) {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The binary, free of the caller's settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HOLDFAST_")) {
            command.env_remove(name);
        }
        command.args(arguments);
        command
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        let dir = self.dir();
        let _ = self.command(&["devnet", "down", "--remove", "--dir", dir.to_str().unwrap_or_default()]).output();
    }
}

impl Gateway {
    pub async fn read(&self, blob: &str) -> Vec<u8> {
        let answer = Client::new().get(format!("{}/v1/blobs/{blob}", self.url)).send().await.unwrap();
        answer.bytes().await.unwrap().to_vec()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn word(number: usize) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&(number as u64).to_be_bytes());
    word
}

/// Code that creates a contract, calls it, and returns what that returned, or reverts as it reverted.
fn created_and_called(creation: &[u8], call: &[u8]) -> Vec<u8> {
    const PUSH1: u8 = 0x60;
    const PUSH2: u8 = 0x61;
    // Where it ends, and where it goes on after a call that did not revert.
    const HEAD: usize = 56;
    const RETURNED: u8 = 51;
    let two = |number: usize| u16::try_from(number).unwrap().to_be_bytes();
    let ([c0, c1], [d0, d1]) = (two(creation.len()), two(call.len()));
    let ([at0, at1], [data0, data1]) = (two(HEAD), two(HEAD + creation.len()));
    #[rustfmt::skip]
    let head: [u8; HEAD] = [
        // The creation code to memory (CODECOPY), and CREATE.
        PUSH2, c0, c1, PUSH2, at0, at1, PUSH1, 0, 0x39,
        PUSH2, c0, c1, PUSH1, 0, PUSH1, 0, 0xf0,
        // The call to memory, and STATICCALL with all gas.
        PUSH2, d0, d1, PUSH2, data0, data1, PUSH1, 0, 0x39,
        PUSH1, 0, PUSH1, 0, PUSH2, d0, d1, PUSH1, 0, 0x84, 0x5a, 0xfa,
        // What it gave to memory (RETURNDATACOPY).
        0x3d, PUSH1, 0, PUSH1, 0, 0x3e,
        // JUMPI past REVERT to RETURN.
        PUSH1, RETURNED, 0x57, 0x3d, PUSH1, 0, 0xfd,
        0x5b, 0x3d, PUSH1, 0, 0xf3,
    ];
    [&head, creation, call].concat()
}
