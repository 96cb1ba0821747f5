use holdfast_certificate::Address;
use holdfast_erasure::Digest;
use holdfast_l1::RpcUrls;

use super::*;

fn load(text: &str) -> Result<Config, Error> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("member.toml");
    std::fs::write(&file, text).expect("written");
    Config::load(&file)
}

const GOOD: &str = r#"
listen = "127.0.0.1:7001"
data_dir = "data"
keystore = "/keys/keystore.json"
password_file = "password.txt"
committee_file = "committee.json"

[policy]
max_retention = "60d"
"#;

#[test]
fn relative_paths_are_relative_to_the_file_and_defaults_fill_the_rest() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("member.toml");
    std::fs::write(&file, GOOD).expect("written");
    let config = Config::load(&file).expect("good");
    assert_eq!(config.data_dir, folder.path().join("data"));
    assert_eq!(config.keystore, Path::new("/keys/keystore.json"));
    assert_eq!(config.policy.max_retention, 60 * DAY);
    assert_eq!(config.policy.max_whole, Policy::default().max_whole);
    assert_eq!(config.limits, Limits::default());
}

#[test]
fn plain_text_off_loopback_needs_tls_or_a_switch_that_says_so() {
    let public = GOOD.replace("127.0.0.1:7001", "0.0.0.0:7001");
    assert!(load(&public.replace("data_dir", "insecure_plaintext = true\ndata_dir")).is_ok());
    let tls =
        load(&format!("{public}\n[tls]\ncertificate = \"tls.crt\"\nkey = \"/keys/tls.key\"\n")).expect("good").tls;
    let tls = tls.expect("given");
    assert!(tls.certificate.is_absolute() && tls.certificate.ends_with("tls.crt"));
    assert_eq!(tls.key, Path::new("/keys/tls.key"));
}

