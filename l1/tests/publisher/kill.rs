//! The publisher's process is killed at every call to its node, and another one takes over its journal.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use holdfast_certificate::Address;
use holdfast_devchain::DEV_KEYS;
use holdfast_erasure::Digest;
use holdfast_l1::{Error as L1, Job, JobState, Publisher, Until, publisher::Error};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
};

use super::{
    proxy::{Fault, Proxy},
    stage::{PAYER, Stage, quick},
};

/// Names the task of a process that is to be killed.
const TASK: &str = "HOLDFAST_TEST_PUBLISHER_TASK";

/// What such a process says once a job is accepted.
const ACCEPTED: &str = "the job is accepted";

const LIMIT: Duration = Duration::from_secs(30);

#[derive(Serialize, Deserialize)]
struct Task {
    url: String,
    registry: [u8; 20],
    journal: PathBuf,
    id: [u8; 32],
    call: Vec<u8>,
}

/// The life of a publisher in a process of its own.
async fn live(task: Task) {
    let registry = Address::from(task.registry);
    let options = quick(&task.journal);
    let publisher = Publisher::connect_with(&task.url, registry, &DEV_KEYS[PAYER], options).await.unwrap();
    let id = Digest::from(task.id);
    publisher.submit(Job { id, call: task.call }).await.unwrap();
    println!("\n{ACCEPTED}");
    publisher.wait(&id, Until::Finalized, LIMIT).await.unwrap();
}

/// Starts this very test as a process with a task, and kills it at the first call that waits for ever, after `last`. Gives
/// whether it had accepted its job, and how it ended if nothing stopped it.
async fn killed(test: &str, task: &Task, proxy: &Proxy, last: impl Future<Output = ()>) -> (bool, Option<ExitStatus>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(TASK, serde_json::to_string(task).unwrap())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let said = tokio::spawn(async move {
        let mut accepted = false;
        while let Some(line) = lines.next_line().await.unwrap() {
            accepted |= line == ACCEPTED;
        }
        accepted
    });
    let ended = tokio::select! {
        ended = child.wait() => Some(ended.unwrap()),
        () = proxy.struck() => {
            last.await;
            child.kill().await.unwrap();
            None
        }
        () = tokio::time::sleep(LIMIT) => panic!("neither killed nor ended"),
    };
    (said.await.unwrap(), ended)
}

/// What an earlier life has left behind when the one that is killed begins.
#[derive(Clone, Copy, PartialEq)]
enum Past {
    Nothing,
    /// A transaction that was sent and lost, and a stranger's with its nonce, in a block.
    Stranger,
    /// A transaction that was sent, and before it the nonce of a stranger's that a reorganisation took back.
    Gap,
}

impl Past {
    /// Puts it there: a job that is accepted and has a nonce.
    async fn put(self, stage: &Stage, journal: &Path, job: Job) {
        let publisher = stage.publisher(&stage.url, journal).await;
        let nonce = stage.nonce().await;
        if self == Self::Gap {
            stage.stranger(nonce).await;
            stage.mine().await;
        }
        let id = job.id;
        publisher.submit(job).await.unwrap();
        publisher.drive().await.unwrap();
        let is_after = u64::from(self == Self::Gap);
        assert_eq!(publisher.status(&id).unwrap().nonce, Some(nonce + is_after));
        if self == Self::Gap {
            stage.reorganise(1, &[]).await;
            stage.drop_all().await;
        } else {
            stage.drop_all().await;
            stage.stranger(nonce).await;
            stage.mine().await;
        }
    }
}

/// Kills a publisher at its first call, the next at its second, and so on until one comes to its end.
async fn at_every_call(test: &str, stage: &Stage, fault: Fault, past: Past) {
    let proxy = Proxy::before(&stage.url).await;
    proxy.beat();
    let (mut lost, mut kept) = (0, 0);
    for cut in 1..100 {
        let folder = tempfile::tempdir().unwrap();
        let certificate = stage.certificate(u8::try_from(cut).unwrap()).await;
        let Job { id, call } = stage.job(&certificate);
        let task = Task {
            url: proxy.url.clone(),
            registry: stage.registry.to_bytes(),
            journal: folder.path().to_owned(),
            id: *id.as_bytes(),
            call: call.clone(),
        };
        if past != Past::Nothing {
            past.put(stage, folder.path(), Job { id, call: call.clone() }).await;
        }
        let here = fault.clone();
        proxy.rule(move |asked| if asked.number == cut { here.clone() } else { Fault::None });
        let (accepted, ended) = killed(test, &task, &proxy, async {
            // It opens its journal after it has asked for the chain id and the first block.
            if cut > 2 {
                let error = stage.publisher_with(&stage.url, quick(folder.path())).await.unwrap_err();
                assert!(matches!(error, Error::JournalLocked { .. }), "another process has it: {error}");
            }
        })
        .await;
        proxy.heal();

        let publisher = stage.publisher(&proxy.url, folder.path()).await;
        if accepted || past != Past::Nothing {
            kept += 1;
            assert!(publisher.status(&id).is_some(), "what was accepted is not lost, cut at call {cut}");
        } else {
            lost += 1;
            publisher.submit(Job { id, call }).await.unwrap();
        }
        publisher.wait(&id, Until::Finalized, LIMIT).await.unwrap();
        assert_eq!(stage.published(&certificate).await, 1, "cut at call {cut}");
        let each = if past == Past::Nothing { 1 } else { 2 };
        assert_eq!(stage.nonce().await, each * u64::try_from(cut).unwrap(), "no transaction more, cut at call {cut}");
        if let Some(ended) = ended {
            assert!(ended.success(), "{ended}");
            let before = if past == Past::Nothing { 4 } else { 0 };
            assert!(lost == before && kept >= 15, "killed {lost} times before a job was accepted, {kept} times after");
            return;
        }
    }
    panic!("a hundred calls for one certificate");
}

