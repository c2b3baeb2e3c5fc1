//! Counting at the phones and at the receiver.

use crate::receiver::Receiver;
use crate::stage::{Customers, SESSION};
use reqwest::Method;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::{Duration, Instant};
use warest_tests::{Engine, Network, call};

/// Nothing arriving for this long means that nothing more will.
const PATIENCE: Duration = Duration::from_secs(75);
/// Lines of detail that are kept.
const DETAILS: usize = 40;
/// The reactors, by how their replies begin. The plugin's is the bare number.
const HOOK: &str = "hook !echo ";
const REACTORS: [&str; 3] = ["flow !echo ", HOOK, ""];

/// What was counted. All but `written` and `replies` should be zero.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages that customers wrote.
    pub written: usize,
    /// Replies that customers were shown.
    pub replies: usize,
    /// Messages that are not in the event log.
    pub unseen: usize,
    /// Replies that never came.
    pub lost: usize,
    /// Replies that were shown again under another id.
    pub twice: usize,
    /// Replies of one reactor that came before their predecessor.
    pub swapped: usize,
    /// Messages that stand in the event log before their predecessor.
    pub log_swapped: usize,
    /// Events that the receiver never heard.
    pub unheard: usize,
    /// Messages that are events more than once.
    pub doubled: usize,
    /// Repeats that a phone recognised and did not show: no harm, but told.
    pub repeats: u64,
    /// What exactly is wrong.
    pub details: Vec<String>,
}

impl Tally {
    /// Whether all is as promised.
    pub fn is_clean(&self) -> bool {
        self.wrong() == 0
    }

    /// The same, where messages may arrive in another order than they were written in.
    pub fn is_clean_but_for_arrival(&self) -> bool {
        self.wrong() - self.log_swapped == 0
    }

    fn wrong(&self) -> usize {
        self.unseen + self.lost + self.twice + self.swapped + self.log_swapped + self.unheard + self.doubled
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if self.details.len() < DETAILS {
            self.details.push(line());
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "written {}, replies {}, lost {}, twice {}, swapped {}; log: unseen {}, swapped {}, doubled {}; \
             receiver: unheard {}; repeats not shown {}",
            self.written,
            self.replies,
            self.lost,
            self.twice,
            self.swapped,
            self.unseen,
            self.log_swapped,
            self.doubled,
            self.unheard,
            self.repeats
        )
    }
}

/// What the customers' phones have shown so far. Read on and on, as a phone
/// keeps only its latest messages.
pub struct Inboxes {
    last: Vec<u64>,
    texts: Vec<Vec<String>>,
    reactors: Vec<&'static str>,
    patience: Duration,
}

impl Inboxes {
    /// Empty ones.
    pub fn new(customers: usize) -> Self {
        Self {
            last: vec![0; customers],
            texts: vec![Vec::new(); customers],
            reactors: REACTORS.to_vec(),
            patience: PATIENCE,
        }
    }

    /// Waits for longer before nothing more is expected.
    pub fn be_patient(&mut self, patience: Duration) {
        self.patience = patience;
    }

    /// Nothing is to come of the receiver's answers.
    pub fn expect_no_hook(&mut self) {
        self.reactors.retain(|reactor| *reactor != HOOK);
    }

    /// Reads what is new; answers how many replies there are in all.
    pub async fn read(&mut self, network: &Network) -> usize {
        for (index, texts) in self.texts.iter_mut().enumerate() {
            loop {
                let phone = Customers::phone(index);
                let url = format!("{}/phones/{phone}/messages?after={}", network.url, self.last[index]);
                let page = call(Method::GET, &url, None).await.unwrap().body;
                let page = page.as_array().unwrap();
                let Some(latest) = page.last() else { break };
                self.last[index] = latest["seq"].as_u64().unwrap();
                let shown = page.iter().filter(|message| message["fromMe"] == Value::Bool(false));
                texts.extend(shown.map(|message| message["text"].as_str().unwrap_or_default().to_owned()));
            }
        }
        self.texts.iter().map(Vec::len).sum()
    }

