//! Making, starting and stopping a devnet. `holdfast demo` runs on the same functions.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context;
use holdfast_certificate::{
    Committee, CommitteeFile, CommitteeParameters, DisperserKey, FileMember, FileNamespace, Namespace, ProvenKey,
    Registration, SecretKey, keystore::Strength,
};
use holdfast_committee::store::Store;
use holdfast_devchain::DEV_KEYS;
use holdfast_erasure::keccak256;
use holdfast_l1::{ChainRegistry, Deployment, Publisher, PublisherOptions};
use holdfast_proto::v1::{dispersal_server, retrieval_server};
use holdfast_registry::Endpoint;
use holdfast_transport::tls;

use super::{
    L1Kind, UpArgs, gateway,
    l1::CHAIN_ID,
    process::{self, Launch},
    state::{Gateway, L1, Layout, Member, State},
};
use crate::{
    committee::{card::Pin, plan},
    exit::{Exit, fail},
    files, keys,
    output::progress,
    peers,
    shutdown::Shutdown,
    target, tls_pair,
};

/// How long a process may take until it serves.
const START_LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(25);
/// Seconds that a certificate's data must still be retained when L1 accepts it.
const MIN_RETENTION: u64 = 24 * 3600;
/// The salt of the namespace that `devnet up` makes.
const NAMESPACE: &[u8] = b"holdfast devnet";

/// The committee of a devnet where nothing else is said.
const MEMBERS: u16 = 7;
/// The most members of an epoch on L1: more keys than that are larger than a contract may be (protocol section 6).
const MOST_MEMBERS_ON_L1: u16 = 94;

/// Makes a devnet in a new folder and starts it. When it fails, nothing is left: what was started is stopped, what was written
/// removed; the error has the end of the log that matters.
pub(crate) async fn create(layout: &Layout, args: &UpArgs, tied: bool, shutdown: &Shutdown) -> anyhow::Result<State> {
    let (members, l1) = (args.members.unwrap_or(MEMBERS), args.l1.unwrap_or_default());
    let (t, k) = plan::default_for(members);
    let (t, k) = (args.threshold.unwrap_or(t), args.original_shards.unwrap_or(k));
    let parameters = plan::parameters(members, t, k, CommitteeParameters::DEFAULT_MAX_PAYLOAD)?;
    if l1 == L1Kind::Embedded && members > MOST_MEMBERS_ON_L1 {
        return fail(
            Exit::Usage,
            format!("{members} members, expected at most {MOST_MEMBERS_ON_L1} on L1; --l1 none takes up to 126"),
        );
    }
    args.check_tls(members)?;
    let is_new = !layout.dir().exists();
    if layout.dir().exists() && fs::read_dir(layout.dir())?.next().is_some() {
        return fail(Exit::Unsafe, format!("{} is not empty and holds no devnet", layout.dir().display()));
    }
    fs::create_dir_all(layout.dir()).with_context(|| format!("cannot make {}", layout.dir().display()))?;
    let mut state = State {
        version: 1,
        namespace: String::new(),
        threshold: t,
        original_shards: k,
        l1: None,
        members: Vec::new(),
        gateway: None,
    };
    let created = tokio::select! {
        created = fill(layout, args, parameters, tied, &mut state) => created,
        () = shutdown.requested() => fail(Exit::Other, "interrupted"),
    };
    if created.is_err() {
        stop_processes(&mut state).await;
        remove(layout.dir(), is_new);
    }
    created.map(|()| state)
}

/// Removes what a failed start has written: all that is in the folder, which was empty before.
fn remove(dir: &Path, is_new: bool) {
    let removed = if is_new {
        fs::remove_dir_all(dir)
    } else {
        fs::read_dir(dir).and_then(|mut entries| {
            entries.try_for_each(|entry| {
                let entry = entry?;
                let is_folder = entry.file_type()?.is_dir();
                if is_folder { fs::remove_dir_all(entry.path()) } else { fs::remove_file(entry.path()) }
            })
        })
    };
    if let Err(error) = removed {
        progress(format!("cannot remove {}: {error}", dir.display()));
    }
}

