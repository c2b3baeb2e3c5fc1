//! Flows and plugins.

use super::{SqliteStore, all, number, or_not_found, text};
use crate::Result;
use crate::codec::{corrupt, parse};
use crate::traits::Reactors;
use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use warest_model::event::EventKind;
use warest_model::id::{FlowId, UserId};
use warest_model::reactor::{Flow, Plugin, PluginBinding, ReactorRef};

#[async_trait]
impl Reactors for SqliteStore {
    async fn flows(&self, owner: Option<&UserId>) -> Result<Vec<Flow>> {
        let rows = match owner {
            None => sqlx::query("SELECT * FROM flows ORDER BY created_ms, no"),
            Some(owner) => {
                sqlx::query("SELECT * FROM flows WHERE owner = ? ORDER BY created_ms, no").bind(owner.as_str())
            }
        };
        all(rows.fetch_all(self.readers()).await?, flow_of)
    }

    async fn flow(&self, id: &FlowId) -> Result<Option<Flow>> {
        sqlx::query("SELECT * FROM flows WHERE id = ?")
            .bind(id.as_str())
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(flow_of)
            .transpose()
    }

    async fn put_flow(&self, flow: &Flow) -> Result<()> {
        let flow = flow.clone();
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO flows (id, owner, name, session, kinds, script, enabled, created_ms, updated_ms)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (id) DO UPDATE SET
                         owner = excluded.owner, name = excluded.name, session = excluded.session,
                         kinds = excluded.kinds, script = excluded.script, enabled = excluded.enabled,
                         created_ms = excluded.created_ms, updated_ms = excluded.updated_ms",
                )
                .bind(flow.id.as_str())
                .bind(flow.owner.as_str())
                .bind(flow.name)
                .bind(flow.session.as_ref().map(|session| session.as_str()))
                .bind(kinds_text(&flow.on))
                .bind(flow.script)
                .bind(flow.enabled)
                .bind(flow.created_ms)
                .bind(flow.updated_ms)
                .execute(db)
                .await?;
                Ok(())
            })
        })
        .await
    }

    async fn delete_flow(&self, id: &FlowId) -> Result<()> {
        let id = id.clone();
        self.write(move |db| {
            Box::pin(async move {
                let done = sqlx::query("DELETE FROM flows WHERE id = ?").bind(id.as_str()).execute(&mut *db).await?;
                or_not_found("flow", done.rows_affected())?;
                forget(db, &ReactorRef::Flow(id)).await
            })
        })
        .await
    }

    async fn plugins(&self, owner: Option<&UserId>) -> Result<Vec<Plugin>> {
        let rows = match owner {
            None => sqlx::query("SELECT * FROM plugins ORDER BY name"),
            Some(owner) => sqlx::query("SELECT * FROM plugins WHERE owner = ? ORDER BY name").bind(owner.as_str()),
        };
        all(rows.fetch_all(self.readers()).await?, plugin_of)
    }

    async fn plugin(&self, name: &str) -> Result<Option<Plugin>> {
        sqlx::query("SELECT * FROM plugins WHERE name = ?")
            .bind(name)
            .fetch_optional(self.readers())
            .await?
            .as_ref()
            .map(plugin_of)
            .transpose()
    }

    async fn plugin_component(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(sqlx::query_scalar("SELECT component FROM plugin_components WHERE name = ?")
            .bind(name)
            .fetch_optional(self.readers())
            .await?)
    }

    async fn put_plugin(&self, plugin: &Plugin, component: &[u8]) -> Result<()> {
        let (plugin, component) = (plugin.clone(), component.to_vec());
        let size = i64::try_from(plugin.size).map_err(|error| corrupt("plugin", error))?;
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO plugins (name, owner, version, kinds, sha256, size, created_ms)
                     VALUES (?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (name) DO UPDATE SET
                         owner = excluded.owner, version = excluded.version, kinds = excluded.kinds,
                         sha256 = excluded.sha256, size = excluded.size, created_ms = excluded.created_ms",
                )
                .bind(&plugin.name)
                .bind(plugin.owner.as_str())
                .bind(plugin.version)
                .bind(kinds_text(&plugin.on))
                .bind(plugin.sha256)
                .bind(size)
                .bind(plugin.created_ms)
                .execute(&mut *db)
                .await?;
                sqlx::query(
                    "INSERT INTO plugin_components (name, component) VALUES (?, ?)
                     ON CONFLICT (name) DO UPDATE SET component = excluded.component",
                )
                .bind(&plugin.name)
                .bind(component)
                .execute(db)
                .await?;
                Ok(())
            })
        })
        .await
    }

    async fn delete_plugin(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.write(move |db| {
            Box::pin(async move {
                // The component goes with it.
                let done = sqlx::query("DELETE FROM plugins WHERE name = ?").bind(&name).execute(&mut *db).await?;
                or_not_found("plugin", done.rows_affected())?;
                sqlx::query("DELETE FROM bindings WHERE plugin = ?").bind(&name).execute(&mut *db).await?;
                forget(db, &ReactorRef::Plugin(name)).await
            })
        })
        .await
    }

    async fn bindings(&self) -> Result<Vec<PluginBinding>> {
        let rows = sqlx::query("SELECT session, plugin, enabled, config FROM bindings ORDER BY session, plugin")
            .fetch_all(self.readers())
            .await?;
        all(rows, |row| {
            Ok(PluginBinding {
                session: parse("binding", text(row, "session")?)?,
                plugin: row.try_get("plugin")?,
                enabled: row.try_get("enabled")?,
                config: serde_json::from_str(text(row, "config")?).map_err(|error| corrupt("binding", error))?,
            })
        })
    }

    async fn put_binding(&self, binding: &PluginBinding) -> Result<()> {
        let binding = binding.clone();
        self.write(move |db| {
            Box::pin(async move {
                sqlx::query(
                    "INSERT INTO bindings (session, plugin, enabled, config) VALUES (?, ?, ?, ?)
                     ON CONFLICT (session, plugin) DO UPDATE SET
                         enabled = excluded.enabled, config = excluded.config",
                )
                .bind(binding.session.as_str())
                .bind(binding.plugin)
                .bind(binding.enabled)
                .bind(binding.config.to_string())
                .execute(db)
                .await?;
                Ok(())
            })
        })
        .await
    }
}

