//! A phone's part in app state. It decodes what its companions change, keeps the values, and makes
//! changes of its own, as one participant among others: it checks every patch, builds on the last
//! version, and builds again when another was faster.
//!
//! What it knows follows from the server's collections, so nothing of it is saved; after a restart
//! it reads them again. A patch that does not verify is noted as a problem, and the records are read
//! without checking.

mod action;
pub(crate) mod view;

pub(crate) use action::Action;
pub use action::{ChatChange, LabelChange};
pub use view::{AppStateEntry, AppStateReport, ChatState, Contact, Label, Starred};

use super::compose::{APP_STATE_KEY_ID, app_state_key};
use crate::account::{Account, lock};
use crate::app_state::{self, Update};
use crate::error::SimnetError;
use crate::network::Network;
use crate::server::people;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use wacore::appstate::encode::encode_record;
use wacore::appstate::hash::{HashState, generate_patch_mac};
use wacore::appstate::keys::{ExpandedAppStateKeys, expand_app_state_keys};
use wacore::appstate::processor::{process_patch, process_snapshot};
use wacore::appstate::{AppStateError, decode::Mutation};
use waproto::buffa::{Message as _, MessageField};
use waproto::whatsapp::syncd_mutation::SyncdOperation;
use waproto::whatsapp::{self as wa};

/// Patches read at a time.
const PAGE: usize = 1_000;
/// How often a change is built again because another was faster.
const ATTEMPTS: usize = 10;
/// Problems remembered.
const PROBLEMS: usize = 100;

/// What a phone knows of its account's app state.
#[derive(Default)]
pub(crate) struct Sync(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    mirrors: BTreeMap<&'static str, Mirror>,
    problems: Vec<String>,
}

/// One collection, decoded.
#[derive(Default)]
struct Mirror {
    state: HashState,
    /// Value MACs by index MAC, which the next hash needs.
    macs: HashMap<Vec<u8>, Vec<u8>>,
    values: BTreeMap<Vec<String>, wa::SyncActionValue>,
}

/// Reads what is new in all collections.
pub(crate) fn absorb(net: &Network, account: &Account) {
    let mut inner = lock(&account.primary.sync.0);
    for name in app_state::NAMES {
        inner.absorb(net, account, name);
    }
}

/// Makes a change, and tells the companions. Actions of one collection go in one patch.
pub(crate) fn perform(net: &Network, account: &Account, actions: Vec<Action>) -> Result<(), SimnetError> {
    let mut changed = Vec::new();
    {
        let mut inner = lock(&account.primary.sync.0);
        for name in app_state::NAMES {
            let ours: Vec<&Action> = actions.iter().filter(|action| action.collection == name).collect();
            if !ours.is_empty() {
                changed.push((name.to_owned(), inner.commit(net, account, name, &ours)?));
            }
        }
    }
    app_state::announce(net, account, 0, &changed);
    Ok(())
}

fn keys_of(account: &Account) -> Arc<ExpandedAppStateKeys> {
    Arc::new(expand_app_state_keys(&app_state_key(account)))
}

impl Inner {
    fn absorb(&mut self, net: &Network, account: &Account, name: &'static str) {
        let mirror = self.mirrors.entry(name).or_default();
        let keys = keys_of(account);
        let get_keys = |id: &[u8]| {
            if id == APP_STATE_KEY_ID { Ok(keys.clone()) } else { Err(AppStateError::KeyNotFound) }
        };
        loop {
            let (update, snapshot) = {
                let mut collections = lock(&account.collections);
                let Some(collection) = collections.get(name) else { return };
                let update = collection.since(mirror.state.version, PAGE);
                let snapshot = matches!(update, Update::Snapshot).then(|| collection.snapshot());
                (update, snapshot)
            };
            let failed = match (update, snapshot) {
                (Update::Patches(page, _), _) if page.is_empty() => return,
                (Update::Patches(page, _), _) => page.iter().find_map(|patch| {
                    let patch = wa::SyncdPatch::decode_from_slice(&patch.0).ok()?;
                    match mirror.apply(&patch, get_keys, name) {
                        Ok(mutations) => {
                            mutations.iter().for_each(|mutation| effect(net, account, mutation));
                            None
                        }
                        Err(error) => Some(error),
                    }
                }),
                (Update::Snapshot, Some(snapshot)) => mirror.reset(&snapshot, get_keys, name, true).err(),
                (Update::Snapshot, None) => return,
            };
            let Some(error) = failed else { continue };
            net.stats.count("appstate.invalid");
            tracing::warn!(phone = %account.phone, collection = name, %error, "app state does not verify");
            if self.problems.len() < PROBLEMS {
                self.problems.push(format!("{name}, after version {}: {error}", mirror.state.version));
            }
            let snapshot = lock(&account.collections).get(name).map(|collection| collection.snapshot());
            if let Some(snapshot) = snapshot
                && mirror.reset(&snapshot, get_keys, name, false).is_err()
            {
                // Not even readable: from here on only the versions are followed.
                mirror.state.version = snapshot.version.as_option().and_then(|v| v.version).unwrap_or_default();
            }
        }
    }