async fn fill(
    layout: &Layout,
    args: &UpArgs,
    parameters: CommitteeParameters,
    tied: bool,
    state: &mut State,
) -> anyhow::Result<()> {
    let (l1, protocols) = (args.l1.unwrap_or_default(), args.gateway.as_slice());
    let disperser = DisperserKey::generate();
    files::write_new_secret(&layout.disperser_key(), hex::encode(disperser.to_bytes().as_ref()).as_bytes())?;

    let members = parameters.total_shards();
    progress(format!("making {members} member keys"));
    let mut listens = free_addresses(usize::from(members) + 1 + protocols.len())?;
    if !protocols.is_empty() {
        state.gateway = Some(Gateway::new(protocols, listens.split_off(usize::from(members) + 1)));
    }
    let mut secrets = Vec::new();
    for slot in 0..members {
        let dir = layout.member_dir(slot);
        fs::create_dir_all(&dir)?;
        files::write_new_secret(
            &dir.join("password"),
            hex::encode(SecretKey::generate().to_bytes().as_ref()).as_bytes(),
        )?;
        let key = SecretKey::generate();
        keys::write_keystore(
            &dir.join("keystore.json"),
            &key,
            &files::password(&dir.join("password"))?,
            Strength::Development,
        )?;
        Store::create(&dir.join("data"), &key.public_key())?;
        secrets.push(key);
        let tls_pin = if args.speaks_tls(slot) { Some(write_tls(&dir)?) } else { None };
        let network = args.network.as_ref();
        let listen = &listens[usize::from(slot) + 1];
        state.members.push(Member {
            slot,
            listen: network.map_or(Ok(listen.clone()), |network| elsewhere(listen, network.address))?,
            process: None,
            tied,
            faults: Vec::new(),
            tls_pin,
            through: network.map(|network| network.through.clone()).unwrap_or_default(),
        });
    }

    let (committee, namespace) = match l1 {
        L1Kind::Embedded => {
            let l1 = L1 { listen: listens[0].clone(), chain_id: CHAIN_ID, registry: String::new(), process: None };
            let url = l1.url();
            start_l1(layout, state.l1.insert(l1), tied).await?;
            let (committee, namespace) = register(layout, state, &url, parameters, &secrets, &disperser).await?;
            (committee, namespace)
        }
        L1Kind::None => {
            let keys = secrets
                .iter()
                .map(|key| {
                    let proof = key.prove_possession(&Registration::WITHOUT_L1);
                    ProvenKey::check(key.public_key(), proof, &Registration::WITHOUT_L1)
                })
                .collect::<Result<Vec<_>, _>>()?;
            (Committee::off_chain(1, parameters, keys)?, Namespace::from(*keccak256(NAMESPACE).as_bytes()))
        }
    };
    state.namespace = namespace.to_string();
    write_committee_file(layout, state, &committee, &secrets, namespace, &disperser)?;
    write_configs(layout, state)?;
    gateway::write_config(layout, state)?;
    start_members(layout, state, tied).await?;
    gateway::start(layout, state, tied).await?;
    state.save(layout)
}

/// Starts every process of a stopped devnet on its old data.
pub(crate) async fn restart(layout: &Layout, state: &mut State, tied: bool, shutdown: &Shutdown) -> anyhow::Result<()> {
    let start = async {
        if let Some(l1) = &mut state.l1 {
            start_l1(layout, l1, tied).await?;
        }
        start_members(layout, state, tied).await?;
        gateway::start(layout, state, tied).await
    };
    let started = tokio::select! {
        started = start => started,
        () = shutdown.requested() => fail(Exit::Other, "interrupted"),
    };
    if started.is_err() {
        stop_processes(state).await;
    }
    state.save(layout)?;
    started
}

