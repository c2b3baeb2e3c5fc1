//! Groups: what the server knows of them, who may change what, whom a change is told, and where
//! group messages go.
//!
//! Groups are LID-addressed, with the number beside it (`phone_number`, `participant_pn`). All of
//! them live behind one short lock; what is told of a change is queued under it, so that every
//! device hears of the changes of a group in the order in which they happened.

pub(crate) mod act;
pub(crate) mod community;
pub(crate) mod describe;
pub(crate) mod join;
pub(crate) mod message;
pub(crate) mod notify;
pub(crate) mod refusal;
pub(crate) mod settings;
pub(crate) mod state;

use crate::account::lock;
use crate::chance::Chance;
use refusal::Refusal;
use state::Group;
use std::collections::BTreeMap;
use std::sync::Mutex;
use wacore_binary::{Jid, Server};

/// Groups in one network at most.
const GROUPS: usize = 10_000;

/// All groups of the network, by id.
#[derive(Default)]
pub(crate) struct Groups(Mutex<BTreeMap<String, Group>>);

impl Groups {
    /// Reads a group.
    pub(crate) fn read<T>(&self, id: &str, look: impl FnOnce(&Group) -> Result<T, Refusal>) -> Result<T, Refusal> {
        look(lock(&self.0).get(id).ok_or(Refusal::UnknownGroup)?)
    }

    /// Changes a group.
    pub(crate) fn change<T>(&self, id: &str, act: impl FnOnce(&mut Group) -> Result<T, Refusal>) -> Result<T, Refusal> {
        act(lock(&self.0).get_mut(id).ok_or(Refusal::UnknownGroup)?)
    }

    /// Looks at or changes several groups at once.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Group>) -> T) -> T {
        act(&mut lock(&self.0))
    }

    /// Adds a group.
    pub(crate) fn insert(&self, group: Group) -> Result<(), Refusal> {
        let mut groups = lock(&self.0);
        if groups.len() >= GROUPS {
            return Err(Refusal::TooMany);
        }
        groups.insert(group.id.clone(), group);
        Ok(())
    }

    /// The group that an invite code leads to.
    pub(crate) fn by_code(&self, code: &str) -> Result<String, Refusal> {
        let groups = lock(&self.0);
        let found = groups.values().find(|group| group.invite == code);
        found.map(|group| group.id.clone()).ok_or_else(|| {
            let reset = groups.values().any(|group| group.old_invites.iter().any(|old| old == code));
            if reset { Refusal::InviteReset } else { Refusal::UnknownInvite }
        })
    }

    /// The groups of which an account is a member.
    pub(crate) fn of(&self, phone: &str) -> Vec<Group> {
        lock(&self.0).values().filter(|group| group.members.contains_key(phone)).cloned().collect()
    }

    /// All groups.
    pub(crate) fn all(&self) -> Vec<Group> {
        lock(&self.0).values().cloned().collect()
    }
}

/// The id in a group's JID.
pub(crate) fn id_of(jid: &Jid) -> Option<&str> {
    (jid.server == Server::Group && !jid.user.is_empty()).then_some(jid.user.as_str())
}

/// The id in a group's name as people write it: the JID or its digits.
pub(crate) fn id_in(name: &str) -> &str {
    name.strip_suffix("@g.us").unwrap_or(name)
}

/// A group's JID.
pub(crate) fn jid(id: &str) -> Jid {
    Jid::group(id)
}

/// A new group id.
pub(crate) fn fresh_id(chance: &Chance) -> String {
    format!("120363{:012}", u64::from_be_bytes(chance.bytes()) % 1_000_000_000_000)
}

/// A new invite code: 22 letters and digits.
pub(crate) fn fresh_code(chance: &Chance) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    chance.bytes::<22>().iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()])).collect()
}
