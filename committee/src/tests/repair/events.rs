//! Statements of which a member learns from L1 alone: every peer has forgotten to list them, or lies by leaving them out.

use holdfast_certificate::{Address, Certificate, VerifiedCertificate};
use holdfast_erasure::Digest;
use holdfast_registry::{Position, Publication, Since};

use super::{
    super::*,
    ALL, OTHER,
    committee::{Chain, Committee},
};
use crate::store::ListRead;

impl Committee {
    /// With an L1 beside it, and lists in which the member `SLOT` finds nothing from now on.
    async fn with_chain() -> Self {
        let committee = Self::start().await;
        committee.set_chain(Some(Chain { block: 10, time: committee.clock.now(), ..Chain::default() }));
        committee
    }

    fn set_chain(&self, chain: Option<Chain>) {
        *self.registry.chain.lock().expect("no panic") = chain;
    }

    fn chain<T>(&self, look: impl FnOnce(&mut Chain) -> T) -> T {
        look(self.registry.chain.lock().expect("no panic").as_mut().expect("a chain"))
    }

    /// Stops the member as one that has read every list to an end behind which its peers show nothing.
    async fn down_and_shown_nothing(&mut self) {
        self.shown_nothing(ALL).await;
        self.down(SLOT).await;
    }

    /// The same in search of these namespaces, and it goes on.
    async fn shown_nothing(&self, served: Digest) {
        for (slot, peer) in &self.members {
            let (key, place) = (self.world.secrets[usize::from(*slot)].public_key(), Bytes::from_static(&[0x7f; 8]));
            let read = ListRead { begun: self.clock.now(), store: *peer.store().id().as_bytes(), served, place };
            self.members[&SLOT].store().record_list_read(&key, read).await.expect("recorded");
        }
    }

    /// Starts the member for these namespaces.
    async fn up_for(&mut self, namespaces: &[Namespace]) -> Digest {
        let mut config = self.config(SLOT);
        config.policy.namespaces = namespaces.to_vec();
        let served = config.policy.served();
        let running = self.member(SLOT, config, IfMissing::Create).launch().await.expect("starts");
        self.registry.put(SLOT, running.endpoint());
        self.members.insert(SLOT, running);
        served
    }

    fn event_of(&self, certificate: &Certificate) -> impl FnOnce(Position) -> Publication + use<> {
        let (statement, digest) = (certificate.statement, certificate.digest(&self.world.registry.domain()));
        move |position| Publication {
            position,
            blob_id: statement.blob.id(),
            namespace: statement.namespace,
            payload_digest: statement.blob.payload_digest,
            publisher: Address::ZERO,
            statement: digest,
            epoch: statement.epoch,
            retain_until: statement.retain_until,
        }
    }

