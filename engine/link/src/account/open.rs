//! An open account over its connection: each question with a deadline.

use super::{Account, groups, labels, newsletters, own, people};
use crate::outbound::fault;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use warest_model::fault::Fault;
use warest_model::group::{Group, GroupSetting, JoinRequest, Joined, MemberChange, MemberOutcome, NewGroup};
use warest_model::history::Label;
use warest_model::jid::Jid;
use warest_model::people::{Business, Newsletter, NewsletterPost, OnWhatsapp, Privacy, Profile};
use whatsapp_rust::Client;

/// An open account.
pub(crate) struct Open {
    client: Arc<Client>,
    deadline: Duration,
}

impl Open {
    /// The account behind a connection, whose answers are waited for this long.
    pub(crate) fn new(client: Arc<Client>, deadline: Duration) -> Self {
        Self { client, deadline }
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        tokio::time::timeout(self.deadline, work).await.unwrap_or_else(|_| Err(fault::timeout(self.deadline.as_secs())))
    }
}

#[async_trait]
impl Account for Open {
    async fn groups(&self) -> Result<Vec<Group>, Fault> {
        self.within(groups::all(&self.client)).await
    }

    async fn group(&self, group: &Jid) -> Result<Group, Fault> {
        self.within(groups::one(&self.client, group)).await
    }

    async fn create_group(&self, new: &NewGroup) -> Result<(Group, Vec<MemberOutcome>), Fault> {
        self.within(groups::create(&self.client, new)).await
    }

    async fn change_members(
        &self,
        group: &Jid,
        members: &[Jid],
        change: MemberChange,
    ) -> Result<Vec<MemberOutcome>, Fault> {
        self.within(groups::change_members(&self.client, group, members, change)).await
    }

    async fn join_requests(&self, group: &Jid) -> Result<Vec<JoinRequest>, Fault> {
        self.within(groups::join_requests(&self.client, group)).await
    }

    async fn set_group(&self, group: &Jid, setting: &GroupSetting) -> Result<(), Fault> {
        self.within(groups::set(&self.client, group, setting)).await
    }

    async fn group_invite(&self, group: &Jid, renew: bool) -> Result<String, Fault> {
        self.within(groups::invite(&self.client, group, renew)).await
    }

    async fn group_by_invite(&self, code: &str) -> Result<Group, Fault> {
        self.within(groups::by_invite(&self.client, code)).await
    }

    async fn join_group(&self, code: &str) -> Result<Joined, Fault> {
        self.within(groups::join(&self.client, code)).await
    }

    async fn leave_group(&self, group: &Jid) -> Result<(), Fault> {
        self.within(groups::leave(&self.client, group)).await
    }

    async fn create_community(&self, subject: &str, description: Option<&str>) -> Result<Group, Fault> {
        self.within(groups::create_community(&self.client, subject, description)).await
    }

    async fn community_groups(&self, community: &Jid) -> Result<Vec<Group>, Fault> {
        self.within(groups::community_groups(&self.client, community)).await
    }

    async fn link_groups(&self, community: &Jid, groups: &[Jid], linked: bool) -> Result<Vec<MemberOutcome>, Fault> {
        self.within(groups::link(&self.client, community, groups, linked)).await
    }

    async fn on_whatsapp(&self, numbers: &[Jid]) -> Result<Vec<OnWhatsapp>, Fault> {
        self.within(people::on_whatsapp(&self.client, numbers)).await
    }

    async fn profile(&self, of: &Jid) -> Result<Profile, Fault> {
        self.within(people::profile(&self.client, of)).await
    }

    async fn picture(&self, of: &Jid, preview: bool) -> Result<Option<String>, Fault> {
        self.within(people::picture(&self.client, of, preview)).await
    }

    async fn business(&self, of: &Jid) -> Result<Option<Business>, Fault> {
        self.within(people::business(&self.client, of)).await
    }

    async fn blocked(&self) -> Result<Vec<Jid>, Fault> {
        self.within(people::blocked(&self.client)).await
    }

