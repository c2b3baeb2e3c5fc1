//! Why the server does not do what was asked of a group: the code and text on the wire, and what a
//! person reads.

/// A refused request about a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("no such group: list them with GET /groups")]
    UnknownGroup,
    #[error("this account is not in the group: let an admin add it, or join by its invite code")]
    NotMember,
    #[error("only an admin of the group may do this: promote the account first")]
    NotAdmin,
    #[error("the subject must have 1 to 100 characters")]
    Subject,
    #[error("the description must have at most 2,048 characters")]
    Description,
    #[error("the description changed in between: read its id again")]
    Conflict,
    #[error("a group has at most 1,024 participants: leave some out")]
    TooManyParticipants,
    #[error("the group is full")]
    Full,
    #[error("no group has this invite code: ask for it with POST …/invite")]
    UnknownInvite,
    #[error("this invite code was reset: ask for the new one")]
    InviteReset,
    #[error("the invite has expired or was taken back")]
    InviteGone,
    #[error("this account was removed from the group: an admin has to add it again")]
    WasRemoved,
    #[error("this account is in the group already")]
    AlreadyMember,
    #[error("the network has 10,000 groups already: restart simnet with an empty state")]
    TooMany,
    #[error("the group cannot do this: it is no community")]
    NotCommunity,
    #[error("the request is incomplete")]
    Malformed,
}

impl Refusal {
    /// The code on the wire.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::NotMember | Self::NotAdmin => 403,
            Self::UnknownGroup | Self::UnknownInvite => 404,
            Self::WasRemoved | Self::NotCommunity => 405,
            Self::Subject | Self::Description | Self::TooManyParticipants | Self::TooMany => 406,
            Self::Conflict | Self::AlreadyMember => 409,
            Self::InviteReset | Self::InviteGone => 410,
            Self::Full => 419,
        }
    }

    /// The text on the wire.
    pub(crate) fn text(self) -> &'static str {
        match self.code() {
            400 => "bad-request",
            403 => "forbidden",
            404 => "item-not-found",
            405 => "not-allowed",
            406 => "not-acceptable",
            409 => "conflict",
            410 => "gone",
            _ => "resource-limit",
        }
    }
}

impl From<Refusal> for crate::error::SimnetError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused { code: refusal.code(), reason: refusal.to_string() }
    }
}
