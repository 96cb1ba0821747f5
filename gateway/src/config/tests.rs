use holdfast_certificate::Address;
use holdfast_erasure::Digest;

use super::*;

fn load(text: &str) -> Result<Config, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, text).expect("written");
    Config::load(&file)
}

fn good() -> String {
    format!(
        "namespace = \"0x{}\"\ndisperser_key_file = \"disperser.key\"\ncommittee_file = \"/c.json\"\n\n[listen]\nop = \"127.0.0.1:0\"\n",
        "07".repeat(32)
    )
}

#[test]
fn relative_paths_are_relative_to_the_file_and_defaults_fill_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, good()).expect("written");
    let config = Config::load(&file).expect("good");
    assert_eq!(config.disperser_key_file, Some(folder.path().join("disperser.key")));
    assert_eq!(config.committee_file, Some(PathBuf::from("/c.json")));
    assert_eq!((config.limits, config.cache), (Limits::default(), Cache::default()));
    let written = toml::to_string_pretty(&Config { limits: Limits::default(), ..load(&good()).expect("good") });
    std::fs::write(&file, written.expect("TOML")).expect("written");
    assert_eq!(Config::load(&file).expect("what is written loads back").put, Put::default());
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_named() {
    for (text, part) in [
        (good().replace("namespace", "namespaec"), "did you mean `namespace`?"),
        (good().replace("op =", "opp ="), "did you mean `listen.op`?"),
        (format!("{}\n[limits]\nreceiving = 1\n", good()), "did you mean `limits.receiving_mib`?"),
    ] {
        let error = load(&text).expect_err("unknown").to_string();
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn values_that_cannot_work_are_refused_with_what_was_expected() {
    let with = |more: &str| format!("{}\n{more}\n", good());
    for (text, part) in [
        (good().replace("committee_file", "#"), "both missing"),
        (with(&format!("[l1]\nrpc_url = \"http://x\"\nregistry = \"0x{}\"", "07".repeat(20))), "both given"),
        (good().replace("namespace", "#"), "`namespace` is missing"),
        (good().replace("op =", "metrics ="), "`listen` has no address"),
        (good().replace("op =", "admin = \"127.0.0.1:0\"\nop ="), "only for the backend `memory`"),
        (with("[put]\nretention = \"10m\""), "`put.retention` must be at least 1h"),
        (with("[put]\nwhole = \"90d\""), "at most put.retention"),
        (with("[limits]\nread_deadline = \"0s\""), "`limits.read_deadline` must be more than 0s"),
        (with("[limits]\nread_deadline = \"2h\""), "at most 1h"),
        (with("[limits]\nputs = 0"), "`limits.puts` must be 1 to"),
        (with("[limits]\nreceiving_mib = 0"), "`limits.receiving_mib` must be 1 to"),
        (with("[op]\ncommitment = \"sha\""), "commitment"),
        (with("[op]\nin_order_gap = \"11s\""), "`op.in_order_gap` must be at most"),
        (with("[publish]\nmode = \"each\"\ndir = \"d\"\nkey_file = \"k\""), "`publish.mode` needs `l1`"),
        (with("[publish]\nmode = \"never\"\ninterval = \"8d\"\ndir = \"d\"\nkey_file = \"k\""), "1s to 7d"),
        (with("[publish]\nmode = \"each\""), "missing field"),
        (good().replace("127.0.0.1:0", "somewhere"), "op"),
        ("listen = ".into(), "gateway.toml"),
    ] {
        let error = load(&text).expect_err(part).to_string();
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn the_memory_backend_needs_neither_committee_nor_namespace() {
    let config = load("backend = \"memory\"\n[listen]\nop = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n");
    assert_eq!(config.expect("good").backend, BackendKind::Memory);
}

#[test]
fn every_setting_has_a_variable() {
    // All optional settings given, so that all are written.
    let at = Some("127.0.0.1:0".parse().expect("an address"));
    let file = || Some(PathBuf::from("file"));
    let full = Config {
        namespace: Some(Namespace::from([7; 32])),
        disperser_key_file: file(),
        disperser_password_file: file(),
        committee_file: file(),
        l1: Some(L1 {
            rpc_url: "http://x".into(),
            registry: Address::from([7; 20]),
            code_hash: Some(Digest::from([7; 32])),
        }),
        listen: Listen { http: at, op: at, nitro: at, read: at, metrics: at, admin: at },
        tls: Some(Tls { certificate: "file".into(), key: "file".into() }),
        auth: Auth { write_file: file() },
        publish: Some(Publish {
            mode: PublishMode::Each,
            interval: std::time::Duration::from_secs(3600),
            dir: "file".into(),
            key_file: "file".into(),
            password_file: file(),
        }),
        op: Op { keccak_max: Some(7), ..Op::default() },
        nitro: Nitro { jwt_file: file(), max_message: Some(7) },
        cache: Cache { disk_dir: file(), ..Cache::default() },
        log: Log { otlp: Some("http://127.0.0.1:4317".to_owned().try_into().expect("a URL")), ..Log::default() },
        ..Config::default()
    };
    let table = toml::Table::try_from(full).expect("a table");
    let mut written: Vec<String> = Vec::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => written.extend(inner.keys().map(|name| format!("{key}.{name}"))),
            _ => written.push(key),
        }
    }
    let mut keys = KEYS.map(str::to_owned).to_vec();
    keys.sort();
    written.sort();
    assert_eq!(written, keys);
}

#[test]
fn fuzz_settings() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("gateway.toml");
    let seeds = [
        good(),
        format!(
            "{}\n[publish]\nmode = \"never\"\ninterval = \"8h\"\ndir = \"d\"\nkey_file = \"k\"\n[limits]\nputs = 3\n",
            good()
        ),
        "backend = \"memory\"\n[listen]\nop = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n".into(),
    ];
    holdfast_fuzz::Target::new("settings of a gateway", seeds).cases(6000).run(|bytes| {
        std::fs::write(&file, bytes).expect("written");
        if let Ok(config) = Config::load(&file) {
            config.check().expect("it was checked");
            std::fs::write(&file, toml::to_string_pretty(&config).expect("TOML")).expect("written");
            assert_eq!(Config::load(&file).expect("what was written"), config);
        }
    });
}
