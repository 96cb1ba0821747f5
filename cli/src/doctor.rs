//! `holdfast doctor`: asks everything that can be asked from here, and says what to do about what is wrong.

use std::path::Path;

use holdfast_client::{Client, MemberStatus, folded};
use holdfast_registry::{EpochRecord, Error, Registry};
use serde::Serialize;

use crate::{
    committee::check::CLOCK_TOLERANCE,
    config::{Config, remarks},
    exit::{Exit, exit_of, fail},
    output::Output,
    times::{human_time, now},
};

#[derive(Serialize)]
struct Examined {
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    says: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    todo: Option<String>,
    #[serde(skip)]
    exit: Option<Exit>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// Worth knowing; nothing fails for it.
    Note,
    Bad,
}

impl Examined {
    fn ok(&mut self, what: &'static str, says: impl Into<String>) {
        self.findings.push(Finding { what, state: State::Ok, says: says.into(), todo: None, exit: None });
    }

    fn note(&mut self, what: &'static str, says: impl Into<String>, todo: &str) {
        self.findings.push(Finding {
            what,
            state: State::Note,
            says: says.into(),
            todo: Some(todo.into()),
            exit: None,
        });
    }

    fn bad(&mut self, exit: Exit, what: &'static str, says: impl Into<String>, todo: &str) {
        let (says, todo) = (says.into(), Some(todo.into()));
        self.findings.push(Finding { what, state: State::Bad, says, todo, exit: Some(exit) });
    }

    fn failed(&mut self, what: &'static str, error: &anyhow::Error, todo: &str) {
        self.bad(exit_of(error), what, format!("{error:#}"), todo);
    }
}

pub(crate) async fn run(file: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let mut examined = Examined { findings: Vec::new() };
    for remark in remarks() {
        examined.note("environment", remark.to_string(), "unset it, or spell it as a setting");
    }
    let config = Config::load(file)?;
    match config.file() {
        Some(file) => examined.ok("configuration", file.display().to_string()),
        None => {
            examined.note("configuration", "no file; variables only", "write holdfast.toml, or name one with --config")
        }
    }
    l1(&config, &mut examined).await;
    match config.registry().await {
        Err(error) => examined.failed("registry", &error, "nothing else can be asked until this is mended"),
        Ok(registry) => {
            match registry.active_epoch(now()).await {
                Ok(record) => members(&config, &record, &mut examined).await,
                Err(Error::NoActiveEpoch { .. }) => examined.bad(
                    Exit::Unreachable,
                    "epoch",
                    "no committee epoch is active: nothing can be stored; what was stored can be read",
                    "governance proposes the next epoch (holdfast committee propose)",
                ),
                Err(error) => examined.failed("epoch", &error.into(), "holdfast l1 check"),
            }
            namespace(&config, registry.as_ref(), &mut examined).await;
        }
    }
    account(&config, &mut examined);
    output.print(&examined, text)?;
    let bad: Vec<&Finding> = examined.findings.iter().filter(|finding| finding.state == State::Bad).collect();
    match bad.first().and_then(|finding| finding.exit) {
        None => Ok(()),
        Some(exit) => {
            let what: Vec<&str> = bad.iter().map(|finding| finding.what).collect();
            fail(exit, format!("to be mended: {}", what.join(", ")))
        }
    }
}

async fn l1(config: &Config, examined: &mut Examined) {
    let Some((urls, registry, pinned)) = config.l1_parts() else {
        return examined.ok("L1", "none: the committee is in a file");
    };
    if let Err(error) = urls.check() {
        return examined.failed("L1", &error.into(), "correct [l1] rpc_url");
    }
    let report = holdfast_l1::check(urls.as_slice(), Some(registry), pinned).await;
    for problem in &report.problems {
        examined.bad(Exit::Unreachable, "L1", problem.clone(), "holdfast l1 check shows each node by itself");
    }
    if report.problems.is_empty() {
        let finalized = report.nodes.iter().filter_map(|node| node.finalized_age_seconds).max().unwrap_or(0);
        examined.ok("L1", format!("{} nodes answer; what is final is {finalized} s old", report.nodes.len()));
    }
    if let [_] = report.nodes.as_slice() {
        examined.note("L1", "one node is believed whatever it says", "name two or three of different operators");
    }
}

