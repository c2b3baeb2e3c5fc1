//! What WhatsApp's refusals of a question mean to a client: one table.
//!
//! A fault says what the server answered, by the code that the link gives it; the
//! question says what that means where the fault leaves it open.

use crate::codes::{self, Code};
use crate::error::ApiError;
use serde_json::json;
use warest_model::fault::{Fault, FaultKind, NOT_CONNECTED, OVERLIMIT};

/// Seconds after which an account that asked too much may ask again.
const OVERLIMIT_RETRY_AFTER: u64 = 60;

/// What was asked, as far as refusals are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// What a group is.
    Group,
    /// To make one.
    GroupCreate,
    /// To change one.
    GroupUpdate,
    /// To add members.
    Add,
    /// To remove members.
    Remove,
    /// To make members admins.
    Promote,
    /// To make admins members.
    Demote,
    /// For an invitation, or what one leads to.
    Invite,
    /// To leave.
    Leave,
    /// What somebody is, or shows.
    Person,
    /// To block somebody.
    Block,
    /// The same undone.
    Unblock,
    /// What the account itself is, or shows.
    Me,
    /// To be told of somebody's presence.
    Presence,
    /// A newsletter.
    Newsletter,
    /// Anything else.
    Other,
}

impl Question {
    /// Its code where WhatsApp refused, where it forbids, and where there is no
    /// such thing.
    fn codes(self) -> [Code; 3] {
        use Question::*;
        let refused = match self {
            GroupCreate => codes::GROUP_CREATE_FAILED,
            GroupUpdate => codes::GROUP_UPDATE_FAILED,
            Add => codes::GROUP_ADD_PARTICIPANT_FAILED,
            Remove => codes::GROUP_REMOVE_PARTICIPANT_FAILED,
            Promote => codes::GROUP_PROMOTE_FAILED,
            Demote => codes::GROUP_DEMOTE_FAILED,
            Invite => codes::GROUP_INVITE_FAILED,
            Leave => codes::GROUP_LEAVE_FAILED,
            Block => codes::CONTACT_BLOCK_FAILED,
            Unblock => codes::CONTACT_UNBLOCK_FAILED,
            Me => codes::ME_INFO_UNAVAILABLE,
            Presence => codes::PRESENCE_UNAVAILABLE,
            Group | Person | Newsletter | Other => codes::DOWNSTREAM_ERROR,
        };
        let forbidden = match self {
            GroupUpdate | Add | Remove | Promote | Demote | Invite => codes::GROUP_NOT_ADMIN,
            _ => codes::FORBIDDEN,
        };
        let unknown = match self {
            Group | GroupUpdate | Add | Remove | Promote | Demote | Invite | Leave => codes::GROUP_NOT_FOUND,
            Person | Block | Unblock | Presence | GroupCreate => codes::USER_NOT_FOUND,
            Me | Newsletter | Other => codes::NOT_FOUND,
        };
        [refused, forbidden, unknown]
    }

    /// The code of the question where nothing of it was done.
    pub fn refused(self) -> Code {
        self.codes()[0]
    }

    /// The refusal that a fault becomes.
    pub fn refusal(self, fault: Fault) -> ApiError {
        let [refused, forbidden, unknown] = self.codes();
        let code = match fault.code.as_str() {
            "logged_out" => return ApiError::not_open(),
            OVERLIMIT => return detailed(codes::RATE_LIMITED, &fault).retry_after(OVERLIMIT_RETRY_AFTER),
            NOT_CONNECTED => codes::SESSION_CLOSED,
            "not_admin" => codes::GROUP_NOT_ADMIN,
            "not_a_member" => codes::FORBIDDEN,
            "not_allowed" | "forbidden" | "send_forbidden" => forbidden,
            "group_not_found" | "group_gone" | "invite_invalid" | "invite_expired" => codes::GROUP_NOT_FOUND,
            "user_not_found" | "recipient_not_on_whatsapp" => codes::USER_NOT_FOUND,
            "not_found" => unknown,
            "newsletter_not_found" => codes::NOT_FOUND,
            "already_member" | "description_conflict" => codes::CONFLICT,
            "subject_too_long" => codes::GROUP_SUBJECT_TOO_LONG,
            "description_too_long" => codes::GROUP_DESCRIPTION_TOO_LONG,
            "subject_missing" | "name_missing" | "timer_invalid" | "number_unusable" | "label_invalid"
            | "newsletter_invalid" | "privacy_invalid" | "call_unknown" | "group_invalid" => codes::INVALID_PARAMETER,
            "action_unsupported" => codes::UNSUPPORTED_OPERATION,
            "server_timeout" => codes::DOWNSTREAM_TIMEOUT,
            _ if fault.kind == FaultKind::Unknown => codes::DOWNSTREAM_TIMEOUT,
            _ => refused,
        };
        detailed(code, &fault)
    }
}