/// Removes the state of a reactor and what is owed to it.
async fn forget(db: &mut SqliteConnection, reactor: &ReactorRef) -> Result<()> {
    let name = reactor.to_string();
    sqlx::query("DELETE FROM reactor_state WHERE reactor = ?").bind(&name).execute(&mut *db).await?;
    sqlx::query("DELETE FROM dispatches WHERE reactor = ?").bind(&name).execute(&mut *db).await?;
    Ok(())
}

pub(super) fn kinds_text(kinds: &[EventKind]) -> String {
    kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",")
}

pub(super) fn kinds_of(what: &'static str, text: &str) -> Result<Vec<EventKind>> {
    text.split(',').filter(|name| !name.is_empty()).map(|name| parse(what, name)).collect()
}

fn flow_of(row: &SqliteRow) -> Result<Flow> {
    const WHAT: &str = "flow";
    let session: Option<&str> = row.try_get("session")?;
    Ok(Flow {
        id: parse(WHAT, text(row, "id")?)?,
        owner: parse(WHAT, text(row, "owner")?)?,
        name: row.try_get("name")?,
        session: session.map(|session| parse(WHAT, session)).transpose()?,
        on: kinds_of(WHAT, text(row, "kinds")?)?,
        script: row.try_get("script")?,
        enabled: row.try_get("enabled")?,
        created_ms: row.try_get("created_ms")?,
        updated_ms: row.try_get("updated_ms")?,
    })
}

fn plugin_of(row: &SqliteRow) -> Result<Plugin> {
    const WHAT: &str = "plugin";
    Ok(Plugin {
        name: row.try_get("name")?,
        owner: parse(WHAT, text(row, "owner")?)?,
        version: row.try_get("version")?,
        on: kinds_of(WHAT, text(row, "kinds")?)?,
        sha256: row.try_get("sha256")?,
        size: number(row, WHAT, "size")?,
        created_ms: row.try_get("created_ms")?,
    })
}