/// A test that is also the process which it kills.
fn play(test: &str, stage: impl Future<Output = Option<Stage>>, fault: Fault, past: Past) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        if let Ok(task) = std::env::var(TASK) {
            return live(serde_json::from_str(&task).unwrap()).await;
        }
        if let Some(stage) = stage.await {
            at_every_call(test, &stage, fault, past).await;
        }
    });
}

#[test]
fn killed_before_any_call_publishes_once() {
    play("publisher::kill::killed_before_any_call_publishes_once", Stage::on_anvil(), Fault::Silent, Past::Nothing);
}

#[test]
fn killed_after_any_call_before_its_reply_publishes_once() {
    play(
        "publisher::kill::killed_after_any_call_before_its_reply_publishes_once",
        Stage::on_anvil(),
        Fault::Deaf,
        Past::Nothing,
    );
}

#[test]
fn killed_while_a_strangers_transaction_has_the_nonce_publishes_once() {
    let test = "publisher::kill::killed_while_a_strangers_transaction_has_the_nonce_publishes_once";
    play(test, Stage::on_anvil(), Fault::Deaf, Past::Stranger);
}

#[test]
fn killed_while_a_gap_is_filled_publishes_once() {
    let test = "publisher::kill::killed_while_a_gap_is_filled_publishes_once";
    play(test, Stage::on_anvil(), Fault::Deaf, Past::Gap);
}

#[test]
fn killed_where_transactions_are_mined_at_once_publishes_once() {
    let stage = async { Some(Stage::on_devchain().await) };
    play(
        "publisher::kill::killed_where_transactions_are_mined_at_once_publishes_once",
        stage,
        Fault::Deaf,
        Past::Nothing,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_send_that_got_in_but_whose_reply_was_lost_is_not_a_second_one() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (tempfile::tempdir().unwrap(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    proxy.rule(|call| match (call.method.as_str(), call.number) {
        ("eth_sendRawTransaction", _) => Fault::Lost,
        _ => Fault::None,
    });
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!(status.state, JobState::Sent, "{status:?}");
    assert!(status.waits_for.unwrap().contains("no answer to eth_sendRawTransaction"));

    // The node has it: what it says to the same bytes must not look like trouble.
    proxy.heal();
    publisher.drive().await.unwrap();
    let status = publisher.status(&id).unwrap();
    assert_eq!((status.state, status.waits_for, status.transactions.len()), (JobState::Sent, None, 1));
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_fails_at_any_call_delays_and_does_not_double() {
    let stage = Stage::on_devchain().await;
    let proxy = Proxy::before(&stage.url).await;
    proxy.beat();
    let folder = tempfile::tempdir().unwrap();
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    for (nonce, fault) in [Fault::Refused, Fault::Lost].into_iter().enumerate() {
        let certificate = stage.certificate(u8::try_from(nonce).unwrap()).await;
        let id = publisher.submit_certificate(&certificate).await.unwrap().id;
        // Every second call, then every third: no round of the first few gets through.
        proxy.rule(move |call| {
            if call.number < 60 && call.number % (2 + call.number / 20) == 0 { fault.clone() } else { Fault::None }
        });
        let mut failed = 0;
        while publisher.status(&id).unwrap().state != JobState::Finalized {
            match publisher.drive().await {
                Ok(_) => {}
                Err(error @ Error::L1(L1::Rpc { .. })) => {
                    assert!(!error.to_string().contains("127.0.0.1"), "no URL in errors: {error}");
                    failed += 1;
                }
                Err(error) => panic!("{error}"),
            }
            assert!(failed < 60);
        }
        assert!(failed > 0, "the node failed");
        assert_eq!(stage.published(&certificate).await, 1);
        assert_eq!(stage.nonce().await, u64::try_from(nonce).unwrap() + 1);
    }
}