    /// Waits until all is answered and heard, or nothing happens any more.
    pub async fn settle(
        &mut self,
        network: &Network,
        engine: &Engine,
        receiver: &Receiver,
        customers: &Customers,
    ) -> Tally {
        let written = customers.written();
        let owed: usize = written.iter().sum();
        let mut seen = (0, 0);
        let mut since = Instant::now();
        loop {
            let now = (self.read(network).await, receiver.heard());
            if now.0 >= owed * self.reactors.len() && now.1 >= owed && is_idle(network, engine).await {
                break;
            }
            if now != seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() > self.patience {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.read(network).await;
        self.count(network, engine, receiver, &written).await
    }

    async fn count(&self, network: &Network, engine: &Engine, receiver: &Receiver, written: &[usize]) -> Tally {
        let stats = call(Method::GET, &format!("{}/stats", network.url), None).await.unwrap().body;
        let mut tally = Tally { written: written.iter().sum(), ..Tally::default() };
        let mut lost = Vec::new();
        tally.repeats = stats["repeats"].as_u64().unwrap();
        for (index, texts) in self.texts.iter().enumerate() {
            let phone = Customers::phone(index);
            tally.replies += texts.len();
            let log = event_log(engine, &phone).await;
            count_log(&mut tally, &phone, &log, written[index]);
            for (_, id) in &log {
                if !receiver.has(id) {
                    tally.unheard += 1;
                    tally.note(|| format!("{phone}: the receiver never heard {id}"));
                }
            }
            // Replies follow the log; what the log has wrong is counted there.
            let order: Vec<usize> = log.iter().map(|(number, _)| *number).collect();
            for reactor in &self.reactors {
                let missing = count_replies(&mut tally, &phone, reactor, texts, &order, written[index]);
                let of = |number| log.iter().find(|(logged, _)| *logged == number);
                lost.extend(missing.into_iter().filter_map(of).map(|(_, event)| event.clone()));
            }
        }
        for event in lost {
            let story = what_became_of(engine, &event).await;
            tally.note(|| story);
        }
        tally
    }
}

/// Whether nothing is under way any more, so that what is to be repeated has been.
async fn is_idle(network: &Network, engine: &Engine) -> bool {
    let stats = call(Method::GET, &format!("{}/stats", network.url), None).await.unwrap().body;
    let active = engine.api(Method::GET, "/runs?state=active&limit=1", None).await;
    let active = active.is_ok_and(|runs| runs.body["results"].as_array().is_some_and(|runs| !runs.is_empty()));
    stats["queued"] == 0 && !active
}

/// The messages of a chat in the event log, oldest first: number and event id.
async fn event_log(engine: &Engine, phone: &str) -> Vec<(usize, String)> {
    let mut log = Vec::new();
    let mut before = String::new();
    loop {
        let path = format!("/events?session={SESSION}&event=message_received&chat={phone}&limit=200{before}");
        let page = engine.api(Method::GET, &path, None).await.unwrap();
        assert_eq!(page.status, 200, "{page:?}");
        for event in page.body["results"].as_array().unwrap() {
            let text = event.pointer("/data/text").and_then(Value::as_str).unwrap();
            log.push((text.trim_start_matches("!echo ").parse().unwrap(), event["id"].as_str().unwrap().to_owned()));
        }
        match page.body["next"].as_str() {
            Some(next) => before = format!("&before={next}"),
            None => break,
        }
    }
    log.reverse();
    log
}

/// What the engine says became of an event whose reply did not come.
async fn what_became_of(engine: &Engine, event: &str) -> String {
    let mut story = format!("{event}:");
    let runs = engine.api(Method::GET, &format!("/runs?event={event}"), None).await.unwrap().body;
    for run in runs["results"].as_array().into_iter().flatten() {
        let run = run["id"].as_str().unwrap_or_default();
        let run = engine.api(Method::GET, &format!("/runs/{run}"), None).await.unwrap().body;
        story.push_str(&format!("\n  {run}"));
    }
    let jobs = engine.api(Method::GET, "/jobs?limit=200", None).await.unwrap().body;
    for job in jobs["results"].as_array().into_iter().flatten() {
        if job["runId"].as_str().is_some_and(|run| story.contains(run)) {
            story.push_str(&format!("\n  {job}"));
        }
    }
    story
}

fn count_log(tally: &mut Tally, phone: &str, log: &[(usize, String)], written: usize) {
    let mut ids: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, _) in log {
        *ids.entry(*number).or_default() += 1;
    }
    tally.doubled += ids.values().map(|count| count - 1).sum::<usize>();
    for number in (0..written).filter(|number| !ids.contains_key(number)) {
        tally.unseen += 1;
        tally.note(|| format!("{phone}: message {number} is not in the event log"));
    }
    for pair in log.windows(2).filter(|pair| pair[1].0 < pair[0].0) {
        tally.log_swapped += 1;
        tally.note(|| format!("{phone}: in the event log {} follows {}", pair[1].0, pair[0].0));
    }
}

fn count_replies(
    tally: &mut Tally,
    phone: &str,
    reactor: &str,
    texts: &[String],
    log: &[usize],
    written: usize,
) -> Vec<usize> {
    let numbers = texts.iter().filter_map(|text| text.strip_prefix(reactor)?.parse::<usize>().ok());
    let mut shown = BTreeSet::new();
    let mut places = Vec::new();
    for number in numbers {
        if shown.insert(number) {
            places.extend(log.iter().position(|logged| *logged == number));
        } else {
            tally.twice += 1;
            tally.note(|| format!("{phone}: \"{reactor}{number}\" is shown twice"));
        }
    }
    let lost: Vec<usize> = (0..written).filter(|number| !shown.contains(number)).collect();
    tally.lost += lost.len();
    for number in &lost {
        tally.note(|| format!("{phone}: \"{reactor}{number}\" never came"));
    }
    for pair in places.windows(2).filter(|pair| pair[1] < pair[0]) {
        tally.swapped += 1;
        tally.note(|| format!("{phone}: reply \"{reactor}{}\" came after {}", log[pair[1]], log[pair[0]]));
    }
    lost
}
