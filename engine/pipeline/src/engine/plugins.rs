//! Plugins: upload, use, remove.

use super::Engine;
use crate::directory::SessionEntry;
use crate::error::EngineError;
use serde_json::Value;
use sha2::{Digest, Sha256};
use warest_model::limits::PLUGIN_BYTES;
use warest_model::reactor::{Plugin, PluginBinding, ReactorRef};
use warest_model::user::User;

/// Largest configuration of a plugin, in bytes of its JSON form.
const CONFIG_BYTES: usize = 64 << 10;
/// Most plugins one user may have.
const PLUGINS: usize = 100;

impl Engine {
    /// The plugins that `user` may see, by name.
    pub async fn plugins(&self, user: &User) -> Result<Vec<Plugin>, EngineError> {
        let owner = (!user.is_admin).then_some(&user.id);
        Ok(self.store.plugins(owner).await?)
    }

    /// Adds a plugin, or replaces one of the same name: the next event meets
    /// the new one. `bytes` is a component, or a core module to make one of.
    pub async fn upload_plugin(&self, user: &User, bytes: &[u8]) -> Result<Plugin, EngineError> {
        if bytes.len() > PLUGIN_BYTES {
            return Err(EngineError::Invalid(format!("a plugin may have at most {PLUGIN_BYTES} bytes")));
        }
        let host = self.directory.plugin_host();
        let bytes = bytes.to_vec();
        // Making a component of a large module takes a while; not on this thread.
        let prepared = tokio::task::spawn_blocking(move || warest_react::wasm::prepare(&bytes)).await;
        let prepared = prepared.map_err(|_| EngineError::Invalid("the plugin could not be read".to_owned()))?;
        let component = prepared.map_err(EngineError::Plugin)?;
        let loaded = host.load(&component).await.map_err(EngineError::Plugin)?;
        let mut on = Vec::new();
        for name in loaded.events() {
            on.push(name.parse().map_err(|error| EngineError::Invalid(format!("the plugin's events: {error}")))?);
        }
        let plugin = Plugin {
            name: loaded.name().to_owned(),
            owner: user.id.clone(),
            version: loaded.version().to_owned(),
            on,
            sha256: hex::encode(Sha256::digest(&component)),
            size: component.len() as u64,
            created_ms: self.clock.now_ms(),
        };
        match self.store.plugin(&plugin.name).await? {
            Some(before) if before.owner != user.id => return Err(EngineError::Forbidden("a plugin of this name")),
            Some(_) => {}
            None if self.store.plugins(Some(&user.id)).await?.len() >= PLUGINS => {
                return Err(EngineError::Invalid(format!(
                    "a user may have at most {PLUGINS} plugins; delete one first"
                )));
            }
            None => {}
        }
        self.store.put_plugin(&plugin, &component).await?;
        self.directory.reload_plugins().await?;
        Ok(plugin)
    }

    /// Removes a plugin from every session that uses it.
    pub async fn delete_plugin(&self, user: &User, name: &str) -> Result<(), EngineError> {
        self.own_plugin(user, name).await?;
        self.store.delete_plugin(name).await?;
        self.dispatcher_drop(&ReactorRef::Plugin(name.to_owned()));
        self.directory.reload_plugins().await
    }

    /// Says whether a session uses a plugin, and with which configuration.
    pub async fn bind_plugin(
        &self,
        user: &User,
        entry: &SessionEntry,
        name: &str,
        enabled: bool,
        config: Value,
    ) -> Result<PluginBinding, EngineError> {
        let plugin = self.own_plugin(user, name).await?;
        if plugin.owner != entry.owner.id && !user.is_admin {
            return Err(EngineError::Forbidden("the plugin"));
        }
        if !config.is_object() || config.to_string().len() > CONFIG_BYTES {
            return Err(EngineError::Invalid(format!("`config` takes an object of at most {CONFIG_BYTES} bytes")));
        }
        let binding = PluginBinding { session: entry.session.id.clone(), plugin: plugin.name, enabled, config };
        self.store.put_binding(&binding).await?;
        self.directory.reload_plugins().await?;
        Ok(binding)
    }

    async fn own_plugin(&self, user: &User, name: &str) -> Result<Plugin, EngineError> {
        let plugin = self.store.plugin(name).await?.ok_or(EngineError::NotFound("the plugin"))?;
        if user.is_admin || plugin.owner == user.id { Ok(plugin) } else { Err(EngineError::Forbidden("the plugin")) }
    }
}
