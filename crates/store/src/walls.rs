//! Nothing of one tenant is ever visible to another, through any method of any trait.
//!
//! [`Walled`] implements every trait by hand, without defaults: a new method does not compile until it says here how it
//! keeps the wall. Each answer is searched for the marks of the other tenant, which all its data carries.

use std::fmt::Debug;

use bartizan_core::store::StoreFuture;
use bartizan_core::{
    Act, ChainStore, Deed, Destroyed, Direction, Event, EventQuery, EventStore, Head, KeyPurpose, Protocol, Record,
    RuleId, Sealed, SealedContent, SealedStore, StoreError, Tally, TenantId, Verdict, WrappedKey,
};
use proptest::prelude::*;

use crate::database::Database;
use crate::evidence::Store;
use crate::places::{File, Place, Schema};

/// A store that looks at what comes out of it.
struct Walled<D>(Store<D>);

/// Fails where an answer for one tenant holds a mark of the other.
fn look<T: Debug>(tenant: &TenantId, answer: Result<T, StoreError>) -> Result<T, StoreError> {
    let other = if tenant.as_str() == "a" { "mark-b" } else { "mark-a" };
    let text = format!("{answer:?}");
    assert!(!text.contains(other), "tenant {tenant} sees {text}");
    answer
}

impl<D: Database> EventStore for Walled<D> {
    fn append(&self, event: Event) -> StoreFuture<'_, ()> {
        self.0.append(event)
    }
    fn act(&self, act: Act) -> StoreFuture<'_, ()> {
        self.0.act(act)
    }
    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move { look(tenant, self.0.recent(tenant, limit).await) })
    }
    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>> {
        Box::pin(async move { look(tenant, self.0.get(tenant, id).await) })
    }
    fn query<'a>(&'a self, tenant: &'a TenantId, query: &'a EventQuery) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move { look(tenant, self.0.query(tenant, query).await) })
    }
    fn tally<'a>(&'a self, tenant: &'a TenantId, since: &'a str) -> StoreFuture<'a, Tally> {
        Box::pin(async move { look(tenant, self.0.tally(tenant, since).await) })
    }
    fn exchange<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move { look(tenant, self.0.exchange(tenant, id).await) })
    }
    fn acts<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Act>> {
        Box::pin(async move { look(tenant, self.0.acts(tenant, limit).await) })
    }
    // What takes no tenant belongs to the operator: it is not for answers to callers.
    fn after(&self, seq: Option<u64>, limit: u32) -> StoreFuture<'_, Vec<Record>> {
        self.0.after(seq, limit)
    }
    fn ready(&self) -> StoreFuture<'_, ()> {
        self.0.ready()
    }
    fn verify(&self) -> StoreFuture<'_, u64> {
        self.0.verify()
    }
}

impl<D: Database> ChainStore for Walled<D> {
    fn head(&self) -> StoreFuture<'_, Head> {
        self.0.head()
    }
    fn hashes(&self, from: u64, limit: u32) -> StoreFuture<'_, Vec<(u64, String)>> {
        self.0.hashes(from, limit)
    }
    fn first(&self) -> StoreFuture<'_, Option<u64>> {
        self.0.first()
    }
    fn first_since<'a>(&'a self, time: &'a str) -> StoreFuture<'a, Option<u64>> {
        self.0.first_since(time)
    }
    fn last_act(&self, deed: Deed) -> StoreFuture<'_, Option<Act>> {
        self.0.last_act(deed)
    }
    fn prune(&self, before: u64, act: Act) -> StoreFuture<'_, ()> {
        self.0.prune(before, act)
    }
}

