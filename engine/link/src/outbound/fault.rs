//! Why a send failed, told by type: what certainly was not written may be
//! retried, what may have been written is *unknown*, what the server refused
//! for good is a failure.

use warest_model::fault::{Fault, KEYS_NOT_STORED, NOT_CONNECTED, OVERLIMIT, REACH_OUT_LOCKED};
use whatsapp_rust::error::ErrorChainExt;
use whatsapp_rust::socket::error::{EncryptSendError, EncryptSendErrorKind};
use whatsapp_rust::wacore::store::error::StoreError as KeyStoreError;
use whatsapp_rust::{
    AppStateError, ChatStateError, GroupError, MexError, NewsletterError, PresenceError, SendError,
    SignalMaintenanceError,
};

/// The session has no connection that could take a stanza.
pub(crate) fn not_connected() -> Fault {
    Fault::retry(NOT_CONNECTED, "the session is not connected; it is dialled again by itself")
}

/// The session is no longer paired.
pub(crate) fn logged_out() -> Fault {
    Fault::fail("logged_out", "the session is not paired; pair it again")
}

/// The connection ended before the server's word came.
pub(crate) fn lost() -> Fault {
    Fault::unknown("connection_lost", "the connection ended before the server acknowledged the message")
}

/// The server was silent for too long.
pub(crate) fn timeout(seconds: u64) -> Fault {
    Fault::unknown("ack_timeout", format!("the server did not acknowledge the message within {seconds} s"))
}

/// A file was on its way for too long.
pub(crate) fn media_timeout(seconds: u64) -> Fault {
    Fault::retry("media_timeout", format!("the file was not transferred within {seconds} s"))
}

