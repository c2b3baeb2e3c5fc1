//! What the server refuses of questions, as faults with stable codes.

use crate::outbound::fault::{of_chain, of_mex};
use warest_model::fault::{Fault, OVERLIMIT};
use whatsapp_rust::{CommunityError, ErrorChainExt, GroupError, IqError, MexError};

/// What was asked for, where the same number means different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To read about a group.
    Read,
    /// To change a group.
    Manage,
    /// To read where an invitation leads.
    Invite,
    /// To join.
    Join,
    /// About a person.
    Person,
    /// About this account.
    Own,
}

/// A question about groups failed.
pub(super) fn group(error: GroupError, asked: Asked) -> Fault {
    if let Some(rejection) = error.server_rejection() {
        return code(rejection.code, asked);
    }
    match &error {
        GroupError::Mex(inner) => mex(inner),
        GroupError::DescriptionConflict => Fault::retry(
            "description_conflict",
            "somebody else changed the description at the same time; read it and change it again",
        ),
        GroupError::InvalidRequest(_) if matches!(asked, Asked::Join | Asked::Invite) => invite_invalid(),
        GroupError::InvalidRequest(why) => Fault::fail("refused", format!("this cannot be asked: {why}")),
        GroupError::Internal(inner) => {
            let inner: &(dyn std::error::Error + Send + Sync + 'static) = inner.as_ref();
            of_chain(inner)
        }
        _ => of_chain(&error),
    }
}

/// A question about communities failed.
pub(super) fn community(error: CommunityError, asked: Asked) -> Fault {
    match error {
        CommunityError::Group(error) => group(error, asked),
        CommunityError::Mex(inner) => mex(&inner),
        CommunityError::InvalidRequest(why) => {
            Fault::retry("answer_unreadable", format!("WhatsApp's answer cannot be read: {why}"))
        }
        error => question(&error, asked),
    }
}

/// A question in WhatsApp's GraphQL failed. What the server refused is to the library
/// an answer that cannot be read, whose words alone say why.
pub(super) fn mex(error: &MexError) -> Fault {
    let told = match error {
        MexError::Request(IqError::ParseError(why)) => refusal(&why.to_string()),
        _ => None,
    };
    of_mex(told.as_ref().unwrap_or(error))
}

/// Reads `MEX fatal error (query=…, code=404): no such newsletter`.
fn refusal(words: &str) -> Option<MexError> {
    let (_, told) = words.strip_prefix("MEX fatal error (")?.split_once("code=")?;
    let (code, message) = told.split_once("): ")?;
    Some(MexError::ExtensionError { code: code.parse().ok()?, message: message.to_owned() })
}

/// Any other question failed.
pub(super) fn question<E: ErrorChainExt + ToString + ?Sized>(error: &E, asked: Asked) -> Fault {
    match error.server_rejection() {
        Some(rejection) => code(rejection.code, asked),
        None => of_chain(error),
    }
}

/// A question failed whose error has no type of its own.
pub(super) fn untyped(error: anyhow::Error, asked: Asked) -> Fault {
    let error: &(dyn std::error::Error + Send + Sync + 'static) = error.as_ref();
    question(error, asked)
}

fn invite_invalid() -> Fault {
    Fault::fail("invite_invalid", "this invitation leads nowhere; ask for a new one")
}

/// What a number in the server's answer means.
pub(super) fn code(code: u16, asked: Asked) -> Fault {
    let fail = |name: &str, why: &str| Fault::fail(name, format!("{why} ({code})"));
    match (code, asked) {
        (429, _) => Fault::retry(OVERLIMIT, "WhatsApp limits the rate of this account (429); ask slower"),
        (408 | 500.., _) => Fault::retry("server_unavailable", format!("WhatsApp could not answer now ({code})")),
        (304 | 409, Asked::Join) => fail("already_member", "this account is a member already"),
        (400 | 404 | 406 | 436, Asked::Join | Asked::Invite) => invite_invalid(),
        (410, Asked::Join | Asked::Invite) => {
            fail("invite_expired", "this invitation was taken back; ask for a new one")
        }
        (401 | 405, Asked::Join) => {
            fail("not_allowed", "this account was removed from the group and cannot come back by itself")
        }
        (412 | 419, _) => fail("group_full", "the group takes no more members"),
        (401 | 403, Asked::Read) => fail("not_a_member", "only members can read about this group"),
        (401, Asked::Manage) => fail("not_a_member", "this account is not a member of the group"),
        (403, Asked::Manage) => fail("not_admin", "only admins of the group may do this"),
        (404 | 406, Asked::Read | Asked::Manage) => fail("group_not_found", "WhatsApp does not know this group"),
        (410, Asked::Read | Asked::Manage) => fail("group_gone", "the group is no longer there"),
        (404, Asked::Person) => fail("user_not_found", "WhatsApp does not know this person"),
        (401 | 403 | 423, _) => fail("not_allowed", "WhatsApp does not allow this"),
        _ => fail("refused", "WhatsApp refused this"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use warest_model::fault::FaultKind;

    #[test]
    fn a_refusal_of_graphql_is_found_in_an_answer_that_cannot_be_read() {
        for (words, name) in [
            ("MEX fatal error (query=join, code=404): no such newsletter", "not_found"),
            ("MEX fatal error (query=join, code=403): not yours", "forbidden"),
            ("Missing <result> node in MEX response", "send_failed"),
        ] {
            let error = MexError::Request(IqError::ParseError(anyhow::anyhow!(words)));
            assert_eq!(mex(&error).code, name, "{words}");
        }
    }

    #[test]
    fn the_same_number_means_different_things_to_different_questions() {
        for (number, asked, name, kind) in [
            (403, Asked::Read, "not_a_member", FaultKind::Fail),
            (403, Asked::Manage, "not_admin", FaultKind::Fail),
            (404, Asked::Manage, "group_not_found", FaultKind::Fail),
            (404, Asked::Person, "user_not_found", FaultKind::Fail),
            (406, Asked::Invite, "invite_invalid", FaultKind::Fail),
            (409, Asked::Join, "already_member", FaultKind::Fail),
            (410, Asked::Join, "invite_expired", FaultKind::Fail),
            (419, Asked::Manage, "group_full", FaultKind::Fail),
            (429, Asked::Own, "overlimit", FaultKind::Retry),
            (503, Asked::Own, "server_unavailable", FaultKind::Retry),
            (400, Asked::Own, "refused", FaultKind::Fail),
        ] {
            let fault = code(number, asked);
            assert_eq!((fault.code.as_str(), fault.kind), (name, kind), "{number} {asked:?}");
        }
    }
}