impl<D: Database> SealedStore for Walled<D> {
    fn put_sealed(&self, event: Event, content: Vec<SealedContent>) -> StoreFuture<'_, ()> {
        self.0.put_sealed(event, content)
    }
    fn sealed<'a>(&'a self, tenant: &'a TenantId, event: &'a str) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(async move { look(tenant, self.0.sealed(tenant, event).await) })
    }
    fn list_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        since: &'a str,
        after: &'a str,
        limit: u32,
    ) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move { look(tenant, self.0.list_sealed(tenant, since, after, limit).await) })
    }
    fn sealed_exchange<'a>(&'a self, tenant: &'a TenantId, exchange: &'a str) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(async move { look(tenant, self.0.sealed_exchange(tenant, exchange).await) })
    }
    fn put_key(&self, key: WrappedKey) -> StoreFuture<'_, WrappedKey> {
        let tenant = key.tenant.clone();
        Box::pin(async move { look(&tenant, self.0.put_key(key).await) })
    }
    fn key<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move { look(tenant, self.0.key(tenant, id).await) })
    }
    fn live_key<'a>(
        &'a self,
        tenant: &'a TenantId,
        purpose: KeyPurpose,
        day: &'a str,
    ) -> StoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move { look(tenant, self.0.live_key(tenant, purpose, day).await) })
    }
    fn destroy_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        before: Option<&'a str>,
        act: Act,
    ) -> StoreFuture<'a, Destroyed> {
        self.0.destroy_sealed(tenant, before, act)
    }
    fn sealed_tenants<'a>(&'a self, before: &'a str) -> StoreFuture<'a, Vec<TenantId>> {
        self.0.sealed_tenants(before)
    }
}

fn tenant(name: &str) -> TenantId {
    TenantId::authenticated(name).unwrap()
}

/// One step of the two tenants' life. Ids and exchanges come from a small set that both share, so that they collide.
#[derive(Clone, Debug)]
enum Step {
    Decide { who: bool, n: u8, sealed: bool },
    Act { who: bool, n: u8 },
    Erase { who: bool, day: Option<u8> },
    Ask { who: bool, n: u8 },
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..4_u8;
    prop_oneof![
        4 => (any::<bool>(), n.clone(), any::<bool>()).prop_map(|(who, n, sealed)| Step::Decide { who, n, sealed }),
        1 => (any::<bool>(), n.clone()).prop_map(|(who, n)| Step::Act { who, n }),
        1 => (any::<bool>(), proptest::option::of(n.clone())).prop_map(|(who, day)| Step::Erase { who, day }),
        4 => (any::<bool>(), n).prop_map(|(who, n)| Step::Ask { who, n }),
    ]
}

fn day(n: u8) -> String {
    format!("2026-01-0{}", n + 1)
}

async fn play<D: Database>(store: &Walled<D>, serial: usize, step: Step) {
    let name = |who: bool| tenant(if who { "a" } else { "b" });
    let time = |n: u8| format!("{}T00:00:00.000000Z", day(n));
    match step {
        Step::Decide { who, n, sealed } => {
            let (tenant, mark) = (name(who), format!("mark-{}", name(who)));
            // A guessed id is the same for both only where it is not a unique one: those of content are.
            let id = if sealed { format!("s{serial}") } else { format!("id{n}") };
            let event = Event {
                id: id.clone(),
                exchange: format!("x{n}"),
                tenant: tenant.clone(),
                time: time(n),
                key: format!("k{n}"),
                model: mark.clone(),
                verdict: if n > 1 { Verdict::Deny } else { Verdict::Allow },
                rules: [(RuleId::new("pii/email"), 1)].into(),
                ..Event::default()
            };
            if !sealed {
                return store.append(event).await.unwrap();
            }
            let key = WrappedKey {
                id: format!("{mark}-{serial}"),
                tenant: tenant.clone(),
                purpose: KeyPurpose::Content,
                day: day(n),
                wrapped: mark.clone().into_bytes(),
                destroyed: String::new(),
            };
            let key = store.put_key(key).await.unwrap();
            let content = SealedContent {
                event: id,
                exchange: format!("x{n}"),
                tenant,
                direction: Direction::Request,
                protocol: Protocol::OpenaiChat,
                stream: false,
                cut: false,
                time: time(n),
                body: Sealed::from_parts(key.id, [0; 12], mark.into_bytes()),
            };
            store.put_sealed(event, vec![content]).await.unwrap();
        }
        Step::Act { who, n } => {
            let act = Act::new(format!("id{n}"), time(n), name(who), &format!("mark-{}", name(who)), Deed::Marked);
            store.act(act).await.unwrap();
        }
        Step::Erase { who, day: until } => {
            let other = name(!who);
            let before = everything(store, &other).await;
            let act = Act::new("erase".to_owned(), time(0), name(who), &format!("mark-{}", name(who)), Deed::Erased);
            store.destroy_sealed(&name(who), until.map(day).as_deref(), act).await.unwrap();
            assert_eq!(before, everything(store, &other).await, "an erasure reaches over the wall");
        }
        Step::Ask { who, n } => {
            let asks = name(who);
            everything(store, &asks).await;
            store.get(&asks, &format!("id{n}")).await.unwrap();
            store.sealed(&asks, &format!("s{}", serial.saturating_sub(usize::from(n)))).await.unwrap();
            let key = format!("mark-{}-{}", name(!who), serial.saturating_sub(usize::from(n)));
            assert!(store.key(&asks, &key).await.unwrap().is_none());
        }
    }
}