    fn commit(
        &mut self,
        net: &Network,
        account: &Account,
        name: &'static str,
        actions: &[&Action],
    ) -> Result<u64, SimnetError> {
        for _ in 0..ATTEMPTS {
            self.absorb(net, account, name);
            let mirror = self.mirrors.entry(name).or_default();
            let patch = mirror.build(net, account, name, actions)?;
            let committed = {
                let mut collections = lock(&account.collections);
                collections.get(name).map(|collection| collection.commit(mirror.state.version, &patch))
            };
            match committed {
                Some(Ok(version)) => {
                    self.absorb(net, account, name);
                    net.stats.count("appstate.patches_of_phones");
                    return Ok(version);
                }
                Some(Err(app_state::Refused::Conflict)) => {}
                Some(Err(app_state::Refused::Malformed)) | None => {
                    return Err(SimnetError::Invalid("the account's app state is full".into()));
                }
            }
        }
        Err(SimnetError::Signal("other devices change the app state faster than the phone".into()))
    }
}

impl Mirror {
    fn apply<F>(&mut self, patch: &wa::SyncdPatch, keys: F, name: &str) -> Result<Vec<Mutation>, AppStateError>
    where
        F: FnMut(&[u8]) -> Result<Arc<ExpandedAppStateKeys>, AppStateError>,
    {
        let mut state = self.state.clone();
        let macs = &self.macs;
        let done = process_patch(patch, &mut state, keys, |index| Ok(macs.get(index).cloned()), true, name)?;
        self.state = state;
        for index in done.removed_index_macs {
            self.macs.remove(&index);
        }
        for mac in done.added_macs {
            self.macs.insert(mac.index_mac, mac.value_mac);
        }
        for mutation in &done.mutations {
            self.enter(mutation);
        }
        Ok(done.mutations)
    }

    /// Starts again from all records.
    fn reset<F>(&mut self, snapshot: &wa::SyncdSnapshot, keys: F, name: &str, check: bool) -> Result<(), AppStateError>
    where
        F: FnMut(&[u8]) -> Result<Arc<ExpandedAppStateKeys>, AppStateError>,
    {
        let mut fresh = Self::default();
        let done = process_snapshot(snapshot, &mut fresh.state, keys, check, name)?;
        fresh.macs = done.mutation_macs.into_iter().map(|mac| (mac.index_mac, mac.value_mac)).collect();
        for mutation in &done.mutations {
            fresh.enter(mutation);
        }
        *self = fresh;
        Ok(())
    }

    fn enter(&mut self, mutation: &Mutation) {
        match (&mutation.action_value, mutation.operation) {
            (Some(value), SyncdOperation::SET) => {
                self.values.insert(mutation.index.clone(), value.clone());
            }
            _ => {
                self.values.remove(&mutation.index);
            }
        }
    }

    /// A patch for the next version.
    fn build(&self, net: &Network, account: &Account, name: &str, actions: &[&Action]) -> Result<Vec<u8>, SimnetError> {
        let keys = keys_of(account);
        let mutations: Vec<wa::SyncdMutation> = actions
            .iter()
            .map(|action| {
                let index = serde_json::to_vec(&action.index).unwrap_or_default();
                let operation = if action.remove { SyncdOperation::REMOVE } else { SyncdOperation::SET };
                let iv = net.chance.bytes();
                encode_record(operation, &index, &action.value, &keys, &APP_STATE_KEY_ID, &iv, action.version).0
            })
            .collect();
        let mut state = self.state.clone();
        let (_, hashed) = state.update_hash(&mutations, |index, _| Ok(self.macs.get(index).cloned()));
        hashed.map_err(|e| SimnetError::Signal(e.to_string()))?;
        state.version += 1;
        let mut patch = wa::SyncdPatch {
            snapshot_mac: Some(state.generate_snapshot_mac(name, &keys.snapshot_mac)),
            key_id: MessageField::some(wa::KeyId { id: Some(APP_STATE_KEY_ID.to_vec()) }),
            mutations,
            ..Default::default()
        };
        patch.patch_mac = Some(generate_patch_mac(&patch, name, &keys.patch_mac, state.version));
        Ok(patch.encode_to_vec())
    }
}

/// What a change does beside being known.
fn effect(net: &Network, account: &Account, mutation: &Mutation) {
    let Some(value) = &mutation.action_value else { return };
    let index: Vec<&str> = mutation.index.iter().map(String::as_str).collect();
    match index.as_slice() {
        ["setting_pushName"] => {
            let name = value.push_name_setting.as_option().and_then(|setting| setting.name.clone());
            if let Some(name) = name {
                people::set_name(net, account, &name);
            }
        }
        ["markChatAsRead", jid] => {
            let read = value.mark_chat_as_read_action.as_option().and_then(|action| action.read);
            if read == Some(true) {
                account.primary.inbox.read_all(&view::chat_of(net, jid));
            }
        }
        _ => {}
    }
}
