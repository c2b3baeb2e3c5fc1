//! Keeps one session connected, and says so.
//!
//! | a connection ended because | next |
//! | --- | --- |
//! | a phone has just paired it (the server sends 515) | dial at once, `connecting` |
//! | somebody asked for a new one | dial at once, `reconnecting` |
//! | the network or the server dropped it, or messages that could not be recorded must be delivered again | wait (exponential, full jitter), `reconnecting` |
//! | a round of QR codes is used up, and no code to type is out | a new client and a new round, until [`LinkConfig::pairing`] is over; then `logged_out` with reason `qr_expired`, and the end |
//! | another connection took its place | wait a minute or more, so that two owners do not fight |
//! | the account is banned for a time | wait for that time |
//! | WhatsApp removed the device | forget the credentials, `logged_out`, the end |
//! | it was told to stop | the end; the pairing stays |
//!
//! [`LinkConfig::pairing`]: crate::LinkConfig::pairing

use super::board::Shown;
use super::live::Live;
use super::pairing::{Codes, Wanted};
use super::signals::Signal;
use super::{Command, Session};
use crate::Qr;
use crate::backoff::{Backoff, jitter};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use warest_model::clock::Millis;
use warest_model::fault::Fault;
use warest_model::session::SessionState;
use whatsapp_rust::client::NodeFilter;

/// A dial that takes longer gives its place to the next.
const DIAL_PLACE: Duration = Duration::from_secs(20);
/// Least wait after another connection has taken over.
const REPLACED: Duration = Duration::from_secs(60);
/// Longest wait for a ban to pass before asking again.
const BANNED_MOST: Duration = Duration::from_secs(24 * 3_600);
/// For a connection to end after it was told to.
const END_DEADLINE: Duration = Duration::from_secs(25);
/// Spread of the dials that had to queue for a place.
const SPREAD: Duration = Duration::from_millis(250);

/// Why a connection is over.
enum Why {
    Stopped,
    LogoutAsked(oneshot::Sender<Result<(), Fault>>),
    LoggedOut(String),
    PairingExpired,
    QrExhausted,
    Paired,
    Asked,
    Redelivery,
    Replaced,
    Banned(Duration),
    Outdated,
    Lost(String),
}

/// The supervisor. Ends when the session is stopped or no longer paired.
pub(super) async fn supervise(session: Arc<Session>, mut commands: mpsc::Receiver<Command>) {
    let _ended = session.ended.clone().drop_guard();
    let config = &session.shared.config;
    let mut backoff = Backoff::new(config.backoff_base, config.backoff_cap);
    let mut idle: Option<Live> = None;
    let mut pairing_until = None;
    let mut was_open = false;
    let mut wanted = None;
    session.announce(SessionState::Connecting, Shown::default(), None, true).await;

    let last = loop {
        let mut live = match idle.take() {
            Some(live) => live,
            None => match Live::build(&session).await {
                Ok(live) => live,
                Err(fault) => {
                    tracing::error!(session = %session.id, %fault, "the session's client cannot be built");
                    session.announce(SessionState::Connecting, Shown::default(), Some(&fault.code), false).await;
                    match rest(&session, &mut commands, &mut wanted, backoff.next()).await {
                        Some(why) => break why,
                        None => continue,
                    }
                }
            },
        };
        session.board.set_me(live.me());
        let place = match place(&session, &mut commands, &mut wanted).await {
            Ok(place) => place,
            Err(why) => {
                live.close().await;
                break why;
            }
        };
        let mut connection = Connection {
            session: &session,
            place: Some(place),
            opened: None,
            why: None,
            pairing_until,
            paired: false,
            broken: false,
            wanted: wanted.take(),
            codes: Codes::default(),
            qr: None,
            exhausted: false,
        };
        connection.run(&mut live, &mut commands).await;
        wanted = connection.wanted.take();
        was_open |= connection.opened.is_some();
        pairing_until = connection.pairing_until.filter(|_| live.me().is_none());
        match connection.opened {
            Some(at) if at.elapsed() >= config.stable_after => backoff.reset(),
            Some(_) => backoff.ease(),
            None => {}
        }
        let why = connection.why.take().unwrap_or_else(|| Why::Lost("disconnected".to_owned()));

        let (wait, reason, reuse) = match why {
            Why::Stopped | Why::LogoutAsked(_) | Why::LoggedOut(_) | Why::PairingExpired => {
                live.close().await;
                break why;
            }
            Why::Paired => {
                was_open = false;
                (Duration::ZERO, "paired".to_owned(), true)
            }
            Why::Asked => (Duration::ZERO, "asked".to_owned(), true),
            Why::Redelivery => (backoff.next().min(config.redelivery), "redelivery".to_owned(), true),
            Why::QrExhausted => (Duration::ZERO, "qr_refresh".to_owned(), false),
            Why::Replaced => (REPLACED + jitter(REPLACED), "replaced".to_owned(), true),
            Why::Banned(time) => (time.min(BANNED_MOST) + jitter(REPLACED), "temporary_ban".to_owned(), true),
            Why::Outdated => {
                session.shared.versions.outdated().await;
                (backoff.next(), "client_outdated".to_owned(), false)
            }
            Why::Lost(reason) => (backoff.next(), reason, true),
        };
        if reuse && !connection.broken {
            idle = Some(live);
        } else {
            live.close().await;
        }
        let state = if was_open { SessionState::Reconnecting } else { SessionState::Connecting };
        session.announce(state, Shown::default(), Some(&reason), false).await;
        if let Some(why) = rest(&session, &mut commands, &mut wanted, wait).await {
            if let Some(live) = idle.take() {
                live.close().await;
            }
            break why;
        }
    };
    // From here on it takes nothing more: a start that comes now waits for the
    // end and makes a new supervisor, instead of finding this one.
    session.stop.cancel();
    end(&session, last).await;
}

