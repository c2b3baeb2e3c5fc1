//! What can be asked of an open account beside sending: its groups, its people,
//! itself. Each question goes to the server at once and is answered in its turn,
//! within [`LinkConfig::send_timeout`]; nothing of it is queued, and nothing is
//! repeated by itself.
//!
//! Faults, by their codes:
//!
//! | code | kind | why |
//! | --- | --- | --- |
//! | `not_connected` | retry | no connection; it is made again by itself |
//! | `connection_lost`, `ack_timeout` | unknown | the connection ended, or time ran out, before the answer came |
//! | `server_timeout`, `server_unavailable` | retry | the server did not answer, or could not |
//! | `overlimit` | retry | the account asks too much (429) |
//! | `keys_not_stored` | retry | the session's keys could not be saved |
//! | `state_keys_missing` | retry | the phone has not handed over the keys of the account's state yet |
//! | `description_conflict` | retry | somebody changed the description at the same time |
//! | `recipient_invalid`, `number_unusable` | fail | an address of the wrong kind |
//! | `group_not_found`, `group_gone` | fail | no such group, or no longer |
//! | `not_a_member`, `not_admin` | fail | this account may not, in this group |
//! | `subject_too_long`, `description_too_long`, `subject_missing` | fail | WhatsApp's bounds |
//! | `group_full` | fail | it takes no more members, or the account no more groups |
//! | `invite_invalid`, `invite_expired`, `already_member` | fail | an invitation leads nowhere, or to where one is |
//! | `user_not_found` | fail | no such person |
//! | `not_allowed` | fail | their privacy, or WhatsApp, does not allow it |
//! | `privacy_invalid`, `timer_invalid`, `label_invalid`, `picture_refused` | fail | a value that WhatsApp does not take |
//! | `newsletter_not_found`, `newsletter_invalid` | fail | no such newsletter, or none |
//! | `refused` | fail | anything else that the server refused, with its code |
//! | `answer_unreadable` | retry | the server's answer makes no sense |
//!
//! [`LinkConfig::send_timeout`]: crate::LinkConfig::send_timeout

mod fault;
mod groups;
mod labels;
mod names;
mod newsletters;
mod open;
mod own;
mod people;

pub(crate) use open::Open;

use async_trait::async_trait;
use warest_model::fault::Fault;
use warest_model::group::{Group, GroupSetting, JoinRequest, Joined, MemberChange, MemberOutcome, NewGroup};
use warest_model::history::Label;
use warest_model::jid::Jid;
use warest_model::people::{Business, Newsletter, NewsletterPost, OnWhatsapp, Privacy, Profile};

/// An open account. What the server refuses is a fault of kind *fail*, what may
/// work later one of kind *retry*.
#[async_trait]
pub trait Account: Send + Sync {
    // Groups.

    /// The groups that this account is a member of, without their members.
    async fn groups(&self) -> Result<Vec<Group>, Fault>;
    /// One group, with its members.
    async fn group(&self, group: &Jid) -> Result<Group, Fault>;
    /// Makes a group; says which of the members it could not have.
    async fn create_group(&self, new: &NewGroup) -> Result<(Group, Vec<MemberOutcome>), Fault>;
    /// Changes who is in a group, and as what.
    async fn change_members(
        &self,
        group: &Jid,
        members: &[Jid],
        change: MemberChange,
    ) -> Result<Vec<MemberOutcome>, Fault>;
    /// Those who ask to join.
    async fn join_requests(&self, group: &Jid) -> Result<Vec<JoinRequest>, Fault>;
    /// Changes a setting.
    async fn set_group(&self, group: &Jid, setting: &GroupSetting) -> Result<(), Fault>;
    /// The code of a group's invitation link; `renew` makes the old one worthless.
    async fn group_invite(&self, group: &Jid, renew: bool) -> Result<String, Fault>;
    /// The group that an invitation leads to.
    async fn group_by_invite(&self, code: &str) -> Result<Group, Fault>;
    /// Joins by an invitation.
    async fn join_group(&self, code: &str) -> Result<Joined, Fault>;
    /// Leaves a group.
    async fn leave_group(&self, group: &Jid) -> Result<(), Fault>;

    // Communities.

    /// Makes a community.
    async fn create_community(&self, subject: &str, description: Option<&str>) -> Result<Group, Fault>;
    /// The groups of a community.
    async fn community_groups(&self, community: &Jid) -> Result<Vec<Group>, Fault>;
    /// Makes groups part of a community, or no longer.
    async fn link_groups(&self, community: &Jid, groups: &[Jid], linked: bool) -> Result<Vec<MemberOutcome>, Fault>;

