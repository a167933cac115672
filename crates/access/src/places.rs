//! Places among the requests in flight, shared fairly between tenants.

use std::collections::HashMap;

use bartizan_core::TenantId;

/// How long a tenant that asked keeps its claim to a share, in milliseconds.
const CLAIM: u64 = 10_000;

/// Most tenants with a claim that are remembered.
const CLAIMS: usize = 10_000;

/// Who holds how many places.
///
/// A tenant alone may hold seven eighths of them, so that one that comes in finds a place at once. Where places are
/// half used up, each tenant that asked lately may hold an equal share.
#[derive(Debug, Default)]
pub struct Places {
    held: HashMap<TenantId, Held>,
    total: usize,
}

#[derive(Debug)]
struct Held {
    places: usize,
    asked: u64,
}

impl Places {
    /// Takes a place out of `all`, where the tenant may have one. Every place taken is given back with
    /// [`Self::leave`]. `walls` says whether there may be other tenants at all; without, every place may be taken.
    /// `now` is in milliseconds of a clock that cannot jump.
    pub fn enter(&mut self, tenant: &TenantId, all: usize, walls: bool, now: u64) -> bool {
        if self.total >= all {
            return false;
        }
        if self.held.len() >= CLAIMS {
            self.held.retain(|_, held| held.places > 0 || held.asked.saturating_add(CLAIM) > now);
        }
        let own = self.held.get(tenant).map_or(0, |held| held.places);
        let mut allowed = all;
        if walls {
            allowed = all - (all / 8).min(all.saturating_sub(1));
            if self.total >= all / 2 {
                let others = |(name, held): &(&TenantId, &Held)| {
                    *name != tenant && (held.places > 0 || held.asked.saturating_add(CLAIM) > now)
                };
                let claims = 1 + self.held.iter().filter(others).count();
                allowed = allowed.min(all / claims).max(1);
            }
        }
        let enters = own < allowed;
        if self.held.len() < CLAIMS || self.held.contains_key(tenant) {
            let held = self.held.entry(tenant.clone()).or_insert(Held { places: 0, asked: now });
            held.asked = now;
            held.places += usize::from(enters);
        } else if enters {
            return false;
        }
        self.total += usize::from(enters);
        enters
    }

    /// Gives a place back.
    pub fn leave(&mut self, tenant: &TenantId) {
        if let Some(held) = self.held.get_mut(tenant)
            && held.places > 0
        {
            held.places -= 1;
            self.total = self.total.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::authenticated(name).unwrap()
    }

    #[test]
    fn a_greedy_tenant_leaves_room_for_others_and_shares_with_them() {
        let mut places = Places::default();
        let (a, b) = (tenant("a"), tenant("b"));
        let taken = (0..1000).filter(|_| places.enter(&a, 80, true, 0)).count();
        assert_eq!(taken, 70);
        assert_eq!((0..1000).filter(|_| places.enter(&b, 80, true, 1)).count(), 10);
        for _ in 0..40 {
            places.leave(&a);
        }
        // Half of all is the share of each, and `a` asks first.
        assert_eq!((0..1000).filter(|_| places.enter(&a, 80, true, 2)).count(), 10);
        assert_eq!((0..1000).filter(|_| places.enter(&b, 80, true, 3)).count(), 30);
        assert_eq!(places.total, 80);
    }

    #[test]
    fn without_tenants_every_place_may_be_taken() {
        let mut places = Places::default();
        assert_eq!((0..100).filter(|_| places.enter(&TenantId::sole(), 8, false, 0)).count(), 8);
        places.leave(&TenantId::sole());
        assert!(places.enter(&TenantId::sole(), 8, false, 0));
    }

    #[test]
    fn a_claim_lapses() {
        let mut places = Places::default();
        let (a, b) = (tenant("a"), tenant("b"));
        assert!(places.enter(&b, 8, true, 0));
        places.leave(&b);
        assert_eq!((0..100).filter(|_| places.enter(&a, 8, true, 1)).count(), 4);
        assert_eq!((0..100).filter(|_| places.enter(&a, 8, true, CLAIM + 1)).count(), 3);
    }
}