    async fn block(&self, whom: &Jid, on: bool) -> Result<(), Fault> {
        self.within(people::block(&self.client, whom, on)).await
    }

    async fn subscribe_presence(&self, to: &Jid) -> Result<(), Fault> {
        self.within(people::subscribe_presence(&self.client, to)).await
    }

    async fn other_name(&self, of: &Jid) -> Result<Option<Jid>, Fault> {
        self.within(people::other_name(&self.client, of)).await
    }

    async fn set_picture(&self, group: Option<&Jid>, jpeg: Option<Vec<u8>>) -> Result<Option<String>, Fault> {
        self.within(own::set_picture(&self.client, group, jpeg)).await
    }

    async fn set_about(&self, about: &str) -> Result<(), Fault> {
        self.within(own::set_about(&self.client, about)).await
    }

    async fn set_push_name(&self, name: &str) -> Result<(), Fault> {
        self.within(own::set_push_name(&self.client, name)).await
    }

    async fn push_name(&self) -> Result<String, Fault> {
        Ok(own::push_name(&self.client))
    }

    async fn privacy(&self) -> Result<Vec<Privacy>, Fault> {
        self.within(own::privacy(&self.client)).await
    }

    async fn set_privacy(&self, privacy: &Privacy) -> Result<(), Fault> {
        self.within(own::set_privacy(&self.client, privacy)).await
    }

    async fn set_default_ephemeral(&self, seconds: u32) -> Result<(), Fault> {
        self.within(own::set_default_ephemeral(&self.client, seconds)).await
    }

    async fn set_ephemeral(&self, chat: &Jid, seconds: u32) -> Result<(), Fault> {
        self.within(own::set_ephemeral(&self.client, chat, seconds)).await
    }

    async fn devices(&self) -> Result<Vec<u16>, Fault> {
        self.within(own::devices(&self.client)).await
    }

    async fn own_device(&self) -> Result<u16, Fault> {
        own::device(&self.client)
    }

    async fn reject_call(&self, call_id: &str, from: &Jid) -> Result<(), Fault> {
        self.within(own::reject_call(&self.client, call_id, from)).await
    }

    async fn save_label(&self, label: &Label) -> Result<(), Fault> {
        self.within(labels::save(&self.client, label)).await
    }

    async fn remove_label(&self, id: &str) -> Result<(), Fault> {
        self.within(labels::remove(&self.client, id)).await
    }

    async fn label_chat(&self, label: &str, chat: &Jid, on: bool) -> Result<(), Fault> {
        self.within(labels::put(&self.client, label, chat, on)).await
    }

    async fn save_contact(&self, whom: &Jid, full_name: &str, first_name: Option<&str>) -> Result<(), Fault> {
        self.within(own::save_contact(&self.client, whom, full_name, first_name)).await
    }

    async fn newsletters(&self) -> Result<Vec<Newsletter>, Fault> {
        self.within(newsletters::all(&self.client)).await
    }

    async fn newsletter(&self, id_or_invite: &str) -> Result<Newsletter, Fault> {
        self.within(newsletters::one(&self.client, id_or_invite)).await
    }

    async fn create_newsletter(&self, name: &str, description: Option<&str>) -> Result<Newsletter, Fault> {
        self.within(newsletters::create(&self.client, name, description)).await
    }

    async fn follow_newsletter(&self, newsletter: &Jid, on: bool) -> Result<(), Fault> {
        self.within(newsletters::follow(&self.client, newsletter, on)).await
    }

    async fn newsletter_posts(
        &self,
        newsletter: &Jid,
        count: u32,
        before: Option<u64>,
    ) -> Result<Vec<NewsletterPost>, Fault> {
        self.within(newsletters::posts(&self.client, newsletter, count, before)).await
    }

    async fn react_to_post(&self, newsletter: &Jid, server_id: u64, emoji: &str) -> Result<(), Fault> {
        self.within(newsletters::react(&self.client, newsletter, server_id, emoji)).await
    }
}
