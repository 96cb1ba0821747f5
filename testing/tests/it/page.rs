//! A member's status page in a real browser.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use holdfast_certificate::{
    CommitteeFile, DisperserKey, Domain, FileMember, FileNamespace, Namespace, Registration, SecretKey,
};
use holdfast_client::{Client, DisperseOptions, Error as ClientError};
use holdfast_committee::{
    Config, Member, Running,
    admin::{Answer, Order, ask},
    store::IfMissing,
};
use holdfast_registry::{EpochRecord, Error, FileRegistry, Finality, NamespaceRecord, Registry};
use holdfast_testing::{Browser, installed, skipped};

const NAMESPACE: [u8; 32] = [5; 32];
const HOSTILE: &str =
    "\"><script>document.title='taken'</script><img src=/nowhere onerror=document.title='taken'>\u{202e}";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A registry of which one node says something else, and calls itself something else.
#[derive(Debug)]
struct Contradicted(FileRegistry);

#[async_trait]
impl Registry for Contradicted {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        self.0.epoch(epoch).await
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        self.0.active_epoch(at).await
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.0.namespace(namespace).await
    }

    fn domain(&self) -> Domain {
        self.0.domain()
    }

    fn finality(&self) -> Option<Finality> {
        Some(Finality {
            block: 77,
            timestamp: now() - 900,
            read_at: now(),
            stalled: false,
            expired: false,
            failure: None,
            dissenters: vec![HOSTILE.to_owned()],
        })
    }
}

/// One of two members, the other of which was never started; it holds something all the same.
async fn member(folder: &Path) -> (Running, Config) {
    let address = holdfast_transport::free_addresses(1).unwrap()[0];
    let (keys, disperser) = ([SecretKey::generate(), SecretKey::generate()], DisperserKey::generate());
    let members = (0..2).zip(&keys).map(|(slot, key)| FileMember {
        slot,
        public_key: key.public_key(),
        proof_of_possession: key.prove_possession(&Registration::WITHOUT_L1),
        account: None,
        endpoint: format!("http://{}", if slot == 0 { address } else { SocketAddr::from((Ipv4Addr::LOCALHOST, 1)) }),
        tls_pin: None,
    });
    let file = CommitteeFile {
        chain_id: 0,
        registry: None,
        epoch: 4,
        original_shards: 1,
        total_shards: 2,
        threshold: 2,
        max_payload: 1 << 20,
        members: members.collect(),
        namespaces: vec![FileNamespace {
            id: Namespace::from(NAMESPACE),
            dispersers: vec![disperser.address()],
            min_retention: 0,
        }],
    };
    let registry = Arc::new(Contradicted(FileRegistry::from_file(file).unwrap()));
    let mut config = Config::in_folder(address, folder);
    config.metrics_listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    let [key, _] = keys;
    let member = Member::new(config.clone(), key, registry.clone() as Arc<dyn Registry>);
    let running = member.if_missing(IfMissing::Create).launch().await.unwrap();
    let client = Client::builder().registry(registry).namespace(Namespace::from(NAMESPACE)).disperser(disperser);
    let client = client.build().unwrap();
    for length in [1000, 400_000] {
        let alone = client.disperse(vec![7; length], DisperseOptions::by_shard()).await.unwrap_err();
        assert!(matches!(alone, ClientError::QuorumNotReached { attested: 1, .. }), "{alone}");
    }
    (running, config)
}

/// What the page is to the browser, all at once.
const LOOK: &str = r##"({
    title: document.title,
    state: document.getElementById("state").textContent,
    scripts: document.scripts.length,
    images: [...document.images].map(image => image.naturalWidth > 0),
    services: [...document.querySelectorAll("#health tbody tr")].map(row => row.innerText),
    days: [...document.querySelectorAll("#obligations tbody tr")].map(row => row.innerText),
    bars: [...document.querySelectorAll("#obligations .bar")].map(bar => bar.getBoundingClientRect().width > 20),
    notes: [...document.querySelectorAll(".note")].map(note => note.innerText),
    tiles: document.querySelectorAll(".tiles div").length,
    round: getComputedStyle(document.querySelector("section")).borderTopLeftRadius,
    ground: getComputedStyle(document.body).backgroundColor,
    wider: document.documentElement.scrollWidth - innerWidth,
})"##;

/// Skipped, by name, where no Chromium is installed.
#[tokio::test(flavor = "multi_thread")]
async fn the_member_s_page_is_right_in_a_real_browser() {
    let Some(browser) = installed() else { return skipped("the_member_s_page_is_right_in_a_real_browser") };
    let folder = tempfile::tempdir().unwrap();
    let (member, config) = member(folder.path()).await;
    let url = format!("http://{}/", member.metrics_addr().unwrap());
    let mut browser = Browser::start(browser).await;
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("member");
    let mut grounds = Vec::new();
    for (name, look) in browser.looks(&url, LOOK, &pictures).await {
        assert_eq!(
            (&look["title"], &look["scripts"]),
            (&"Stores and signs · Holdfast member".into(), &0.into()),
            "{look}"
        );
        assert_eq!(look["images"], serde_json::json!([true]), "the mark is drawn, and no other image is there: {look}");
        let services = look["services"].as_array().unwrap();
        assert!(services.len() == 4 && services.iter().all(|row| row.as_str().unwrap().contains("serving")), "{look}");
        assert_eq!((look["days"].as_array().unwrap().len(), &look["bars"][0]), (1, &true.into()), "{look}");
        assert!(look["days"][0].as_str().unwrap().contains("kB"), "{look}");
        let note = look["notes"][0].as_str().unwrap();
        assert!(note.contains("<script>document.title='taken'</script>") && note.contains("\\u{202e}"), "{look}");
        assert!(look["tiles"].as_u64().unwrap() >= 8 && look["round"] == "10px", "the style sheet is in force: {look}");
        assert_eq!(look["wider"], 0, "{name}: {look}");
        grounds.push(look["ground"].clone());
    }
    assert!(grounds[0] == grounds[2] && grounds[0] != grounds[1], "dark is dark: {grounds:?}");

    // An order shows.
    let drained = ask(&config.admin_socket(), &Order::Drain).await.unwrap();
    assert!(matches!(drained, Answer::Done(state) if state.drained));
    browser.open(&url, (1280, 900), false).await;
    assert_eq!(browser.evaluate(LOOK).await["state"], "Drained: reads only");

    browser.kept_to_itself(&url, 4);
    member.stop().await.unwrap();
}
