//! How often somebody may try to sign in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;

use bartizan_access::Rate;

use super::session::lock;

/// Most addresses that are remembered. One that comes when all places are taken shares what is left for everybody.
const MOST: usize = 4096;

/// So many attempts a minute, from one address and, where there is a limit to that, from all together.
pub(super) struct Limit {
    each: u32,
    all: Option<u32>,
    taken: Mutex<(Rate, HashMap<IpAddr, Rate>)>,
}

impl Limit {
    pub(super) fn new(each: u32, all: Option<u32>) -> Self {
        Self { each, all, taken: Mutex::new((Rate::full(), HashMap::new())) }
    }

    /// Whether one more may be made from an address. `now` is in milliseconds of a clock that cannot jump.
    pub(super) fn admits(&self, peer: IpAddr, now: u64) -> bool {
        let peer = block(peer);
        let mut taken = lock(&self.taken);
        let (all, by_peer) = &mut *taken;
        if by_peer.len() >= MOST {
            by_peer.retain(|_, rate| !rate.is_full(now));
        }
        let mut one = by_peer.get(&peer).copied().unwrap_or(Rate::full());
        if one.check(1, self.each, now).is_err() || self.all.is_some_and(|most| all.check(1, most, now).is_err()) {
            return false;
        }
        one.take(1, self.each, now);
        if let Some(most) = self.all {
            all.take(1, most, now);
        }
        if by_peer.len() < MOST || by_peer.contains_key(&peer) {
            by_peer.insert(peer, one);
        }
        true
    }
}

/// Whoever has one address of IPv6 has its whole /64.
fn block(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_locks_out_itself_and_many_are_slowed() {
        let limit = Limit::new(3, Some(5));
        let (a, b): (IpAddr, IpAddr) = ("2001:db8::1".parse().unwrap(), "2001:db8:0:1::1".parse().unwrap());
        let neighbour: IpAddr = "2001:db8::ffff".parse().unwrap();
        assert!(limit.admits(a, 0) && limit.admits(neighbour, 0) && limit.admits(a, 0));
        assert!(!limit.admits(neighbour, 0), "the same block");
        assert!(limit.admits(b, 0) && limit.admits(b, 0));
        assert!(!limit.admits(b, 0), "all together");
        assert!(limit.admits(a, 60_000), "and later again");
    }
}
