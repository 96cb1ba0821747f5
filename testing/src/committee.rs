use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use holdfast_certificate::{
    CommitteeFile, DisperserKey, FileMember, FileNamespace, Namespace, Registration, SecretKey,
};
use holdfast_committee::{Config, Member, Running, store::IfMissing};
use holdfast_registry::{FileRegistry, Registry};
use holdfast_transport::free_addresses;
use tempfile::TempDir;

use crate::line::{Front, Line};

/// The namespace of every such committee.
const NAMESPACE: [u8; 32] = [1; 32];

/// Why a committee, or one of its members, does not start or stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No folder, or no free port on loopback.
    #[error("this machine: {0}")]
    Machine(#[from] std::io::Error),
    /// The numbers make no committee.
    #[error(transparent)]
    Registry(#[from] holdfast_registry::Error),
    /// A member does not start or stop.
    #[error("the member in slot {slot}: {source}")]
    Member {
        /// Its slot.
        slot: u16,
        /// What is wrong.
        source: holdfast_committee::Error,
    },
    /// There is no such member, or it is not in the state that the call is for.
    #[error("slot {slot} has no member that {expected}")]
    Slot {
        /// The slot.
        slot: u16,
        /// `runs`, `is stopped` or `has a line`.
        expected: &'static str,
    },
}

/// How large a committee is, and how its members are set.
#[derive(Clone, Debug)]
pub struct Setup {
    members: u16,
    threshold: u16,
    original_shards: u16,
    max_payload: u32,
    min_retention: u64,
    lines: bool,
    change: Option<fn(&mut Config)>,
}

/// Five members of which four must sign, and two are enough to read.
impl Default for Setup {
    fn default() -> Self {
        Self {
            members: 5,
            threshold: 4,
            original_shards: 2,
            max_payload: 32 << 20,
            min_retention: 0,
            lines: false,
            change: None,
        }
    }
}

impl Setup {
    /// `n` members of which `t` must sign, and `k` are enough to read.
    #[must_use]
    pub fn of(members: u16, threshold: u16, original_shards: u16) -> Self {
        Self { members, threshold, original_shards, ..Self::default() }
    }

    /// The most bytes of a payload, 32 MiB otherwise.
    #[must_use]
    pub fn max_payload(self, max_payload: u32) -> Self {
        Self { max_payload, ..self }
    }

    /// The namespace's minimum retention in seconds, zero otherwise.
    #[must_use]
    pub fn min_retention(self, min_retention: u64) -> Self {
        Self { min_retention, ..self }
    }

    /// Puts a line before every member, for [`Committee::line`]. It costs a copy of all that is sent.
    #[must_use]
    pub fn lines(self) -> Self {
        Self { lines: true, ..self }
    }

    /// Changes the settings of every member before it starts, each time.
    #[must_use]
    pub fn settings(self, change: fn(&mut Config)) -> Self {
        Self { change: Some(change), ..self }
    }
}

/// A committee that runs in this process. Dropping it ends its members at once, and removes its folder.
#[derive(Debug)]
pub struct Committee {
    setup: Setup,
    file: CommitteeFile,
    registry: Arc<dyn Registry>,
    disperser: DisperserKey,
    seats: Vec<Seat>,
    folder: TempDir,
}

#[derive(Debug)]
struct Seat {
    key: SecretKey,
    address: SocketAddr,
    front: Option<Front>,
    running: Option<Running>,
}

impl Committee {
    /// Starts five members; see [`Setup`].
    ///
    /// # Errors
    /// [`Error::Machine`], [`Error::Member`].
    pub async fn start() -> Result<Self, Error> {
        Self::start_with(Setup::default()).await
    }

    /// Starts a committee.
    ///
    /// # Errors
    /// [`Error::Registry`] for numbers that make no committee; [`Error::Machine`], [`Error::Member`].
    pub async fn start_with(setup: Setup) -> Result<Self, Error> {
        let folder = tempfile::tempdir()?;
        let addresses = free_addresses(setup.members.into())?.into_iter();
        let mut seats: Vec<Seat> =
            addresses.map(|address| Seat { key: SecretKey::generate(), address, front: None, running: None }).collect();
        if setup.lines {
            for seat in &mut seats {
                seat.front = Some(Front::to(seat.address).await?);
            }
        }
        let disperser = DisperserKey::generate();
        let members = (0..setup.members).zip(&seats).map(|(slot, seat)| FileMember {
            slot,
            public_key: seat.key.public_key(),
            proof_of_possession: seat.key.prove_possession(&Registration::WITHOUT_L1),
            account: None,
            endpoint: format!("http://{}", seat.front.as_ref().map_or(seat.address, Front::address)),
            tls_pin: None,
        });
        let file = CommitteeFile {
            chain_id: 0,
            registry: None,
            epoch: 1,
            original_shards: setup.original_shards,
            total_shards: setup.members,
            threshold: setup.threshold,
            max_payload: setup.max_payload,
            members: members.collect(),
            namespaces: vec![FileNamespace {
                id: Namespace::from(NAMESPACE),
                dispersers: vec![disperser.address()],
                min_retention: setup.min_retention,
            }],
        };
        let registry = Arc::new(FileRegistry::from_file(file.clone())?);
        let mut committee = Self { setup, file, registry, disperser, seats, folder };
        for slot in 0..committee.setup.members {
            committee.restart(slot).await?;
        }
        Ok(committee)
    }

    /// Where clients and members read who the committee is.
    #[must_use]
    pub fn registry(&self) -> Arc<dyn Registry> {
        Arc::clone(&self.registry)
    }

    /// The same as a file, for programs of their own.
    #[must_use]
    pub fn file(&self) -> &CommitteeFile {
        &self.file
    }

    /// A namespace that the committee serves.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        Namespace::from(NAMESPACE)
    }

    /// The key that may disperse in it.
    #[must_use]
    pub fn disperser(&self) -> DisperserKey {
        self.disperser.clone()
    }

    /// Where a member keeps its data.
    #[must_use]
    pub fn data_dir(&self, slot: u16) -> PathBuf {
        self.settings(slot, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).data_dir
    }

    /// Changes the line to a member.
    ///
    /// # Errors
    /// [`Error::Slot`] where none has one: [`Setup::lines`].
    pub fn line(&self, slot: u16, line: Line) -> Result<(), Error> {
        let front = self.seats.get(usize::from(slot)).and_then(|seat| seat.front.as_ref());
        front.ok_or(Error::Slot { slot, expected: "has a line" })?.set(line);
        Ok(())
    }

    /// Stops a member; the others go on.
    ///
    /// # Errors
    /// [`Error::Slot`] where none runs; [`Error::Member`].
    pub async fn stop(&mut self, slot: u16) -> Result<(), Error> {
        let running = self.seats.get_mut(usize::from(slot)).and_then(|seat| seat.running.take());
        let running = running.ok_or(Error::Slot { slot, expected: "runs" })?;
        running.stop().await.map_err(|source| Error::Member { slot, source })
    }

    /// Starts a member that was stopped, with its data, at its address. One without a data folder begins with an empty store.
    ///
    /// # Errors
    /// [`Error::Slot`] where none is stopped; [`Error::Member`].
    pub async fn restart(&mut self, slot: u16) -> Result<(), Error> {
        let seat = self.seats.get(usize::from(slot)).filter(|seat| seat.running.is_none());
        let seat = seat.ok_or(Error::Slot { slot, expected: "is stopped" })?;
        let config = self.settings(slot, seat.address);
        let member = Member::new(config, seat.key.clone(), self.registry()).if_missing(IfMissing::Create);
        let running = member.launch().await.map_err(|source| Error::Member { slot, source })?;
        self.seats[usize::from(slot)].running = Some(running);
        Ok(())
    }

    /// Stops all members that run, in order.
    ///
    /// # Errors
    /// [`Error::Member`]: the first that does not stop as it should.
    pub async fn close(mut self) -> Result<(), Error> {
        for slot in 0..self.setup.members {
            match self.stop(slot).await {
                Ok(()) | Err(Error::Slot { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn settings(&self, slot: u16, address: SocketAddr) -> Config {
        let mut config = Config::in_folder(address, &self.folder.path().join(format!("m{slot}")));
        if let Some(change) = self.setup.change {
            change(&mut config);
        }
        config
    }
}
