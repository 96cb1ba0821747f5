//! One journal: the same certificate twice, damage, and a second user.

use std::{
    fs,
    path::{Path, PathBuf},
};

use holdfast_l1::{JobState, Until, publisher::Error};
use tempfile::TempDir;

use super::{
    proxy::{Fault, Proxy},
    stage::{PAYER, Stage, quick},
};
use crate::fixture::account;

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Where the payer's records are.
fn records(journal: &Path) -> PathBuf {
    journal.join(format!("31337-{}", account(PAYER)).to_lowercase())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_certificate_at_once_and_in_two_runs_is_one_publication() {
    let stage = Stage::on_devchain().await;
    let (folder, proxy) = (folder(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let at_once: Vec<_> = (0..8)
        .map(|_| {
            let (publisher, certificate) = (publisher.clone(), certificate);
            tokio::spawn(async move { publisher.publish(&certificate).await })
        })
        .collect();
    let mut receipts = Vec::new();
    for publication in at_once {
        receipts.push(publication.await.unwrap().unwrap());
    }
    receipts.dedup();
    assert_eq!(receipts.len(), 1, "all are told of the same transaction");
    stage.ends_as_one(&publisher, &certificate, 1).await;
    assert_eq!(publisher.publish(&certificate).await.unwrap(), receipts[0], "after its end too");
    drop(publisher);

    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    assert_eq!(publisher.publish(&certificate).await.unwrap(), receipts[0], "and in the next run");
    assert_eq!(proxy.sent().len(), 1);
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_with_other_signers_is_the_same_publication() {
    let stage = Stage::on_devchain().await;
    let folder = folder();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let others = stage.certificate_of_others(&certificate);
    assert_ne!(certificate.encode_l1(), others.encode_l1());
    let first = publisher.publish(&certificate).await.unwrap();
    assert_eq!(publisher.publish(&others).await.unwrap(), first);
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (folder(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    drop(publisher);
    proxy.heal();

    let records = records(folder.path());
    let path = records.join(format!("{id}.json").trim_start_matches("0x"));
    let whole = fs::read(&path).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    for damaged in [&whole[..whole.len() / 2], &[], b"{}", &flipped] {
        fs::write(&path, damaged).unwrap();
        let error = stage.publisher_with(&proxy.url, quick(folder.path())).await.unwrap_err();
        assert!(matches!(&error, Error::BadJournal { path: bad, .. } if *bad == path), "{error}");
        assert!(error.to_string().contains("damaged journal"), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(fs::read(&path).unwrap(), damaged, "not repaired by forgetting");
    }
    // Its head alone is missing: whose records are they?
    fs::write(&path, &whole).unwrap();
    let head = fs::read(records.join("journal.json")).unwrap();
    fs::remove_file(records.join("journal.json")).unwrap();
    let error = stage.publisher_with(&proxy.url, quick(folder.path())).await.unwrap_err();
    assert!(matches!(error, Error::BadJournal { .. }), "{error}");
    assert!(proxy.sent().is_empty(), "nothing is sent over a damaged journal");

    fs::write(records.join("journal.json"), head).unwrap();
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_torn_by_a_crash_leaves_the_one_before() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let folder = folder();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let id = publisher.submit_certificate(&certificate).await.unwrap().id;
    publisher.drive().await.unwrap();
    drop(publisher);
    let path = records(folder.path()).join(format!("{id}.json").trim_start_matches("0x"));
    let whole = fs::read(&path).unwrap();
    // Of this one, which was to take its place, and of one that was never there.
    for torn in [path.with_extension("json.tmp"), path.with_file_name("00ff.json.tmp")] {
        fs::write(torn, &whole[..whole.len() - 7]).unwrap();
    }
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    assert_eq!(publisher.status(&id).unwrap().state, JobState::Sent);
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_user_of_the_journal_is_refused_until_the_first_is_gone() {
    let stage = Stage::on_devchain().await;
    let folder = folder();
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    let error = stage.publisher_with(&stage.url, quick(folder.path())).await.unwrap_err();
    assert!(matches!(&error, Error::JournalLocked { path } if *path == records(folder.path())), "{error}");
    assert!(error.is_retryable());
    let certificate = stage.certificate(1).await;
    publisher.publish(&certificate).await.unwrap();
    drop(publisher);
    let publisher = stage.publisher(&stage.url, folder.path()).await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_once_the_disk_has_failed() {
    let Some(stage) = Stage::on_anvil().await else { return };
    let (folder, proxy) = (folder(), Proxy::before(&stage.url).await);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    let certificate = stage.certificate(1).await;
    let job = stage.job(&certificate);
    publisher.submit(job.clone()).await.unwrap();
    // A folder where the next record is written to.
    let name = format!("{}.json.tmp", job.id);
    let in_the_way = records(folder.path()).join(name.trim_start_matches("0x"));
    fs::create_dir(&in_the_way).unwrap();
    let error = publisher.drive().await.unwrap_err();
    assert!(matches!(error, Error::Journal { .. }), "{error}");
    fs::remove_dir(&in_the_way).unwrap();
    let error = publisher.wait(&job.id, Until::Mined, std::time::Duration::from_secs(5)).await.unwrap_err();
    assert!(matches!(error, Error::Journal { .. }), "on the same handle no more: {error}");
    assert!(publisher.submit_certificate(&stage.certificate(2).await).await.is_err());
    assert!(proxy.sent().is_empty(), "what is not on disk is not sent");
    drop(publisher);

    proxy.rule(|_| Fault::None);
    let publisher = stage.publisher(&proxy.url, folder.path()).await;
    stage.ends_as_one(&publisher, &certificate, 1).await;
}