pub(crate) fn of_send(error: SendError) -> Fault {
    match &error {
        SendError::NotLoggedIn => not_connected(),
        SendError::InvalidRequest(_) => Fault::fail("send_invalid", error.to_string()),
        SendError::Internal(inner) => {
            let inner: &(dyn std::error::Error + Send + Sync + 'static) = inner.as_ref();
            of_chain(inner)
        }
        _ => of_chain(&error),
    }
}

/// The keys could not be written before the send.
pub(crate) fn of_keys(error: SignalMaintenanceError) -> Fault {
    keys_not_stored(&error.to_string())
}

fn keys_not_stored(why: &str) -> Fault {
    Fault::retry(KEYS_NOT_STORED, format!("the session's keys could not be stored, so nothing was sent: {why}"))
}

pub(super) fn of_presence(error: PresenceError) -> Fault {
    match &error {
        PresenceError::PushNameEmpty => Fault::retry(
            "push_name_unknown",
            "presence carries the account's name, which the phone has not handed over yet",
        ),
        _ => of_chain(&error),
    }
}

pub(super) fn of_chatstate(error: ChatStateError) -> Fault {
    of_chain(&error)
}

pub(super) fn of_receipt(error: anyhow::Error) -> Fault {
    let error: &(dyn std::error::Error + Send + Sync + 'static) = error.as_ref();
    of_chain(error)
}

/// A change of the account's own state failed.
pub(crate) fn of_state(error: AppStateError) -> Fault {
    match &error {
        // What is asked for here is well formed, so it is the keys that are not
        // there: the phone hands them over some time after pairing.
        AppStateError::InvalidRequest(_) => Fault::retry(
            "state_keys_missing",
            format!("the phone has not handed over the keys of the account's state yet: {error}"),
        ),
        AppStateError::Internal(inner) => {
            let inner: &(dyn std::error::Error + Send + Sync + 'static) = inner.as_ref();
            of_chain(inner)
        }
        _ => of_chain(&error),
    }
}

/// What a group is could not be learnt.
pub(crate) fn of_group(error: GroupError) -> Fault {
    if let Some(rejection) = error.server_rejection() {
        return of_group_code(rejection.code);
    }
    match &error {
        GroupError::Mex(mex) => of_mex(mex),
        GroupError::InvalidRequest(_) => Fault::fail("group_invalid", error.to_string()),
        GroupError::DescriptionConflict => Fault::retry(
            "description_conflict",
            "somebody else changed the description at the same time; read it and change it again",
        ),
        _ => of_chain(&error),
    }
}

/// What a code in the server's answer about a group means.
pub(crate) fn of_group_code(code: u16) -> Fault {
    match code {
        401 | 403 => Fault::fail("not_a_member", format!("this account may not do this in the group ({code})")),
        404 | 406 => Fault::fail("group_not_found", format!("WhatsApp does not know this group ({code})")),
        410 => Fault::fail("group_gone", "the group is no longer there (410)"),
        other => of_refusal(&other.to_string()),
    }
}

/// A question in WhatsApp's GraphQL failed.
pub(crate) fn of_mex(error: &MexError) -> Fault {
    match error {
        MexError::ExtensionError { code, message } => match code {
            401 | 403 => Fault::fail("forbidden", format!("WhatsApp does not allow this ({code}): {message}")),
            404 => Fault::fail("not_found", format!("WhatsApp does not know this (404): {message}")),
            429 => Fault::retry(OVERLIMIT, "WhatsApp limits the rate of this account (429); ask slower"),
            code => Fault::fail("refused", format!("WhatsApp refused this ({code}): {message}")),
        },
        MexError::Request(error) => of_chain(error),
        _ => Fault::retry("answer_unreadable", format!("WhatsApp's answer cannot be read: {error}")),
    }
}

pub(crate) fn of_newsletter(error: NewsletterError) -> Fault {
    match &error {
        NewsletterError::Mex(mex) => of_mex(mex),
        NewsletterError::InvalidRequest(_) => Fault::fail("newsletter_invalid", error.to_string()),
        NewsletterError::Internal(inner) => {
            let inner: &(dyn std::error::Error + Send + Sync + 'static) = inner.as_ref();
            of_chain(inner)
        }
        _ => of_chain(&error),
    }
}

/// A file did not reach WhatsApp's servers. It was not sent, whatever happened.
pub(super) fn of_upload(error: anyhow::Error) -> Fault {
    let error: &(dyn std::error::Error + Send + Sync + 'static) = error.as_ref();
    match error.http_status() {
        Some(413) => Fault::fail("media_too_large", "the file is larger than WhatsApp takes (413)"),
        Some(415) => Fault::fail("media_refused", "WhatsApp does not take this file (415)"),
        Some(status) => {
            Fault::retry("upload_failed", format!("WhatsApp's media server did not take the file ({status})"))
        }
        None if error.is_transport_unavailable() => not_connected(),
        None => Fault::retry("upload_failed", format!("the file could not be uploaded: {error:#}")),
    }
}

pub(crate) fn of_chain<E: ErrorChainExt + ToString + ?Sized>(error: &E) -> Fault {
    let written = error.sources().any(|cause| {
        cause
            .downcast_ref::<EncryptSendError>()
            .is_some_and(|error| matches!(error.kind, EncryptSendErrorKind::Transport | EncryptSendErrorKind::Join))
    });
    if written {
        return lost();
    }
    if error.is_transport_unavailable() {
        return not_connected();
    }
    // The library saves its keys before it writes.
    if error.sources().any(|cause| cause.is::<KeyStoreError>()) {
        return keys_not_stored(&error.to_string());
    }
    // What asks the server before the message is written: devices, keys, groups.
    if let Some(rejection) = error.server_rejection() {
        return of_refusal(&rejection.code.to_string());
    }
    if error.is_timeout() {
        return Fault::retry("server_timeout", "the server did not answer; nothing was sent");
    }
    Fault::retry("send_failed", error.to_string())
}

/// What a code in the server's acknowledgement, or in its answer to a question
/// that a send asks first, means.
pub(super) fn of_refusal(code: &str) -> Fault {
    match code {
        "404" => Fault::fail("recipient_not_on_whatsapp", "WhatsApp does not know the recipient (404)"),
        "401" | "403" => Fault::fail("send_forbidden", format!("WhatsApp does not allow this message here ({code})")),
        "421" => Fault::retry("group_addressing_stale", "the group changed how it is addressed; it is read anew (421)"),
        "429" => Fault::retry(OVERLIMIT, "WhatsApp limits the rate of this account (429); send slower"),
        "463" => Fault::retry(
            REACH_OUT_LOCKED,
            "WhatsApp lets this account write only to people who wrote to it, for now (463)",
        ),
        // Its servers' own troubles, among them codes that nobody has seen yet.
        "408" => Fault::retry("server_unavailable", "WhatsApp could not take the message now (408)"),
        code if code.len() == 3 && code.starts_with('5') => {
            Fault::retry("server_unavailable", format!("WhatsApp could not take the message now ({code})"))
        }
        other => Fault::fail(
            "send_refused",
            format!("WhatsApp refused the message ({})", other.chars().take(16).collect::<String>()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warest_model::fault::FaultKind;
    use whatsapp_rust::ClientError;

    #[test]
    fn what_was_not_written_is_retried_and_what_may_have_been_is_unknown() {
        let kind = |error: SendError| of_send(error).kind;
        assert_eq!(kind(SendError::Client(ClientError::NotConnected)), FaultKind::Retry);
        assert_eq!(kind(SendError::NotLoggedIn), FaultKind::Retry);
        assert_eq!(kind(SendError::InvalidRequest("x".into())), FaultKind::Fail);
        let sent = |error: EncryptSendError| SendError::Client(ClientError::EncryptSend(error));
        assert_eq!(kind(sent(EncryptSendError::transport(anyhow::anyhow!("reset")))), FaultKind::Unknown);
        assert_eq!(kind(sent(EncryptSendError::poisoned())), FaultKind::Retry);
        assert_eq!(kind(SendError::Internal(anyhow::anyhow!("x"))), FaultKind::Retry);
        let full = anyhow::Error::new(KeyStoreError::Validation("disk full".into())).context("flushing the keys");
        assert_eq!(of_send(SendError::Internal(full)).code, "keys_not_stored");
    }

    #[test]
    fn the_servers_codes_are_told_apart() {
        for (code, kind) in [
            ("404", FaultKind::Fail),
            ("400", FaultKind::Fail),
            ("479", FaultKind::Fail),
            ("429", FaultKind::Retry),
            ("463", FaultKind::Retry),
            ("503", FaultKind::Retry),
            ("599", FaultKind::Retry),
            ("5", FaultKind::Fail),
        ] {
            assert_eq!(of_refusal(code).kind, kind, "{code}");
        }
    }
}