/// Stops every process: the gateway, the members, the L1.
pub(crate) async fn stop(layout: &Layout, state: &mut State) -> anyhow::Result<()> {
    stop_processes(state).await;
    state.save(layout)
}

/// In which circumstances a member is started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Start {
    /// Behind a line: it listens there, and not where it is reached.
    pub(crate) behind: Option<String>,
    /// The program that runs it on a disk that is full.
    pub(crate) full: Option<Vec<String>>,
    /// By how many seconds its clock is wrong.
    pub(crate) clock: Option<i64>,
}

impl Start {
    /// Whether it is to sign as soon as it is up; otherwise it is enough that it can be read.
    fn signs(&self) -> bool {
        self.full.is_none() && self.clock.is_none()
    }
}

/// Starts one member that is down, and waits until it serves.
pub(crate) async fn start_member(layout: &Layout, state: &mut State, name: &str, tied: bool) -> anyhow::Result<()> {
    start_member_as(layout, state, name, tied, &Start::default()).await
}

/// The same in other circumstances.
pub(crate) async fn start_member_as(
    layout: &Layout,
    state: &mut State,
    name: &str,
    tied: bool,
    start: &Start,
) -> anyhow::Result<()> {
    let member = state.member_mut(name)?;
    if member.is_running() {
        return fail(Exit::Usage, format!("{name} is running"));
    }
    spawn_member(layout, member, tied, start)?;
    let member = member.clone();
    state.save(layout)?;
    wait_serving(layout, &member, start).await
}

async fn stop_processes(state: &mut State) {
    if let Some(process) = state.gateway.as_mut().and_then(|gateway| gateway.process.take()) {
        process.stop().await;
    }
    let members = state.members.iter_mut().filter_map(|member| member.process.take());
    let stopping: Vec<_> = members.map(|process| async move { process.stop().await }).collect();
    futures::future::join_all(stopping).await;
    if let Some(process) = state.l1.as_mut().and_then(|l1| l1.process.take()) {
        process.stop().await;
    }
}

async fn start_members(layout: &Layout, state: &mut State, tied: bool) -> anyhow::Result<()> {
    progress(format!("starting {} members", state.members.len()));
    for member in &mut state.members {
        spawn_member(layout, member, tied, &Start::default())?;
    }
    for member in &state.members {
        wait_serving(layout, member, &Start::default()).await?;
    }
    Ok(())
}

fn spawn_member(layout: &Layout, member: &mut Member, tied: bool, start: &Start) -> anyhow::Result<()> {
    let config = layout.member_config(member.slot);
    let config = config.to_str().context("the devnet's path is not UTF-8")?;
    let seconds = start.clock.unwrap_or_default().to_string();
    let arguments = match start.clock {
        Some(_) => vec!["--config", config, "devnet", "clock", "--seconds", &seconds],
        None => vec!["--config", config, "member", "run"],
    };
    let environment: Vec<_> = start.behind.iter().map(|address| ("HOLDFAST_MEMBER_LISTEN", address.as_str())).collect();
    let log = layout.log(&member.name());
    let through = [&member.through, start.full.as_deref().unwrap_or_default()].concat();
    let launch = Launch { tied, environment: &environment, through: &through, ..Launch::new(&arguments, &log) };
    member.tied = tied;
    member.process = Some(process::start(&launch)?);
    Ok(())
}