    /// L1 has this certificate, and shows it in the transaction or does not.
    fn publish(&self, certificate: &VerifiedCertificate, shown: bool) {
        let event = self.event_of(certificate);
        self.chain(|chain| chain.publish(event, shown.then(|| certificate.into_inner())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_every_peer_forgot_to_list_is_made_whole_on_account_of_its_event_alone() {
    let mut committee = Committee::with_chain().await;
    committee.down_and_shown_nothing().await;
    let payloads = [1, 2, 3].map(|seed| payload(40_000, seed));
    let mut put = Vec::new();
    for (payload, dispersal) in payloads.iter().zip([Dispersal::ByShard, Dispersal::ByPayload, Dispersal::ByShard]) {
        put.push(committee.put(payload.clone(), dispersal).await);
    }
    // One with its certificate in the transaction, one without, and one that was not published.
    committee.publish(&put[0], true);
    committee.publish(&put[1], false);
    committee.up(SLOT).await;
    committee.until_held(SLOT, &put[0]).await;
    committee.until_held(SLOT, &put[1]).await;
    assert!(!committee.holds(SLOT, &put[2]).await, "no list shows it");
    committee.publish(&put[2], true);
    committee.until_held(SLOT, &put[2]).await;
    committee.only([SLOT, OTHER]).await;
    for (certificate, payload) in put.iter().zip(&payloads) {
        committee.reads(certificate, payload).await;
    }
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_finalized_block_is_one_question_and_a_restart_reads_on() {
    let mut committee = Committee::with_chain().await;
    let certificate = committee.put(payload(20_000, 1), Dispersal::ByShard).await;
    for slot in 0..MEMBERS {
        committee.until_held(slot, &certificate).await;
    }
    // What is here costs no question more.
    committee.publish(&certificate, true);
    let block = committee.chain(|chain| chain.block);
    let read = |committee: &Committee| committee.members[&SLOT].store().events_read(ALL);
    until(|| read(&committee) == Some(block + 1)).await;
    assert_eq!(committee.chain(|chain| chain.transactions), 0);
    committee.only([SLOT, OTHER]).await;
    committee.down(OTHER).await;
    committee.chain(|chain| chain.asked.clear());
    for more in 1..4 {
        committee.chain(|chain| chain.block += 1);
        until(|| read(&committee) == Some(block + more + 1)).await;
        // Rounds in which nothing is new.
        let looked = committee.chain(|chain| chain.looked);
        until(|| committee.chain(|chain| chain.looked) > looked + 5).await;
    }
    let asked = |from: u64| (from..from + 3).map(Since::Block).collect::<Vec<_>>();
    assert_eq!(committee.chain(|chain| chain.asked.clone()), asked(block + 1));
    committee.down(SLOT).await;
    committee.chain(|chain| {
        chain.asked.clear();
        chain.block += 1;
    });
    committee.up(SLOT).await;
    until(|| read(&committee) == Some(block + 5)).await;
    assert_eq!(committee.chain(|chain| chain.asked.clone()), [Since::Block(block + 4)]);
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_makes_events_up_makes_the_member_fetch_nothing() {
    let mut committee = Committee::with_chain().await;
    committee.down_and_shown_nothing().await;
    let certificate = committee.put(payload(20_000, 1), Dispersal::ByShard).await;
    let sound = certificate.into_inner();
    let altered = |change: &dyn Fn(&mut Certificate)| {
        let mut altered = sound;
        change(&mut altered);
        altered
    };
    // Of nobody's blob, with a certificate that does not verify; of another epoch, namespace or time that is over, which are
    // not looked after at all.
    let forged = altered(&|it| it.statement.blob.shards_root = Digest::from([7; 32]));
    let longer = altered(&|it| it.statement.retain_until += HOUR);
    let of_another_epoch = altered(&|it| it.statement.epoch += 7);
    let foreign = altered(&|it| it.statement.namespace = Namespace::from([9; 32]));
    let over = altered(&|it| it.statement.retain_until = 3600);
    for lie in [forged, longer, of_another_epoch, foreign, over] {
        let event = committee.event_of(&lie);
        committee.chain(|chain| chain.publish(event, Some(lie)));
    }
    // An event of one statement, with the certificate of another in its transaction.
    let event = committee.event_of(&forged);
    committee.chain(|chain| chain.publish(event, Some(sound)));
    // The others, which serve every namespace, look after four of them.
    until(|| committee.chain(|chain| chain.transactions == 4 * usize::from(MEMBERS - 1))).await;
    committee.chain(|chain| chain.transactions = 0);
    let served = committee.up_for(&[committee.world.namespace]).await;
    until(|| committee.chain(|chain| chain.transactions >= 3)).await;
    // Behind all of them, what is true is made whole, and nothing else was begun.
    committee.publish(&certificate, true);
    committee.until_held(SLOT, &certificate).await;
    let progress = committee.progress(SLOT);
    assert_eq!((progress.repaired, progress.queued, progress.set_aside), (1, 0, 0), "{progress:?}");
    // What is true may have been in a peer's list before its event was looked after.
    let transactions = committee.chain(|chain| chain.transactions);
    assert!((3..=4).contains(&transactions), "each was looked after once: {transactions}");
    // Nothing is passed over: what could not be found is where the next start reads on.
    assert_eq!(committee.members[&SLOT].store().events_read(served), Some(11));
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn l1_that_is_away_is_not_asked_and_is_no_trouble_for_the_rest() {
    let mut committee = Committee::with_chain().await;
    committee.down_and_shown_nothing().await;
    let published = committee.put(payload(20_000, 1), Dispersal::ByShard).await;
    committee.publish(&published, true);
    committee.chain(|chain| {
        chain.away = Some("no node answers".to_owned());
        chain.asked.clear();
    });
    // From lists, read from their start, it becomes whole as before.
    committee.up(SLOT).await;
    for slot in (0..MEMBERS).filter(|slot| *slot != SLOT) {
        let key = committee.world.secrets[usize::from(slot)].public_key();
        let read = ListRead { begun: 1, store: [0; 16], served: ALL, place: Bytes::new() };
        committee.members[&SLOT].store().record_list_read(&key, read).await.expect("recorded");
    }
    assert!(!committee.holds(SLOT, &published).await);
    committee.down(SLOT).await;
    committee.up(SLOT).await;
    committee.until_held(SLOT, &published).await;
    assert_eq!(committee.chain(|chain| chain.asked.clone()), [], "it is not asked");
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_namespace_that_is_served_from_now_on_are_read_back() {
    let mut committee = Committee::with_chain().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(20_000, 1), Dispersal::ByShard).await;
    committee.publish(&certificate, true);
    let (first, added) = (Namespace::from([9; 32]), committee.world.namespace);
    let served = committee.up_for(&[first]).await;
    let next = committee.chain(|chain| chain.block) + 1;
    until(|| committee.members[&SLOT].store().events_read(served) == Some(next)).await;
    assert!(!committee.holds(SLOT, &certificate).await, "nobody asked it to serve that");
    // Lists do not show it, as far as both namespaces go.
    let both = crate::config::Policy { namespaces: vec![added, first], ..committee.config(SLOT).policy }.served();
    committee.shown_nothing(both).await;
    committee.down(SLOT).await;
    // A start at which L1 is away reads nothing back; the next one does.
    committee.chain(|chain| (chain.away, chain.asked) = (Some("no node answers".to_owned()), Vec::new()));
    assert_eq!(committee.up_for(&[first, added]).await, both, "in whatever order");
    committee.down(SLOT).await;
    assert_eq!(committee.chain(|chain| chain.asked.clone()), []);
    committee.chain(|chain| chain.away = None);
    committee.up_for(&[first, added]).await;
    committee.until_held(SLOT, &certificate).await;
    until(|| committee.members[&SLOT].store().events_read(both) == Some(next)).await;
    let oldest = committee.clock.now() - committee.config(SLOT).policy.max_retention.as_secs();
    assert!(committee.chain(|chain| chain.asked.contains(&Since::Time(oldest))), "no further back than it can matter");
    // From then on it is read on, also by a restart.
    committee.down(SLOT).await;
    committee.chain(|chain| chain.asked.clear());
    committee.up_for(&[added, first]).await;
    committee.chain(|chain| chain.block += 1);
    until(|| committee.members[&SLOT].store().events_read(both) == Some(next + 1)).await;
    assert!(committee.chain(|chain| chain.asked.iter().all(|since| *since == Since::Block(next))));
    committee.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_back_for_a_namespace_that_is_served_from_now_on() {
    let mut committee = Committee::start().await;
    committee.down(SLOT).await;
    let certificate = committee.put(payload(20_000, 1), Dispersal::ByShard).await;
    let first = Namespace::from([9; 32]);
    let served = committee.up_for(&[first]).await;
    committee.shown_nothing(served).await;
    committee.down(SLOT).await;
    committee.up_for(&[first]).await;
    committee.down(SLOT).await;
    committee.up_for(&[first, committee.world.namespace]).await;
    committee.until_held(SLOT, &certificate).await;
    committee.stop().await;
}
