//! Flows and plugins.

use super::*;
use warest_model::id::FlowId;
use warest_model::plan::StateWrite;
use warest_model::reactor::{Flow, Plugin, PluginBinding};
use warest_store::{Decision, StoreError};

/// Gives a reactor state and something that is owed to it.
async fn burden(store: &dyn Store, reactor: &ReactorRef) {
    let to = std::slice::from_ref(reactor);
    store.append(vec![owed(&new_event("s", ""), to), owed(&new_event("s", ""), to)]).await.unwrap();
    let dispatch = store.dispatches(reactor, None, 0, 1).await.unwrap().remove(0);
    let state = vec![StateWrite { key: "k".into(), value: Some("v".into()) }];
    store.decide(&dispatch, Decision { run: None, state }).await.unwrap();
}

async fn is_burdened(store: &dyn Store, reactor: &ReactorRef) -> (bool, bool) {
    let state = store.reactor_state(reactor, &name("s"), "").await.unwrap();
    let owed = store.dispatches(reactor, None, 0, 10).await.unwrap();
    (!state.is_empty(), !owed.is_empty())
}

pub async fn flows_are_replaced_and_removed(driver: &mut impl Driver) {
    let (ana, bob) = (UserId::new(NOW), UserId::new(NOW));
    let flow = |owner: &UserId, created_ms| Flow {
        id: FlowId::new(NOW),
        owner: owner.clone(),
        name: "greet".into(),
        session: None,
        on: EventKind::ALL.to_vec(),
        script: "fn on_event(e) {}".into(),
        enabled: true,
        created_ms,
        updated_ms: NOW,
    };
    let (young, old, other) = (flow(&ana, NOW), flow(&ana, NOW - 1), flow(&bob, NOW - 2));
    for flow in [&young, &old, &other] {
        driver.store().put_flow(flow).await.unwrap();
    }
    let changed = Flow { session: Some(name("s")), on: Vec::new(), enabled: false, script: "1".into(), ..young };
    driver.store().put_flow(&changed).await.unwrap();
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.flows(Some(&ana)).await.unwrap(), [old.clone(), changed.clone()]);
    assert_eq!(store.flows(None).await.unwrap().len(), 3);
    assert_eq!(store.flow(&changed.id).await.unwrap(), Some(changed.clone()));

    let (gone, stays) = (ReactorRef::Flow(old.id.clone()), ReactorRef::Flow(changed.id));
    burden(store, &gone).await;
    burden(store, &stays).await;
    store.delete_flow(&old.id).await.unwrap();
    assert_eq!(store.flow(&old.id).await.unwrap(), None);
    assert_eq!(is_burdened(store, &gone).await, (false, false));
    assert_eq!(is_burdened(store, &stays).await, (true, true));
    assert!(matches!(store.delete_flow(&old.id).await, Err(StoreError::NotFound { .. })));
}

pub async fn plugins_are_replaced_and_removed(driver: &mut impl Driver) {
    let owner = UserId::new(NOW);
    let plugin_of = |name: &str, version: &str| Plugin {
        name: name.into(),
        owner: owner.clone(),
        version: version.into(),
        on: vec![EventKind::MessageReceived],
        sha256: "00".repeat(32),
        size: 3,
        created_ms: NOW,
    };
    let (echo, other) = (plugin_of("echo", "2"), plugin_of("other", "1"));
    let store = driver.store();
    store.put_plugin(&plugin_of("echo", "1"), b"one").await.unwrap();
    store.put_plugin(&echo, b"two").await.unwrap();
    store.put_plugin(&other, b"xxx").await.unwrap();
    let binding = |plugin: &str, enabled| PluginBinding {
        session: name("s"),
        plugin: plugin.into(),
        enabled,
        config: json!({"enabled": enabled}),
    };
    for one in [binding("echo", true), binding("other", true), binding("other", false)] {
        store.put_binding(&one).await.unwrap();
    }
    burden(store, &plugin("echo")).await;
    burden(store, &plugin("other")).await;
    driver.restart().await;
    let store = driver.store();
    assert_eq!(store.plugins(Some(&owner)).await.unwrap(), [echo.clone(), other.clone()]);
    assert_eq!(store.plugins(Some(&UserId::new(NOW))).await.unwrap(), []);
    assert_eq!(store.plugin("echo").await.unwrap(), Some(echo));
    assert_eq!(store.plugin_component("echo").await.unwrap().unwrap(), b"two");
    assert_eq!(store.bindings().await.unwrap(), [binding("echo", true), binding("other", false)]);

    store.delete_plugin("echo").await.unwrap();
    assert_eq!(store.plugins(None).await.unwrap(), [other]);
    assert_eq!(store.plugin_component("echo").await.unwrap(), None);
    assert_eq!(store.bindings().await.unwrap(), [binding("other", false)]);
    assert_eq!(is_burdened(store, &plugin("echo")).await, (false, false));
    assert_eq!(is_burdened(store, &plugin("other")).await, (true, true));
    assert!(matches!(store.delete_plugin("echo").await, Err(StoreError::NotFound { .. })));
}
