//! Pairing by a code that a person types into the phone, beside the QR code:
//! whichever is used first pairs.
//!
//! The server gives codes to a connection that is not paired yet, and one at a
//! time: a second one would make the first useless without telling the person
//! who types it. So who asks again for the same number gets the code that is
//! shown; another number takes its place. A code that ran out, or that the
//! server takes back, is replaced only if it is asked for.

use crate::PairingCode;
use crate::outbound::fault;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use warest_model::clock::Millis;
use warest_model::fault::{Fault, OVERLIMIT};
use whatsapp_rust::pair_code::{PairCodeError, PairCodeOptions, PairCodeRejection, PairError};
use whatsapp_rust::wacore::pair_code::PairCodeUtils;
use whatsapp_rust::{Client, ErrorChainExt as _};

/// Somebody who waits for a code.
pub(crate) struct Wanted {
    /// The phone's number, in digits.
    pub(crate) phone: String,
    /// Where the code goes.
    pub(crate) answer: oneshot::Sender<Result<String, Fault>>,
}

impl Wanted {
    /// Tells that there is nothing to pair.
    pub(super) fn refuse_paired(self) {
        let fault = Fault::fail("already_paired", "the session is paired already; log it out to pair it anew");
        let _ = self.answer.send(Err(fault));
    }
}

/// What became of asking the server.
type Asked = Result<(PairingCode, Instant), Fault>;

/// The codes of one connection.
#[derive(Default)]
pub(super) struct Codes {
    /// Whether the server offers to pair: QR codes have come.
    pub(super) offered: bool,
    /// The code that is shown, and when it runs out.
    shown: Option<(PairingCode, Instant)>,
    asking: Option<(Wanted, JoinHandle<Asked>)>,
}

impl Codes {
    /// The code that is shown.
    pub(super) fn shown(&self) -> Option<&PairingCode> {
        self.shown.as_ref().map(|(code, _)| code)
    }

    /// Takes note that the code is worth nothing any more; whether there was one.
    pub(super) fn gone(&mut self) -> bool {
        self.shown.take().is_some()
    }

    /// When the code that is shown runs out.
    pub(super) fn until(&self) -> Option<Instant> {
        self.shown.as_ref().map(|(_, until)| *until)
    }

    /// Whether somebody who waits can be served now.
    pub(super) fn can_ask(&self) -> bool {
        self.offered && self.asking.is_none()
    }

    /// Serves who waits: with the code that is shown, or by asking for one.
    pub(super) fn ask(&mut self, client: &Arc<Client>, wanted: Wanted, now_ms: Millis) {
        if let Some((code, _)) = &self.shown
            && code.phone == wanted.phone
        {
            // Whoever asked may be gone; so below.
            let _ = wanted.answer.send(Ok(code.text.clone()));
            return;
        }
        let task = tokio::spawn(request(Arc::clone(client), wanted.phone.clone(), now_ms));
        self.asking = Some((wanted, task));
    }

    /// Waits for the server's answer, for ever if nothing was asked, and hands it
    /// on. Whether there is a code to show.
    pub(super) async fn answered(&mut self) -> bool {
        let Some((_, task)) = &mut self.asking else { return std::future::pending().await };
        let asked = task.await.unwrap_or_else(|_| Err(fault::not_connected()));
        let Some((wanted, _)) = self.asking.take() else { return false };
        match asked {
            Ok((code, until)) => {
                let _ = wanted.answer.send(Ok(code.text.clone()));
                self.shown = Some((code, until));
                true
            }
            Err(fault) => {
                let _ = wanted.answer.send(Err(fault));
                // What was shown before was given up for it.
                self.gone()
            }
        }
    }
}

impl Drop for Codes {
    fn drop(&mut self) {
        if let Some((wanted, task)) = self.asking.take() {
            task.abort();
            let _ = wanted.answer.send(Err(fault::not_connected()));
        }
    }
}

async fn request(client: Arc<Client>, phone: String, now_ms: Millis) -> Asked {
    let begun = Instant::now();
    // Without a code that is outstanding, this does nothing.
    client.cancel_pair_code().await;
    let options = PairCodeOptions { phone_number: phone.clone(), ..PairCodeOptions::default() };
    let code = client.pair_with_code(options).await.map_err(refused)?;
    let until = begun + PairCodeUtils::code_validity();
    let expires_ms = now_ms + PairCodeUtils::code_validity().as_millis() as Millis;
    Ok((PairingCode { text: spaced(&code), phone, expires_ms }, until))
}

/// A code as phones show it: `ABCD-1234`.
fn spaced(code: &str) -> String {
    match code.split_at_checked(4) {
        Some((first, second)) if !second.is_empty() => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}

fn refused(error: PairError) -> Fault {
    if let PairError::PairCode(why) = &error {
        return match why {
            PairCodeError::PhoneNumberRequired
            | PairCodeError::PhoneNumberTooShort
            | PairCodeError::PhoneNumberNotInternational => {
                Fault::fail("phone_invalid", "give the phone's number with its country code")
            }
            PairCodeError::CodeAlreadyOutstanding { .. } | PairCodeError::Cancelled => {
                Fault::retry("pairing_code_replaced", "another code was asked for at the same time; ask again")
            }
            _ => Fault::retry("pairing_code_failed", format!("no code came: {why}")),
        };
    }
    match error.rejection() {
        Some(PairCodeRejection::FeatureNotAvailable) => Fault::fail(
            "pairing_code_unavailable",
            "WhatsApp does not pair this account by code (452); scan the QR code instead",
        ),
        Some(PairCodeRejection::Forbidden) => {
            Fault::fail("pairing_code_refused", "WhatsApp does not pair this number by code (403)")
        }
        Some(PairCodeRejection::RateOverlimit) => {
            Fault::retry(OVERLIMIT, "too many codes were asked for (429); ask again later, or scan the QR code")
        }
        // It says the same to what is wrong and to what comes too often.
        Some(PairCodeRejection::BadRequest) => Fault::retry(
            "pairing_code_refused",
            "WhatsApp gave no code (400): the number is wrong, or was asked for too often; wait, or scan the QR code",
        ),
        _ if error.is_transport_unavailable() => fault::not_connected(),
        _ if error.is_timeout() => Fault::retry("server_timeout", "the server gave no code in time; ask again"),
        _ => Fault::retry("pairing_code_failed", format!("no code came: {error}")),
    }
}

/// How long somebody waits for a connection that can be asked, and its answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_as_phones_show_them() {
        assert_eq!(spaced("ABCD1234"), "ABCD-1234");
        assert_eq!(spaced("ABCD"), "ABCD");
    }
}