#[test]
fn what_is_written_loads_back() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut config = Config::in_folder("127.0.0.1:0".parse().expect("an address"), folder.path());
    config.committee_file = None;
    config.tls = Some(Tls { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") });
    config.metrics_listen = Some("127.0.0.1:9000".parse().expect("an address"));
    let file = folder.path().join("member.toml");
    let two = RpcUrls::new(vec!["http://127.0.0.1:8545".into(), "https://rpc.example/key".into()]);
    for (rpc_url, code_hash) in [("http://127.0.0.1:8545".into(), None), (two, Some(Digest::from([9; 32])))] {
        config.l1 = Some(L1 { rpc_url, registry: Address::from([7; 20]), code_hash });
        config.write(&file).expect("written");
        assert_eq!(Config::load(&file).expect("good"), config);
    }
}

#[test]
fn an_unknown_key_is_refused_and_the_nearest_named() {
    for (text, key, nearest) in [
        (GOOD.replace("listen", "listn"), "listn", Some("listen")),
        (GOOD.replace("max_retention", "max_retentoin"), "policy.max_retentoin", Some("policy.max_retention")),
        (format!("zzz = 1\n{GOOD}"), "zzz", None),
    ] {
        let error = load(&text).expect_err("unknown");
        let Error::UnknownKey { key: got, nearest: near, .. } = &error else { panic!("{error}") };
        assert_eq!((got.as_str(), near.as_deref()), (key, nearest));
    }
}

/// A configuration with that value of `l1.rpc_url`.
fn l1(rpc_url: &str) -> String {
    let text = GOOD.replace("committee_file = \"committee.json\"", "");
    format!("{text}\n[l1]\nrpc_url = {rpc_url}\nregistry = \"0x{}\"\n", "07".repeat(20))
}

#[test]
fn values_that_cannot_work_are_refused_with_what_was_expected() {
    for (text, part) in [
        (GOOD.replace("committee_file = \"committee.json\"", ""), "both missing"),
        (format!("{GOOD}\n[l1]\nrpc_url = \"http://x\"\nregistry = \"0x{}\"\n", "07".repeat(20)), "both given"),
        (l1(r#"["http://a", "http://a"]"#), "a stands there twice"),
        (l1("[]"), "expected 1 to 16, got 0"),
        (l1("\"a.example:8545\""), "l1.rpc_url"),
        (l1("7"), "expected a URL or a list of URLs"),
        (GOOD.replace("60d", "10m"), "at least 1h, got 600s"),
        (GOOD.replace("60d", "10d"), "at most max_retention"),
        (GOOD.replace("60d", "sixty days"), "sixty days"),
        (format!("{GOOD}\n[limits]\nreceiving_mib = 0\n"), "limits.receiving_mib"),
        (format!("{GOOD}\n[limits]\nmemory_mib = 512\n"), "`limits.memory_mib` must be at least"),
        (format!("{GOOD}\n[limits]\nconnections = 20000\n"), "`limits.memory_mib` must be at least"),
        (format!("{GOOD}\nscrub_period = \"0s\"\n"), "policy.scrub_period"),
        (
            format!("{GOOD}\n[limits]\nconnections = 8\nconnections_reserved = 8\n"),
            "must be below connections (8), got 8",
        ),
        (format!("{GOOD}\n[limits]\nidle_deadline = \"0s\"\n"), "limits.idle_deadline"),
        (format!("{GOOD}\n[limits]\nstream_deadline = \"60s\"\n"), "did you mean `limits.stall_deadline`"),
        (GOOD.replace("127.0.0.1:7001", "somewhere"), "listen"),
        (GOOD.replace("127.0.0.1:7001", "0.0.0.0:7001"), "not loopback, and there is no `tls`"),
        (format!("{GOOD}\n[tls]\ncertificate = \"a\"\n"), "key"),
        (GOOD.replace("keystore = \"/keys/keystore.json\"", ""), "keystore"),
        ("listen = ".into(), "member.toml"),
    ] {
        let error = load(&text).expect_err(part).to_string();
        assert!(error.contains(part), "{error:?} does not say {part:?}");
    }
}

#[test]
fn every_limit_is_a_known_key_and_is_named_in_the_operators_page() {
    let page = include_str!("../../../docs/operations.md");
    let limits = toml::Table::try_from(Limits::default()).expect("a table");
    for key in limits.keys() {
        let one = format!("{GOOD}\n[limits]\n{key} = {}\n", limits[key]);
        load(&one).unwrap_or_else(|error| panic!("{key}: {error}"));
        assert!(page.contains(&format!("`limits.{key}`")), "docs/operations.md does not name limits.{key}");
    }
}

#[test]
fn the_example_names_every_limit_with_its_default() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("member.toml");
    std::fs::write(&file, include_str!("../../../examples/member.toml")).expect("written");
    let config = Config::load(&file).expect("good");
    assert_eq!(config.limits, Limits::default());
    let written = std::fs::read_to_string(&file).expect("text");
    for key in known::KEYS {
        let name = key.rsplit('.').next().unwrap_or(key);
        assert!(written.contains(name), "{key} is not in examples/member.toml");
    }
}

#[test]
fn fuzz_settings() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (file, written) = (folder.path().join("member.toml"), folder.path().join("written.toml"));
    let seeds = [
        GOOD.to_owned(),
        l1(r#"["http://a", "https://b/key"]"#),
        include_str!("../../../examples/member.toml").into(),
        format!("archive = \"s3://bucket/p\"\n{GOOD}"),
        format!("{GOOD}\n[archive]\nurl = \"file:///a\"\nkeep_local = \"2d\"\n"),
    ];
    holdfast_fuzz::Target::new("settings of a member", seeds).cases(6000).run(|bytes| {
        std::fs::write(&file, bytes).expect("written");
        if let Ok(config) = Config::load(&file) {
            config.check().expect("it was checked");
            config.write(&written).expect("written");
            assert_eq!(Config::load(&written).expect("what was written"), config);
        }
    });
}

#[test]
fn an_archive_is_a_url_alone_or_a_table_and_what_cannot_be_one_is_refused_by_its_name() {
    let above = |line: &str| GOOD.replace("\n[policy]", &format!("{line}\n[policy]"));
    let alone = load(&above("archive = \"s3://bucket/some/prefix\"")).expect("good").archive.expect("given");
    assert_eq!(alone, Archive::at("s3://bucket/some/prefix"));
    let place = alone.place().expect("a bucket");
    assert_eq!(place, Place::Bucket { name: "bucket".into(), prefix: "some/prefix".into() });
    let table = |lines: &str| load(&format!("{GOOD}\n[archive]\n{lines}\n"));
    let all = table(
        "url = \"s3://bucket\"\nendpoint = \"http://127.0.0.1:9000\"\nregion = \"r\"\naccess_key_id = \"i\"\n\
         secret_key_file = \"key.txt\"\nlock = \"compliance\"\nkeep_local = \"2d\"",
    );
    let all = all.expect("good").archive.expect("given");
    assert_eq!((all.lock, all.keep_local), (Lock::Compliance, Some(2 * DAY)));
    assert!(all.secret_key_file.expect("given").is_absolute());
    assert_eq!(
        table("url = \"file:///mnt/archive\"").expect("good").archive.expect("given").place().expect("a folder"),
        Place::Folder("/mnt/archive".into())
    );
    for (wrong, says) in [
        ("url = \"https://bucket\"", "archive.url"),
        ("url = \"file://relative\"", "archive.url"),
        ("url = \"s3://\"", "archive.url"),
        ("url = \"s3://Bucket/x\"", "archive.url"),
        ("url = \"s3://bucket/a//b\"", "archive.url"),
        ("url = \"s3://bucket/../b\"", "archive.url"),
        ("url = \"s3://bucket\"\nendpoint = \"http://10.0.0.7:9000\"", "archive.endpoint"),
        ("url = \"s3://bucket\"\nendpoint = \"http://localhost.example:9000\"", "archive.endpoint"),
        ("url = \"s3://bucket\"\naccess_key_id = \"i\"", "archive.access_key_id"),
        ("url = \"file:///mnt\"\nlock = \"compliance\"", "archive.lock"),
        ("url = \"s3://bucket\"\nlock = \"forever\"", "lock"),
        ("region = \"r\"", "url"),
        ("url = \"s3://bucket\"\nprefix = \"x\"", "archive.prefix"),
    ] {
        let error = table(wrong).expect_err(wrong).to_string();
        assert!(error.contains(says), "{wrong}: {error}");
    }
}
