//! Everything at once, in an order that nobody has thought of: whatever happens, each certificate is published once.

use holdfast_certificate::VerifiedCertificate;
use holdfast_l1::{JobState, Publisher};
use holdfast_registry::Fault;

use super::{
    proxy::{Fault as Failure, Proxy},
    stage::{GWEI, Stage, quick},
};

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    /// A number from 0 to `sides` - 1.
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % sides
    }
}

/// A publisher that lives through it.
struct Trial {
    stage: Stage,
    proxy: Proxy,
    folder: tempfile::TempDir,
    publisher: Publisher,
    certificates: Vec<VerifiedCertificate>,
    dice: Dice,
}

impl Trial {
    async fn step(&mut self) -> &'static str {
        match self.dice.throw(16) {
            0..=3 => {
                // A node that fails is part of it.
                let _ = self.publisher.drive().await;
                "drive"
            }
            4..=5 => {
                self.stage.mine().await;
                "mine"
            }
            6 => {
                self.stage.mine_at(200 * GWEI).await;
                "dear block"
            }
            7 => {
                self.stage.drop_all().await;
                "lost mempool"
            }
            8 => {
                let nonce = self.stage.nonce().await;
                self.stage.drop_all().await;
                self.stage.stranger(nonce).await;
                "stranger"
            }
            9 => {
                // Two blocks behind the head, blocks are final.
                let depth = 1 + self.dice.throw(2);
                self.stage.reorganise(depth, &[]).await;
                "reorganisation"
            }
            10 => {
                let (of, seed) = (2 + self.dice.throw(4), self.dice.throw(1000));
                self.proxy.rule(move |call| {
                    let throw = Dice(seed + call.number as u64).throw(2 * of);
                    match throw {
                        0 => Failure::Refused,
                        1 => Failure::Lost,
                        _ => Failure::None,
                    }
                });
                "failing node"
            }
            11 => {
                self.proxy.rule(|call| match call.method.as_str() {
                    "eth_getTransactionReceipt" => Failure::Answer(serde_json::Value::Null),
                    _ => Failure::None,
                });
                "no receipts"
            }
            12 => {
                self.proxy.heal();
                "healed node"
            }
            13 => {
                self.restart().await;
                "restart"
            }
            _ => {
                let number = u8::try_from(self.certificates.len()).unwrap();
                let certificate = self.stage.certificate(number).await;
                self.publisher.submit_certificate(&certificate).await.unwrap();
                self.certificates.push(certificate);
                "certificate"
            }
        }
    }

    /// Ends the publisher and opens its journal again, however often the node fails at it.
    async fn restart(&mut self) {
        let aside = tempfile::tempdir().unwrap();
        // The old one gives its journal free when another takes its place.
        self.publisher = self.stage.publisher(&self.stage.url, aside.path()).await;
        for _ in 0..100 {
            match self.stage.publisher_with(&self.proxy.url, quick(self.folder.path())).await {
                Ok(publisher) => {
                    self.publisher = publisher;
                    return;
                }
                Err(error) => assert_eq!(error.fault(), Fault::L1, "{error}"),
            }
        }
        panic!("a node that fails a hundred times in a row");
    }

    /// With nothing in its way any more, every job ends.
    async fn end(&mut self) {
        self.proxy.heal();
        for _ in 0..80 {
            if self.publisher.drive().await.unwrap() == 0 {
                return;
            }
            self.stage.mine_at(GWEI).await;
        }
        panic!("80 blocks do not end it: {:?}", self.publisher.pending());
    }
}

async fn survive(seed: u64) {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let mut trial = Trial { stage, proxy, folder, publisher, certificates: Vec::new(), dice: Dice(seed) };
    let mut story = Vec::new();
    for _ in 0..150 {
        story.push(trial.step().await);
    }
    trial.end().await;
    for certificate in &trial.certificates {
        let status = trial.publisher.status(&trial.stage.job(certificate).id).unwrap();
        assert_eq!(status.state, JobState::Finalized, "seed {seed}: {status:?}: {story:?}");
        assert_eq!(trial.stage.published(certificate).await, 1, "seed {seed}: {status:?}: {story:?}");
    }
    assert!(trial.certificates.len() > 5, "seed {seed} tries little");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_each_certificate_is_published_once() {
    let seeds = match std::env::var("HOLDFAST_TEST_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=4).collect(),
    };
    for seed in seeds {
        survive(seed).await;
    }
}
