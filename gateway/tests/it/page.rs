//! The status page: its bytes and headers, and how it looks in a real browser.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use holdfast_certificate::{Domain, Namespace};
use holdfast_gateway::Gateway;
use holdfast_registry::{Endpoint, EpochRecord, Error, NamespaceRecord, Registry};
use holdfast_testing::{Browser, installed, skipped};

use crate::support::{Committee, Line, Server, commitment, eventually, payload};

const HOSTILE: &str =
    "\"><script>document.title='taken'</script><img src=/nowhere onerror=document.title='taken'>\u{202e}";

/// A registry in which the member of slot 3 calls itself something else.
#[derive(Debug)]
struct Renamed(Arc<dyn Registry>);

impl Renamed {
    fn renamed(record: &EpochRecord) -> Arc<EpochRecord> {
        let mut record = record.clone();
        record.endpoints[3] = Endpoint::unpinned(HOSTILE);
        Arc::new(record)
    }
}

#[async_trait]
impl Registry for Renamed {
    async fn epoch(&self, epoch: u64) -> Result<Arc<EpochRecord>, Error> {
        Ok(Self::renamed(self.0.epoch(epoch).await?.as_ref()))
    }

    async fn active_epoch(&self, at: u64) -> Result<Arc<EpochRecord>, Error> {
        Ok(Self::renamed(self.0.active_epoch(at).await?.as_ref()))
    }

    async fn namespace(&self, namespace: &Namespace) -> Result<NamespaceRecord, Error> {
        self.0.namespace(namespace).await
    }

    fn domain(&self) -> Domain {
        self.0.domain()
    }
}

/// A gateway whose members are of every kind, with some payloads in and out.
async fn busy(committee: &Committee) -> Server {
    let registry = Arc::new(Renamed(Arc::clone(&committee.registry)));
    let server = Server::of(Gateway::new(committee.config()).with_registry(registry).start().await.unwrap());
    for seed in 0..6 {
        let payload = payload(1000 << (2 * seed), seed);
        server.op_put(&payload).await.ok();
        server.get("op", &format!("/get/0x{}", commitment(&payload))).await.ok();
    }
    server.get("op", &format!("/get/0x{}", commitment(b"never"))).await.fails(404, "not_found");
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_allows_no_script_and_is_on_the_operators_listener_only() {
    let committee = Committee::start().await;
    let gateway = busy(&committee).await;
    for (path, kind) in [("/", "text/html"), ("/status.css", "text/css"), ("/status.svg", "image/svg+xml")] {
        let answer = gateway.get("metrics", path).await.ok();
        assert!(answer.header("content-type").starts_with(kind));
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("script-src"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(answer.header(name), value);
        }
        for open in ["http", "op", "read", "nitro"] {
            let elsewhere = gateway.get(open, path).await;
            assert!(elsewhere.status >= 400 && !elsewhere.text().contains("Committee"), "{open}{path}");
        }
    }
    let page = gateway.get("metrics", "/").await.text();
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script") && !page.contains("<img src=/nowhere"),
        "{page}"
    );
    gateway.running.stop().await;
    committee.stop().await;
}

/// What the page is to the browser, all at once.
const LOOK: &str = r##"({
    title: document.title,
    state: document.getElementById("state").textContent,
    scripts: document.scripts.length,
    images: [...document.images].map(image => image.naturalWidth > 0),
    members: [...document.querySelectorAll("#committee tbody tr")].map(row => row.innerText),
    certificates: document.querySelectorAll("#certificates tbody tr").length,
    tiles: document.querySelectorAll(".tiles div").length,
    points: document.querySelectorAll("#latency [class=put], #latency [class=get]").length,
    failed: document.querySelectorAll("#latency [class=failed]").length,
    outside: [...document.querySelectorAll("#latency > *")].filter(mark => {
        const all = document.querySelector("#latency").getBoundingClientRect(), one = mark.getBoundingClientRect();
        return one.left < all.left - 1 || one.right > all.right + 1 || one.top < all.top - 1 || one.bottom > all.bottom + 1;
    }).length,
    plot: document.querySelector("#latency").getBoundingClientRect().width,
    round: getComputedStyle(document.querySelector("section")).borderTopLeftRadius,
    ground: getComputedStyle(document.body).backgroundColor,
    ink: getComputedStyle(document.body).color,
    wider: document.documentElement.scrollWidth - innerWidth,
    height: document.documentElement.scrollHeight,
})"##;

/// Skipped, by name, where no Chromium is installed.
#[tokio::test(flavor = "multi_thread")]
async fn the_status_page_is_right_in_a_real_browser() {
    let Some(file) = installed() else {
        return skipped("page::the_status_page_is_right_in_a_real_browser");
    };
    let committee = Committee::start().await;
    let gateway = busy(&committee).await;
    let (mut browser, url) = (Browser::start(file).await, gateway.url("metrics", "/"));
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("status");
    let mut grounds = Vec::new();
    for (name, look) in browser.looks(&url, LOOK, &pictures).await {
        assert_eq!(look["title"], "Ready · Holdfast gateway", "{look}");
        assert_eq!((&look["state"], &look["scripts"]), (&"Ready".into(), &0.into()));
        assert_eq!(look["images"], serde_json::json!([true]), "the mark is drawn, and no other image is there: {look}");
        assert_eq!((&look["certificates"], &look["points"], &look["failed"]), (&6.into(), &12.into(), &1.into()));
        assert_eq!((&look["outside"], &look["wider"]), (&0.into(), &0.into()), "{name}: {look}");
        assert!(look["tiles"].as_u64().unwrap() >= 6 && look["plot"].as_f64().unwrap() > 300.0, "{look}");
        assert_eq!(look["round"], "10px", "the style sheet is in force");
        let members = look["members"].as_array().unwrap();
        let row = |slot: usize| members[slot].as_str().unwrap();
        assert_eq!(members.len(), 4);
        assert!((0..3).all(|slot| row(slot).contains("stores")), "{look}");
        assert!(row(3).contains("<script>document.title='taken'</script><img src=/nowhere"), "{look}");
        assert!(row(3).contains("away") && row(3).contains("\\u{202e}"), "{look}");
        grounds.push((look["ground"].clone(), look["ink"].clone()));
    }
    assert_eq!(grounds[0], grounds[2]);
    assert!(grounds[0].0 != grounds[1].0 && grounds[0].1 != grounds[1].1, "dark is dark: {grounds:?}");

    // Below the quorum it says so.
    committee.line(0, Line::Cut);
    eventually("the gateway knows", || async { gateway.get("http", "/readyz").await.status == 503 }).await;
    browser.open(&url, (1280, 900), false).await;
    assert_eq!(browser.evaluate(LOOK).await["state"], "Below the quorum: reads only");

    browser.kept_to_itself(&url, 4);
    gateway.running.stop().await;
    committee.stop().await;
}