/// Whether a fault says that there is no such thing.
pub fn is_unknown(fault: &Fault) -> bool {
    matches!(
        fault.code.as_str(),
        "group_not_found" | "group_gone" | "user_not_found" | "newsletter_not_found" | "not_found"
    )
}

/// Whether a fault says that there is such a thing, but not for this account.
pub fn is_hidden(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "not_a_member" | "not_allowed" | "forbidden")
}

fn detailed(code: Code, fault: &Fault) -> ApiError {
    ApiError::new(code, fault.message.as_str()).with("results", json!([{ "error": fault.code }]))
}

/// What a member's code in the server's answer means.
pub fn member_refusal(code: u16) -> &'static str {
    match code {
        401 => "they have blocked this account",
        403 => "their privacy settings do not allow it",
        404 => "not on WhatsApp, or not in the group",
        408 => "left the group just now; send them an invitation",
        409 => "is a member already",
        419 => "the group is full",
        429 => "too many at once; try again later",
        _ => "WhatsApp refused",
    }
}

/// What a group's code in the server's answer means, where it was to be part of a
/// community, or no longer.
pub fn part_refusal(code: u16) -> &'static str {
    match code {
        401 | 403 => "only admins of the group and of the community may do this",
        404 => "WhatsApp does not know this group, or it is no part of the community",
        409 => "is part of a community already",
        419 => "the community takes no more groups",
        429 => "too many at once; try again later",
        _ => "WhatsApp refused",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_blocks_the_account_is_told_from_who_is_shy() {
        assert!(member_refusal(401).contains("blocked"));
        assert!(member_refusal(403).contains("privacy"));
    }

    #[test]
    fn a_fault_means_what_was_asked() {
        for (question, fault, code) in [
            (Question::GroupUpdate, Fault::fail("not_admin", "x"), codes::GROUP_NOT_ADMIN),
            (Question::GroupUpdate, Fault::fail("not_allowed", "x"), codes::GROUP_NOT_ADMIN),
            (Question::Person, Fault::fail("not_allowed", "x"), codes::FORBIDDEN),
            (Question::Group, Fault::fail("not_a_member", "x"), codes::FORBIDDEN),
            (Question::Group, Fault::fail("group_gone", "x"), codes::GROUP_NOT_FOUND),
            (Question::Invite, Fault::fail("invite_expired", "x"), codes::GROUP_NOT_FOUND),
            (Question::Block, Fault::fail("user_not_found", "x"), codes::USER_NOT_FOUND),
            (Question::Newsletter, Fault::fail("not_found", "x"), codes::NOT_FOUND),
            (Question::Invite, Fault::fail("already_member", "x"), codes::CONFLICT),
            (Question::Block, Fault::fail("number_unusable", "x"), codes::INVALID_PARAMETER),
            (Question::Promote, Fault::fail("refused", "x"), codes::GROUP_PROMOTE_FAILED),
            (Question::Me, Fault::retry("server_unavailable", "x"), codes::ME_INFO_UNAVAILABLE),
            (Question::Add, Fault::retry(OVERLIMIT, "x"), codes::RATE_LIMITED),
            (Question::Leave, Fault::retry(NOT_CONNECTED, "x"), codes::SESSION_CLOSED),
            (Question::Leave, Fault::fail("logged_out", "x"), codes::SESSION_NOT_LOGGED_IN),
            (Question::Leave, Fault::unknown("connection_lost", "x"), codes::DOWNSTREAM_TIMEOUT),
        ] {
            let what = format!("{question:?} {}", fault.code);
            assert_eq!(question.refusal(fault).code(), code, "{what}");
        }
    }
}
