//! Server-sent events: what a client sees, in which order, and until when.

use crate::world::{ADMIN, ALICE, Answer, BOB, World};
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use serde_json::{Value, json};
use std::time::Duration;
use tower::ServiceExt;
use warest_api::{RateLimit, StreamLimits};
use warest_store::secret::api_key_hash;
use warest_store::{EventFilter, EventLog, Page, Registry};

const BEGINNING: &str = "evt_00000000000000000000000000";
const UNKNOWN: &str = "evt_01HF5QZVQSK3T1SH4Z2RCB2DQB";
const DEADLINE: Duration = Duration::from_secs(20);

/// One event of a stream.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    event: String,
    id: Option<String>,
    data: Value,
}

/// A client that reads when it is asked to.
struct Client {
    body: BodyDataStream,
    text: String,
}

impl Client {
    async fn open(world: &World, key: &str, query: &str) -> Self {
        Self::resume(world, key, query, None).await
    }

    async fn resume(world: &World, key: &str, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(format!("/api/v1/stream{query}")).header("x-warest-api-key", key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event; `None` at the end. Comments are left out.
    async fn next(&mut self) -> Option<Seen> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let block = block.to_owned();
                self.text = rest.to_owned();
                let field = |name: &str| {
                    let mut lines = block.lines().filter_map(|line| line.split_once(": "));
                    lines.find(|(field, _)| *field == name).map(|(_, value)| value.to_owned())
                };
                match field("event") {
                    Some(event) => {
                        let data = serde_json::from_str(&field("data").unwrap()).unwrap();
                        return Some(Seen { event, id: field("id"), data });
                    }
                    None => continue,
                }
            }
            let more = tokio::time::timeout(DEADLINE, self.body.next()).await.expect("nothing came");
            self.text.push_str(std::str::from_utf8(&more?.unwrap()).unwrap());
        }
    }

    /// The ids of the next events.
    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let seen = self.next().await.unwrap();
            assert_eq!(seen.event, "message_received", "{seen:?}");
            ids.push(seen.id.unwrap());
        }
        ids
    }

    async fn opened(&mut self) -> String {
        let open = self.next().await.unwrap();
        assert_eq!(open.event, "open", "{open:?}");
        assert_eq!(open.data["data"]["after"], open.id.clone().unwrap());
        open.id.unwrap()
    }
}

/// Every event of the log, oldest first.
async fn log(world: &World) -> Vec<String> {
    let mut ids = Vec::new();
    let mut page = Page { before: None, limit: 500 };
    loop {
        let found = world.store.events(&EventFilter::default(), &page).await.unwrap();
        let Some(last) = found.last() else { break };
        page.before = Some(last.id.to_string());
        ids.extend(found.iter().map(|event| event.id.to_string()));
    }
    ids.reverse();
    ids
}

fn limits(change: impl FnOnce(&mut StreamLimits)) -> StreamLimits {
    let mut limits = StreamLimits { keep_alive: Duration::from_millis(50), ..StreamLimits::default() };
    change(&mut limits);
    limits
}

async fn refused(world: &World, key: &str, path: &str) -> Answer {
    let deadline = tokio::time::timeout(DEADLINE, world.call(key, "GET", path, None));
    deadline.await.expect("it was not refused")
}

#[tokio::test]
async fn events_come_as_lists_show_them() {
    let world = World::new().await;
    let mut client = Client::open(&world, ALICE, "").await;
    assert_eq!(client.opened().await, BEGINNING, "alice has no event yet");
    world.see("main", &["628111"]).await;
    let seen = client.next().await.unwrap();
    let listed = world.get("/events").await.body["results"][0].clone();
    assert_eq!(seen.data, listed);
    assert_eq!((seen.event.as_str(), seen.id.as_deref()), ("message_received", listed["id"].as_str()));
    assert_eq!(seen.data["chat"], "628111@s.whatsapp.net");
}

#[tokio::test]
async fn a_client_comes_back_to_where_it_was() {
    let world = World::new().await;
    world.see("main", &["628111"; 200]).await;
    let log = log(&world).await;
    let mut live = Client::open(&world, ALICE, "").await;
    assert_eq!(live.opened().await, log[199]);
    for (query, last, from) in [
        (format!("?after={}", log[49]), None, 50),
        (format!("?lastEventId={}", log[49]), None, 50),
        (String::new(), Some(log[150].as_str()), 151),
        // A client that reconnects repeats its address; its header is newer.
        (format!("?after={}", log[49]), Some(log[150].as_str()), 151),
        (format!("?after={BEGINNING}"), None, 0),
    ] {
        let mut client = Client::resume(&world, ALICE, &query, last).await;
        assert_eq!(client.ids(200 - from).await, log[from..], "{query} {last:?}");
    }
    // What comes after the stored ones follows them.
    let mut client = Client::open(&world, ALICE, &format!("?after={}", log[197])).await;
    assert_eq!(client.ids(1).await, log[198..199]);
    world.see("main", &["628111"]).await;
    let log = self::log(&world).await;
    assert_eq!(client.ids(2).await, log[199..]);
    assert_eq!(live.ids(1).await, log[200..]);
}