async fn members(config: &Config, record: &EpochRecord, examined: &mut Examined) {
    let committee = &record.committee;
    let (n, t) = (committee.parameters().total_shards(), committee.parameters().threshold());
    examined.ok("epoch", format!("{} of {n} members, {t} needed to store", committee.epoch()));
    let statuses = match status(config).await {
        Ok(statuses) => statuses,
        Err(error) => return examined.failed("members", &error, "holdfast status"),
    };
    let infos: Vec<_> = statuses.iter().filter_map(|status| status.info.as_ref().ok()).collect();
    let storing = infos.iter().filter(|info| info.writes_disabled.is_none()).count();
    let failures: Vec<_> = statuses.iter().filter_map(|status| status.info.as_ref().err().cloned()).collect();
    let mut says = format!("{storing} of {n} answer and store");
    for line in folded(&failures) {
        says += &format!("; {line}");
    }
    if storing < usize::from(t) {
        examined.bad(Exit::Unreachable, "members", says, "holdfast committee check says what is wrong with each");
    } else if storing < usize::from(n) {
        examined.note("members", says, "holdfast committee check says what is wrong with each");
    } else {
        examined.ok("members", says);
    }
    let mut offs: Vec<i64> = infos.iter().map(|info| info.clock_off).collect();
    offs.sort_unstable();
    match offs.get(offs.len() / 2) {
        Some(median) if median.unsigned_abs() > CLOCK_TOLERANCE => examined.bad(
            Exit::Other,
            "clock",
            format!("half of the members' clocks are {median:+} s or more from this machine's"),
            "set this machine's clock (NTP)",
        ),
        Some(_) => examined.ok("clock", "as the members'"),
        None => {}
    }
}

async fn status(config: &Config) -> anyhow::Result<Vec<MemberStatus>> {
    Ok(Client::builder().registry(config.registry().await?).build()?.status().await?)
}

async fn namespace(config: &Config, registry: &dyn Registry, examined: &mut Examined) {
    let Ok(namespace) = config.namespace(None) else {
        return examined.note("namespace", "none is configured: reading needs none", "set namespace, to store");
    };
    let found = match registry.namespace(&namespace).await {
        Ok(found) => found,
        Err(Error::UnknownNamespace { .. }) => {
            return examined.bad(
                Exit::Usage,
                "namespace",
                format!("the registry has no namespace {namespace}"),
                "holdfast namespace create makes one, and says its id",
            );
        }
        Err(error) => return examined.failed("namespace", &error.into(), "holdfast l1 check"),
    };
    let span = humantime::format_duration(std::time::Duration::from_secs(found.min_retention_at(now())));
    examined.ok("namespace", format!("{namespace}, kept for {span} at least"));
    if found.hold_until > now() {
        let until = human_time(found.hold_until);
        examined.note("namespace", format!("the guardian holds it until {until}"), "ask its operator why");
    }
    if !config.disperses() {
        return examined.note(
            "disperser key",
            "none is configured: reading needs none",
            "set disperser_key_file, to store",
        );
    }
    match config.disperser_key() {
        Err(error) => examined.failed("disperser key", &error, "holdfast keys new --disperser makes one"),
        Ok(key) if found.dispersers.contains(&key.address()) => {
            examined.ok("disperser key", format!("{} disperses in the namespace", key.address()));
        }
        Ok(key) => examined.bad(
            Exit::Usage,
            "disperser key",
            format!("{} does not disperse in the namespace", key.address()),
            "its owner runs holdfast namespace allow ADDRESS",
        ),
    }
}

fn account(config: &Config, examined: &mut Examined) {
    if !config.publishes() {
        return examined.note(
            "L1 account",
            "none is configured: storing and reading need none",
            "set l1_key_file, to publish",
        );
    }
    match config.account(None) {
        Err(error) => return examined.failed("L1 account", &error, "correct l1_key_file and l1_password_file"),
        Ok(account) => examined.ok("L1 account", format!("{} (its balance was not asked for)", account.address())),
    }
    let journal = config.journal();
    // The first of its folders that is there; a file in its place is no folder.
    let there = journal.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let folder = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    match tempfile::tempfile_in(folder) {
        Ok(_) => examined.ok("L1 journal", journal.display().to_string()),
        Err(error) => examined.bad(
            Exit::Usage,
            "L1 journal",
            format!("{} cannot be written: {error}", folder.display()),
            "set l1_journal to a folder that can",
        ),
    }
}

fn text(examined: &Examined) -> String {
    let mut text = String::new();
    for finding in &examined.findings {
        let state = match finding.state {
            State::Ok => "ok  ",
            State::Note => "note",
            State::Bad => "BAD ",
        };
        text += &format!("{state}  {}: {}\n", finding.what, finding.says);
        if let Some(todo) = &finding.todo {
            text += &format!("      -> {todo}\n");
        }
    }
    text
}