async fn wait_serving(layout: &Layout, member: &Member, start: &Start) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_LIMIT;
    let address = start.behind.as_deref().unwrap_or(&member.listen);
    let service = if start.signs() { dispersal_server::SERVICE_NAME } else { retrieval_server::SERVICE_NAME };
    loop {
        if serves(&member.endpoint_at(address), member, service).await {
            return Ok(());
        }
        if !member.is_running() || Instant::now() > deadline {
            let log = layout.log(&member.name());
            return fail(
                Exit::Other,
                format!("{} does not serve; the end of {}:\n{}", member.name(), log.display(), process::tail(&log)),
            );
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn serves(url: &str, member: &Member, service: &str) -> bool {
    let endpoint = Endpoint { url: url.to_owned(), tls_pin: member.tls_pin.map(|pin| pin.0) };
    let Ok(channel) = peers::connect(&endpoint, None).await else { return false };
    let answer = tokio::time::timeout(Duration::from_secs(1), peers::serves(channel, service)).await;
    matches!(answer, Ok(Ok(true)))
}

async fn start_l1(layout: &Layout, l1: &mut L1, tied: bool) -> anyhow::Result<()> {
    progress("starting the embedded L1");
    let chain_log = layout.chain_log();
    let chain_log = chain_log.to_str().context("the devnet's path is not UTF-8")?;
    let log = layout.log("l1");
    let process = process::start(&Launch {
        tied,
        ..Launch::new(&["devnet", "l1", "--listen", &l1.listen, "--state", chain_log], &log)
    })?;
    // Noted at once, so that it is stopped even when the wait is cut short.
    l1.process = Some(process.clone());
    let deadline = Instant::now() + START_LIMIT;
    while tokio::net::TcpStream::connect(&l1.listen).await.is_err() {
        if !process.is_running() || Instant::now() > deadline {
            return fail(
                Exit::Other,
                format!("the L1 does not serve; the end of {}:\n{}", log.display(), process::tail(&log)),
            );
        }
        tokio::time::sleep(POLL).await;
    }
    Ok(())
}

/// Deploys the registry; registers each member's key and endpoint from the member's account; makes epoch 1 and the
/// namespace; and waits until all are final.
async fn register(
    layout: &Layout,
    state: &mut State,
    url: &str,
    parameters: CommitteeParameters,
    secrets: &[SecretKey],
    disperser: &DisperserKey,
) -> anyhow::Result<(Committee, Namespace)> {
    progress("deploying the registry, registering keys and committee");
    let governance = DEV_KEYS[0];
    files::write_new_secret(&layout.l1_key(), hex::encode(governance).as_bytes())?;
    let account = DisperserKey::from_bytes(&governance)?.address();
    let deployment = Deployment { governance: account, guardian: account, delay: 0, overlap: 0 };
    let (governor, _) = Publisher::deploy(url, &governance, deployment, PublisherOptions::default()).await?;
    let registry = governor.registry();
    if let Some(l1) = state.l1.as_mut() {
        l1.registry = registry.to_string();
    }
    let mut members = Vec::new();
    for (member, secret) in state.members.iter().zip(secrets) {
        let key = account_key(member.slot);
        files::write_new_secret(&layout.member_dir(member.slot).join("account.key"), hex::encode(key).as_bytes())?;
        let owner = Publisher::connect(url, registry, &key).await?;
        let proof = secret.prove_possession(&owner.registration());
        owner.register_key(&secret.public_key(), &proof).await?;
        owner.set_endpoint(&secret.public_key(), &member.endpoint(), member.tls_pin.map(|pin| pin.0)).await?;
        members.push((secret.public_key(), owner.account()));
    }
    let (epoch, _) = governor.propose_epoch(&members, &parameters, None).await?;
    let salt = *keccak256(NAMESPACE).as_bytes();
    let (namespace, receipt) = governor.create_namespace(salt, MIN_RETENTION, &[disperser.address()]).await?;
    progress("waiting until L1 has finalized them");
    governor.wait_final(receipt.block, START_LIMIT).await?;
    let record = ChainRegistry::connect(url, registry).await?.epoch(epoch).await?;
    Ok((Committee::clone(&record.committee), namespace))
}

fn write_committee_file(
    layout: &Layout,
    state: &State,
    committee: &Committee,
    secrets: &[SecretKey],
    namespace: Namespace,
    disperser: &DisperserKey,
) -> anyhow::Result<()> {
    let member = |(member, secret): (&Member, &SecretKey)| -> anyhow::Result<FileMember> {
        let registration = match &state.l1 {
            None => Registration::WITHOUT_L1,
            Some(_) => Registration {
                domain: *committee.domain(),
                account: DisperserKey::from_bytes(&account_key(member.slot))?.address(),
            },
        };
        Ok(FileMember {
            slot: member.slot,
            public_key: secret.public_key(),
            proof_of_possession: secret.prove_possession(&registration),
            account: state.l1.as_ref().map(|_| registration.account),
            endpoint: member.endpoint(),
            tls_pin: member.tls_pin.map(|pin| pin.0),
        })
    };
    let members = state.members.iter().zip(secrets).map(member).collect::<anyhow::Result<_>>()?;
    let namespace =
        FileNamespace { id: namespace, dispersers: vec![disperser.address()], min_retention: MIN_RETENTION };
    let parameters = committee.parameters();
    let file = CommitteeFile {
        chain_id: committee.domain().chain_id,
        registry: Some(committee.domain().registry),
        epoch: committee.epoch(),
        original_shards: parameters.original_shards(),
        total_shards: parameters.total_shards(),
        threshold: parameters.threshold(),
        max_payload: parameters.max_payload(),
        members,
        namespaces: vec![namespace],
    };
    target::write(&layout.committee_file(), file.to_json().as_bytes())
}

/// Makes a member's TLS key and its certificate, and gives its pin.
fn write_tls(dir: &Path) -> anyhow::Result<Pin> {
    let pair = tls::generate(vec!["127.0.0.1".to_owned()], None)?;
    files::write_new_secret(&dir.join(tls_pair::KEY), pair.key.as_bytes())?;
    target::write(&dir.join(tls_pair::CERTIFICATE), pair.certificate.as_bytes())?;
    Ok(Pin(pair.pin))
}

/// The account that registers the key of a slot's member.
fn account_key(slot: u16) -> [u8; 32] {
    DEV_KEYS[1 + usize::from(slot) % (DEV_KEYS.len() - 1)]
}

/// The same port of another address.
fn elsewhere(listen: &str, address: IpAddr) -> anyhow::Result<String> {
    let listen: SocketAddr = listen.parse().context("an address")?;
    Ok(SocketAddr::new(address, listen.port()).to_string())
}

/// Writes every member's configuration and the client's.
fn write_configs(layout: &Layout, state: &State) -> anyhow::Result<()> {
    let source = |base: &str| match &state.l1 {
        Some(l1) => format!("[l1]\nrpc_url = \"{}\"\nregistry = \"{}\"\n", l1.url(), l1.registry),
        None => format!("committee_file = \"{base}committee.json\"\n"),
    };
    for member in &state.members {
        let tls = match member.tls_pin {
            Some(_) => format!("\n{}", tls_pair::table()),
            None => String::new(),
        };
        // In a network of its own nobody else is.
        let plain = if tls.is_empty() && !member.through.is_empty() { "insecure_plaintext = true\n" } else { "" };
        let text = format!(
            "# A member of a devnet.\nlisten = \"{}\"\ndata_dir = \"data\"\nkeystore = \"keystore.json\"\npassword_file = \"password\"\n{plain}{}{}",
            member.listen,
            source("../"),
            tls,
        );
        target::write(&layout.member_config(member.slot), text.as_bytes())?;
    }
    let l1_key = if state.l1.is_some() { "l1_key_file = \"l1.key\"\n" } else { "" };
    let text = format!(
        "# For holdfast put, get, cert and status on this devnet.\nnamespace = \"{}\"\ndisperser_key_file = \"disperser.key\"\n{l1_key}{}",
        state.namespace,
        source(""),
    );
    target::write(&layout.client_config(), text.as_bytes())
}

/// A loopback address that nothing listens on.
pub(crate) fn free_address() -> anyhow::Result<String> {
    free_addresses(1)?.pop().context("no free address")
}

fn free_addresses(count: usize) -> anyhow::Result<Vec<String>> {
    Ok(holdfast_transport::free_addresses(count)?.iter().map(ToString::to_string).collect())
}