#[tokio::test]
async fn who_saw_nothing_yet_misses_nothing_either() {
    let world = World::new().await;
    let mut client = Client::open(&world, ALICE, "").await;
    let place = client.opened().await;
    drop(client);
    world.see("theirs", &["628111"]).await;
    world.see("main", &["628222"]).await;
    let mut again = Client::resume(&world, ALICE, "", Some(&place)).await;
    assert_eq!(again.next().await.unwrap().data["sessionId"], "main");
    let mut client = Client::open(&world, ALICE, "").await;
    let place = client.opened().await;
    world.see("theirs", &["628111"]).await;
    assert_eq!(place, log(&world).await[1], "the place is an event of one's own");
}

#[tokio::test]
async fn tenants_see_their_own_and_filters_narrow_it() {
    let world = World::new().await;
    for _ in 0..3 {
        world.see("main", &["628111", "628222"]).await;
        world.see("theirs", &["628111"]).await;
    }
    let everything = log(&world).await;
    let pick = |places: &[usize]| places.iter().map(|place| everything[*place].clone()).collect::<Vec<_>>();
    let cases: [(&str, &str, &[usize]); 7] = [
        (ALICE, "", &[0, 1, 3, 4, 6, 7]),
        (BOB, "", &[2, 5, 8]),
        (ADMIN, "", &[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        (ADMIN, "&session=theirs", &[2, 5, 8]),
        (ALICE, "&chat=628222", &[1, 4, 7]),
        (ALICE, "&sessionId=main&event=session_status,message_received&chat=628111", &[0, 3, 6]),
        (BOB, "&chat=628222", &[]),
    ];
    let mut clients = Vec::new();
    for (key, query, places) in cases {
        let mut client = Client::open(&world, key, &format!("?after={BEGINNING}{query}")).await;
        assert_eq!(client.ids(places.len()).await, pick(places), "stored: {query}");
        clients.push(client);
    }
    // The same live. The last event shows that nothing else came before it.
    world.see("main", &["628333"]).await;
    world.see("theirs", &["628111"]).await;
    world.see("main", &["628222", "628111"]).await;
    world.see("theirs", &["628222"]).await;
    let everything = log(&world).await;
    let pick = |places: &[usize]| places.iter().map(|place| everything[9 + *place].clone()).collect::<Vec<_>>();
    let live: [&[usize]; 7] = [&[0, 2, 3], &[1, 4], &[0, 1, 2, 3, 4], &[1, 4], &[2], &[3], &[4]];
    for (client, places) in clients.iter_mut().zip(live) {
        assert_eq!(client.ids(places.len()).await, pick(places));
    }
    assert_eq!(refused(&world, ALICE, "/stream?session=theirs").await.codes(), (403, 2201));
}

#[tokio::test]
async fn the_order_is_that_of_the_log_whoever_appends() {
    let world = World::new().await;
    let mut client = Client::open(&world, ADMIN, "").await;
    client.opened().await;
    let appends = (0..150).map(|index| world.see(["main", "theirs"][index % 2], &["628111", "628222"]));
    futures::future::join_all(appends).await;
    let seen = client.ids(300).await;
    assert_eq!(seen, log(&world).await);
}

#[tokio::test]
async fn a_client_that_lags_reads_the_log_again() {
    let world = World::new().await;
    let mut client = Client::open(&world, ALICE, "").await;
    client.opened().await;
    for _ in 0..20 {
        world.see("main", &["628111"; 50]).await;
    }
    let mut seen = client.ids(500).await;
    for _ in 0..20 {
        world.see("main", &["628111"; 50]).await;
    }
    seen.extend(client.ids(1_500).await);
    assert_eq!(seen, log(&world).await);
}

#[tokio::test]
async fn what_is_not_kept_is_a_gap() {
    let world = World::new().await;
    world.see("main", &["628111"; 200]).await;
    let log = log(&world).await;
    let mut unknown = Client::resume(&world, ALICE, "", Some(UNKNOWN)).await;
    let gap = unknown.next().await.unwrap();
    assert_eq!((gap.event.as_str(), gap.id), ("gap", None));
    assert_eq!(unknown.ids(200).await, log);

    // Retention overtakes a client that reads an old stretch.
    let mut slow = Client::resume(&world, ALICE, "", Some(&log[4])).await;
    assert_eq!(slow.ids(1).await, log[5..6]);
    forget(&world, &log[149]).await;
    let mut seen = Vec::new();
    let gap = loop {
        let next = slow.next().await.unwrap();
        match next.id {
            Some(id) => seen.push(id),
            None => break next,
        }
    };
    assert_eq!(gap.event, "gap");
    assert_eq!(seen, log[6..6 + seen.len()], "what was read before is shown before");
    assert_eq!(slow.ids(50).await, log[150..]);

    let mut gone = Client::resume(&world, ALICE, "", Some(&log[10])).await;
    assert_eq!(gone.next().await.unwrap().event, "gap");
    assert_eq!(gone.ids(50).await, log[150..]);
    let mut kept = Client::resume(&world, ALICE, "", Some(&log[150])).await;
    assert_eq!(kept.ids(49).await, log[151..]);

    // A log that was emptied is no gap for who had seen it all.
    forget(&world, &log[199]).await;
    world.see("main", &["628111"]).await;
    let log = self::log(&world).await;
    assert_eq!((log.len(), kept.ids(1).await), (1, log));
}

/// Removes events up to this one from the log, as retention does.
async fn forget(world: &World, upto: &str) {
    use sqlx::ConnectOptions;
    let mut database = sqlx::sqlite::SqliteConnectOptions::new().filename(world.database()).connect().await.unwrap();
    let removed = sqlx::query("DELETE FROM events WHERE seq <= (SELECT seq FROM events WHERE id = ?)").bind(upto);
    assert!(removed.execute(&mut database).await.unwrap().rows_affected() > 0);
}

#[tokio::test]
async fn streams_are_counted() {
    let world = World::with(|config| {
        config.streams = limits(|limits| (limits.per_user, limits.total) = (2, 3));
    })
    .await;
    let mut of_alice = vec![Client::open(&world, ALICE, "").await, Client::open(&world, ALICE, "").await];
    let full = refused(&world, ALICE, "/stream").await;
    assert_eq!(full.codes(), (429, 2402));
    assert!(full.header("retry-after").is_some());
    let _of_bob = Client::open(&world, BOB, "").await;
    let full = refused(&world, BOB, "/stream").await;
    assert_eq!(full.codes(), (503, 1600));
    assert!(full.header("retry-after").is_some());
    drop(of_alice.pop());
    let _of_alice = Client::open(&world, ALICE, "").await;
}

#[tokio::test]
async fn opening_a_stream_is_one_call() {
    let world = World::with(|config| {
        config.rate_limit = Some(RateLimit { max: 2, window: Duration::from_secs(600) });
    })
    .await;
    let mut client = Client::open(&world, ALICE, "").await;
    client.opened().await;
    world.see("main", &["628111"; 20]).await;
    client.ids(20).await;
    let _second = Client::open(&world, ALICE, "").await;
    assert_eq!(refused(&world, ALICE, "/stream").await.codes(), (429, 2400));
}

#[tokio::test]
async fn a_stream_ends_when_its_user_or_its_session_is_gone() {
    let world = World::with(|config| config.streams = limits(|_| {})).await;
    let mut of_session = Client::open(&world, ADMIN, "?session=main").await;
    let mut of_all = Client::open(&world, ADMIN, "").await;
    let mut of_alice = Client::open(&world, ALICE, "").await;
    for client in [&mut of_session, &mut of_all, &mut of_alice] {
        client.opened().await;
    }
    world.store.set_user_key(&world.alice.id, api_key_hash("another-key-0123456789")).await.unwrap();
    let end = of_alice.next().await.unwrap();
    assert_eq!((end.event.as_str(), &end.data["data"]["code"], end.id), ("end", &json!(2204), None));
    assert_eq!(of_alice.next().await, None);

    let gone = world.call(ADMIN, "POST", "/session/delete", Some(json!({ "sessionId": "main" }))).await;
    assert_eq!(gone.status.as_u16(), 200, "{gone:?}");
    let end = loop {
        let seen = of_session.next().await.unwrap();
        if seen.event == "end" {
            break seen;
        }
        assert_eq!(seen.event, "session_status");
    };
    assert_eq!(end.data["data"]["code"], 1101);
    assert_eq!(of_session.next().await, None);
    assert_eq!(of_all.next().await.unwrap().data["data"]["state"], "deleted", "the others go on");
}

#[tokio::test]
async fn streams_end_with_the_server_and_none_begins() {
    let world = World::new().await;
    let mut client = Client::open(&world, ALICE, "").await;
    client.opened().await;
    world.engine.shutdown(Duration::from_secs(5)).await;
    let end = client.next().await.unwrap();
    assert_eq!((end.event.as_str(), &end.data["data"]["code"]), ("end", &json!(1600)));
    assert_eq!(client.next().await, None);
    let refused = refused(&world, ALICE, "/stream").await;
    assert_eq!(refused.codes(), (503, 1600));
    assert!(refused.header("retry-after").is_some());
}