/// The last words of a session.
async fn end(session: &Session, last: Why) {
    match last {
        Why::LoggedOut(reason) => {
            if let Err(fault) = unpair(session, &reason).await {
                tracing::error!(session = %session.id, %fault, "the credentials of an unpaired session remain");
            }
        }
        Why::LogoutAsked(answer) => {
            let done = unpair(session, "logout").await;
            // Whoever asked may be gone.
            let _ = answer.send(done);
        }
        Why::PairingExpired => {
            session.announce(SessionState::LoggedOut, Shown::default(), Some("qr_expired"), false).await;
        }
        _ => session.board.rest(),
    }
}

async fn unpair(session: &Session, reason: &str) -> Result<(), Fault> {
    let forgotten = session.shared.keys.forget(&session.id).await;
    session.board.set_me(None);
    let told = session.shared.intake.paired(&session.id, None).await;
    session.announce(SessionState::LoggedOut, Shown::default(), Some(reason), false).await;
    forgotten.and(told)
}

/// Waits between two connections; `Some` ends the session.
async fn rest(
    session: &Session,
    commands: &mut mpsc::Receiver<Command>,
    wanted: &mut Option<Wanted>,
    wait: Duration,
) -> Option<Why> {
    tokio::select! {
        () = session.stop.cancelled() => Some(Why::Stopped),
        command = commands.recv() => match command {
            Some(Command::Logout(answer)) => Some(Why::LogoutAsked(answer)),
            Some(Command::Reconnect) => None,
            Some(Command::PairCode(one)) => {
                *wanted = Some(one);
                None
            }
            None => Some(Why::Stopped),
        },
        () = tokio::time::sleep(wait) => None,
    }
}

/// Waits for a place among those that dial.
async fn place(
    session: &Session,
    commands: &mut mpsc::Receiver<Command>,
    wanted: &mut Option<Wanted>,
) -> Result<OwnedSemaphorePermit, Why> {
    let queued = session.shared.dials.available_permits() == 0;
    let place = async {
        let place = Arc::clone(&session.shared.dials).acquire_owned().await;
        if queued {
            tokio::time::sleep(jitter(SPREAD)).await;
        }
        place.map_err(|_| Why::Stopped)
    };
    tokio::pin!(place);
    loop {
        tokio::select! {
            () = session.stop.cancelled() => return Err(Why::Stopped),
            command = commands.recv() => match command {
                Some(Command::Logout(answer)) => return Err(Why::LogoutAsked(answer)),
                Some(Command::Reconnect) => {}
                Some(Command::PairCode(one)) => *wanted = Some(one),
                None => return Err(Why::Stopped),
            },
            place = &mut place => return place,
        }
    }
}

