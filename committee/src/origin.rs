//! Where a call comes from: what shares of connections, memory and work go by.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

tokio::task_local! {
    static ORIGIN: Origin;
}

/// Whoever is behind one IPv4 address, or one /64 of IPv6: a customer of any provider has all of a /64, so counting by
/// single addresses would bound nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Origin(IpAddr);

impl Origin {
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(IpAddr::V4(address)),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self(IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)))
            }
        }
    }

    /// Where the call that runs in this task comes from; `None` for work of the member's own.
    pub(crate) fn current() -> Option<Self> {
        ORIGIN.try_with(|origin| *origin).ok()
    }

    /// Runs `work` for `origin`.
    pub(crate) async fn scope<T>(origin: Option<Self>, work: impl Future<Output = T>) -> T {
        match origin {
            Some(origin) => ORIGIN.scope(origin, work).await,
            None => work.await,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(address) => write!(f, "{address}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_customer_is_one_origin_and_a_mapped_ipv4_address_is_that_address() {
        let of = |text: &str| Origin::of(text.parse().expect("an address"));
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }

    #[tokio::test]
    async fn work_of_a_call_knows_its_origin_and_other_work_has_none() {
        let origin = Origin::of("192.0.2.1".parse().expect("an address"));
        assert_eq!(Origin::current(), None);
        Origin::scope(Some(origin), async { assert_eq!(Origin::current(), Some(origin)) }).await;
        Origin::scope(None, async { assert_eq!(Origin::current(), None) }).await;
    }
}