    // People.

    /// Which of these numbers have accounts, in the order asked.
    async fn on_whatsapp(&self, numbers: &[Jid]) -> Result<Vec<OnWhatsapp>, Fault>;
    /// What somebody shows of themselves.
    async fn profile(&self, of: &Jid) -> Result<Profile, Fault>;
    /// Where the picture of a person or group can be fetched; `None` if there is
    /// none, or none for this account.
    async fn picture(&self, of: &Jid, preview: bool) -> Result<Option<String>, Fault>;
    /// A business's page; `None` if it is no business.
    async fn business(&self, of: &Jid) -> Result<Option<Business>, Fault>;
    /// Whom this account blocks.
    async fn blocked(&self) -> Result<Vec<Jid>, Fault>;
    /// Blocks somebody, or no longer.
    async fn block(&self, whom: &Jid, on: bool) -> Result<(), Fault>;
    /// Has the presence of somebody told from now on, for this connection.
    async fn subscribe_presence(&self, to: &Jid) -> Result<(), Fault>;
    /// The phone number's address behind a LID, or the LID behind it, if known.
    async fn other_name(&self, of: &Jid) -> Result<Option<Jid>, Fault>;

    // The account itself.

    /// Sets the picture (JPEG) of a group, or of the account, and answers its id;
    /// `None` removes it.
    async fn set_picture(&self, group: Option<&Jid>, jpeg: Option<Vec<u8>>) -> Result<Option<String>, Fault>;
    /// Sets what the account says about itself.
    async fn set_about(&self, about: &str) -> Result<(), Fault>;
    /// Sets the name it goes by.
    async fn set_push_name(&self, name: &str) -> Result<(), Fault>;
    /// The name it goes by.
    async fn push_name(&self) -> Result<String, Fault>;
    /// Who sees what of it.
    async fn privacy(&self) -> Result<Vec<Privacy>, Fault>;
    /// Changes who sees something of it.
    async fn set_privacy(&self, privacy: &Privacy) -> Result<(), Fault>;
    /// After how long messages of new chats disappear, in seconds; 0 means never.
    async fn set_default_ephemeral(&self, seconds: u32) -> Result<(), Fault>;
    /// After how long messages of a chat disappear, in seconds; 0 means never.
    async fn set_ephemeral(&self, chat: &Jid, seconds: u32) -> Result<(), Fault>;
    /// The account's devices: numbers, and when they were last known of.
    async fn devices(&self) -> Result<Vec<u16>, Fault>;
    /// Which of them this one is.
    async fn own_device(&self) -> Result<u16, Fault>;
    /// Refuses a call that rings.
    async fn reject_call(&self, call_id: &str, from: &Jid) -> Result<(), Fault>;

    // Labels.

    /// Makes a label, or changes it.
    async fn save_label(&self, label: &Label) -> Result<(), Fault>;
    /// Removes a label.
    async fn remove_label(&self, id: &str) -> Result<(), Fault>;
    /// Puts a label on a chat, or takes it off.
    async fn label_chat(&self, label: &str, chat: &Jid, on: bool) -> Result<(), Fault>;
    /// Saves a contact to the account's address book.
    async fn save_contact(&self, whom: &Jid, full_name: &str, first_name: Option<&str>) -> Result<(), Fault>;

    // Newsletters.

    /// The newsletters that this account follows.
    async fn newsletters(&self) -> Result<Vec<Newsletter>, Fault>;
    /// One newsletter, by its address or the code of its link.
    async fn newsletter(&self, id_or_invite: &str) -> Result<Newsletter, Fault>;
    /// Makes a newsletter.
    async fn create_newsletter(&self, name: &str, description: Option<&str>) -> Result<Newsletter, Fault>;
    /// Follows a newsletter, or no longer.
    async fn follow_newsletter(&self, newsletter: &Jid, on: bool) -> Result<(), Fault>;
    /// The last messages of a newsletter, newest first, before a given one.
    async fn newsletter_posts(
        &self,
        newsletter: &Jid,
        count: u32,
        before: Option<u64>,
    ) -> Result<Vec<NewsletterPost>, Fault>;
    /// Reacts to a message of a newsletter; an empty emoji takes it off.
    async fn react_to_post(&self, newsletter: &Jid, server_id: u64, emoji: &str) -> Result<(), Fault>;
}