/// One connection, from the dial to its end.
struct Connection<'a> {
    session: &'a Session,
    place: Option<OwnedSemaphorePermit>,
    opened: Option<Instant>,
    why: Option<Why>,
    pairing_until: Option<Instant>,
    paired: bool,
    /// The client did not end as it should and is not used again.
    broken: bool,
    /// Who waits for a code to type.
    wanted: Option<Wanted>,
    codes: Codes,
    /// The code to scan.
    qr: Option<Qr>,
    /// Whether no code to scan will come any more.
    exhausted: bool,
}

impl Connection<'_> {
    async fn run(&mut self, live: &mut Live, commands: &mut mpsc::Receiver<Command>) {
        live.order.restored();
        let client = Arc::clone(&live.client);
        let mut running = tokio::spawn({
            let client = Arc::clone(&client);
            async move { client.run().await }
        });
        let give_up_place = Instant::now() + DIAL_PLACE;
        let mut socket = false;
        let mut closing: Option<(Instant, JoinHandle<()>)> = None;
        loop {
            let end = closing.as_ref().map(|(deadline, _)| *deadline);
            // What is to happen to the client, if this turn ends the connection.
            let mut close: Option<Close> = None;
            let code_until = self.codes.until();
            if self.codes.can_ask()
                && let Some(wanted) = self.wanted.take()
            {
                self.codes.ask(&client, wanted, self.session.shared.clock.now_ms());
            }
            tokio::select! {
                joined = &mut running => {
                    if joined.is_err_and(|error| error.is_panic()) {
                        tracing::error!(session = %self.session.id, "the protocol client panicked; it is replaced");
                        self.broken = true;
                    }
                    break;
                }
                () = at(end) => {
                    tracing::warn!(session = %self.session.id, "a connection did not end in time");
                    running.abort();
                    self.broken = true;
                    break;
                }
                () = self.session.stop.cancelled(), if closing.is_none() => {
                    self.why = Some(Why::Stopped);
                    close = Some(Close::Disconnect);
                }
                Some(command) = commands.recv(), if closing.is_none() => match command {
                    Command::Reconnect => {
                        self.why = Some(Why::Asked);
                        close = Some(Close::Redial);
                    }
                    Command::Logout(answer) => {
                        self.why = Some(Why::LogoutAsked(answer));
                        close = Some(Close::Logout);
                    }
                    Command::PairCode(wanted) if self.paired || live.me().is_some() => wanted.refuse_paired(),
                    Command::PairCode(wanted) => self.wanted = Some(wanted),
                },
                changed = self.codes.answered() => if changed && !self.paired {
                    self.offer().await;
                },
                () = at(code_until), if closing.is_none() => {
                    self.codes.gone();
                    if self.exhausted {
                        self.why.get_or_insert(Why::QrExhausted);
                        close = Some(Close::Disconnect);
                    } else {
                        self.offer().await;
                    }
                }
                Some(signal) = live.signals.recv() => self.hear(signal, live).await,
                _ = &mut live.login => {
                    live.login = client.wait_for_node(NodeFilter::tag("success"));
                    if logged_in(&client).await {
                        self.open(live).await;
                    }
                }
                _ = client.wait_for_socket(DIAL_PLACE * 2), if !socket => socket = client.is_connected(),
                () = live.order.disturbed(), if closing.is_none() => {
                    self.why.get_or_insert(Why::Redelivery);
                    close = Some(Close::Redial);
                }
                () = at(self.pairing_until), if closing.is_none() && !self.paired => {
                    self.why = Some(Why::PairingExpired);
                    close = Some(Close::Disconnect);
                }
                () = tokio::time::sleep_until(give_up_place), if self.place.is_some() => self.place = None,
            }
            if let Some(close) = close {
                let client = Arc::clone(&client);
                let task = tokio::spawn(async move {
                    match close {
                        Close::Disconnect => client.disconnect().await,
                        Close::Redial => client.reconnect_immediately().await,
                        Close::Logout => client.logout().await,
                    }
                });
                closing = Some((Instant::now() + END_DEADLINE, task));
            }
        }
        self.session.set_client(None);
        self.session.acks.abandon();
        if let Some((deadline, task)) = closing {
            // Its flushes end with it; the deadline is for a store that hangs.
            let _ = tokio::time::timeout_at(deadline, task).await;
        }
        while let Ok(signal) = live.signals.try_recv() {
            self.hear(signal, live).await;
        }
        let failed = live.dialer.take_failure();
        if self.why.is_none() {
            self.why = Some(match failed {
                _ if self.paired => Why::Paired,
                Some(failure) => Why::Lost(failure),
                None if !socket => Why::Lost("handshake_failed".to_owned()),
                None => Why::Lost("disconnected".to_owned()),
            });
        }
    }

    async fn hear(&mut self, signal: Signal, live: &Live) {
        match signal {
            Signal::Qr(text, time) => {
                self.place = None;
                let pairing = self.session.shared.config.pairing;
                self.pairing_until.get_or_insert_with(|| Instant::now() + pairing);
                let expires_ms = self.session.shared.clock.now_ms() + time.as_millis() as Millis;
                self.qr = Some(Qr { text, expires_ms });
                self.codes.offered = true;
                self.offer().await;
            }
            Signal::QrExhausted(true) => self.ended(Why::QrExhausted),
            Signal::QrExhausted(false) => {
                self.exhausted = true;
                self.qr = None;
                self.offer().await;
            }
            Signal::CodeStale => {
                if self.codes.gone() {
                    self.offer().await;
                }
            }
            Signal::Paired => {
                self.paired = true;
                self.session.board.set_me(live.me());
                self.tell_paired(live).await;
                self.session.announce(SessionState::Connecting, Shown::default(), Some("paired"), false).await;
            }
            Signal::PairFailed(error) => {
                tracing::warn!(session = %self.session.id, error, "pairing failed");
            }
            Signal::Connected => self.open(live).await,
            Signal::LoggedOut(reason) => self.ended(Why::LoggedOut(reason)),
            Signal::Replaced => self.ended(Why::Replaced),
            Signal::Banned(time) => self.ended(Why::Banned(time)),
            Signal::Outdated => self.ended(Why::Outdated),
            // The restart that the server asks for after pairing.
            Signal::Lost(_) if self.paired && self.opened.is_none() => self.ended(Why::Paired),
            Signal::Refused(reason) | Signal::Lost(reason) => self.ended(Why::Lost(reason)),
        }
    }

    /// Shows by what a phone can pair.
    async fn offer(&self) {
        let shown = Shown { qr: self.qr.clone(), code: self.codes.shown().cloned() };
        let state = if shown.code.is_some() { SessionState::PairingCode } else { SessionState::Qr };
        self.session.announce(state, shown, None, false).await;
    }

    /// The first reason counts; the others follow from it.
    fn ended(&mut self, why: Why) {
        self.why.get_or_insert(why);
    }

    async fn open(&mut self, live: &Live) {
        if self.opened.is_some() || self.why.is_some() || live.me().is_none() {
            return;
        }
        self.place = None;
        self.opened = Some(Instant::now());
        self.session.board.set_me(live.me());
        self.tell_paired(live).await;
        if let Some(wanted) = self.wanted.take() {
            wanted.refuse_paired();
        }
        self.session.set_client(Some(Arc::clone(&live.client)));
        self.session.announce(SessionState::Open, Shown::default(), None, false).await;
    }

    /// Told after pairing and again on every login, as a crash may come between
    /// pairing and its record.
    async fn tell_paired(&self, live: &Live) {
        let me = live.me();
        if let Err(fault) = self.session.shared.intake.paired(&self.session.id, me.as_deref()).await {
            tracing::error!(session = %self.session.id, %fault, "the pairing was not recorded");
        }
    }
}

/// How a connection is ended from this side.
enum Close {
    Disconnect,
    Redial,
    Logout,
}

/// A moment that may never come.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// The stanza was seen; its effect follows within moments.
async fn logged_in(client: &whatsapp_rust::Client) -> bool {
    for _ in 0..200 {
        if client.is_logged_in() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}