/// What a tenant can see.
async fn everything<D: Database>(store: &Walled<D>, tenant: &TenantId) -> String {
    let mut seen = format!("{:?}{:?}", store.recent(tenant, 99).await.unwrap(), store.acts(tenant, 99).await.unwrap());
    for n in 0..4 {
        let (exchange, key) = (format!("x{n}"), format!("k{n}"));
        for query in [
            EventQuery { exchange: Some(exchange.clone()), ..EventQuery::default() },
            EventQuery { keys: [key].into(), rules: [RuleId::new("pii/email")].into(), ..EventQuery::default() },
            EventQuery { verdicts: [Verdict::Deny].into(), after_seq: Some(n), ..EventQuery::default() },
        ] {
            seen += &format!("{:?}", store.query(tenant, &query).await.unwrap());
        }
        seen += &format!("{:?}", store.exchange(tenant, &exchange).await.unwrap());
        // Sealed content shows its size only; its key's name carries the mark.
        seen += &format!("{:?}", store.sealed_exchange(tenant, &exchange).await.unwrap());
        let day = day(u8::try_from(n).unwrap());
        seen += &format!("{:?}", store.live_key(tenant, KeyPurpose::Content, &day).await.unwrap());
    }
    seen + &format!("{:?}", store.list_sealed(tenant, "", "", 99).await.unwrap())
}

async fn nothing_is_visible(place: &impl Place, steps: Vec<Step>) {
    let store = Walled(place.open().await);
    for (serial, step) in steps.into_iter().enumerate() {
        play(&store, serial, step).await;
    }
    store.verify().await.unwrap();
    store.0.close().await;
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn nothing_of_one_tenant_is_visible_to_another(steps in proptest::collection::vec(step(), 1..24)) {
        runtime().block_on(nothing_is_visible(&File::new(), steps));
    }
}

#[test]
fn nothing_of_one_tenant_is_visible_to_another_in_postgres() {
    let Some(server) = crate::pg::Server::start() else { return };
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 12, ..ProptestConfig::default() });
    let all = runner.run(&proptest::collection::vec(step(), 1..24), |steps| {
        runtime().block_on(async { nothing_is_visible(&Schema::new(&server).await, steps).await });
        Ok(())
    });
    all.unwrap();
}

crate::places::on_both!(postgres_keeps_content_as_a_file_does: content_and_its_record_are_written_both_or_neither);

async fn content_and_its_record_are_written_both_or_neither(place: &impl Place) {
    let store = Walled(place.open().await);
    play(&store, 7, Step::Decide { who: true, n: 1, sealed: true }).await;
    let a = tenant("a");
    assert_eq!((store.sealed(&a, "s7").await.unwrap().len(), store.verify().await.unwrap()), (1, 1));
    // The same content again cannot be written, so its record is not either.
    let content = store.sealed(&a, "s7").await.unwrap();
    let again = Event { id: "again".to_owned(), tenant: a.clone(), ..Event::default() };
    assert!(store.put_sealed(again, content).await.is_err());
    assert_eq!(store.verify().await.unwrap(), 1);

    assert_eq!(store.sealed_tenants("2026-01-02").await.unwrap(), []);
    assert_eq!(store.sealed_tenants("2026-01-03").await.unwrap(), vec![a.clone()]);
    let act = Act::new("e".to_owned(), "2026-02-01T00:00:00.000000Z".to_owned(), a.clone(), "x", Deed::Erased);
    let gone = store.destroy_sealed(&a, Some("2026-01-03"), act).await.unwrap();
    assert_eq!(gone, Destroyed { keys: 1, contents: 1 });
    let key = store.key(&a, "mark-a-7").await.unwrap().unwrap();
    assert!(key.wrapped.is_empty() && key.destroyed.starts_with("2026-02-01"));
    assert!(store.live_key(&a, KeyPurpose::Content, "2026-01-02").await.unwrap().is_none());
    assert_eq!(store.acts(&a, 1).await.unwrap()[0].detail["keys"], "1");
}
