#![allow(clippy::unwrap_used, missing_docs)]
//! `warest doctor` on a sound store, and on copies in which one thing each was
//! made wrong.

use futures::StreamExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use warest_model::event::{Event, EventKind};
use warest_model::history::{Change, Media, Message, MessageStatus};
use warest_model::id::{EventId, FlowId, JobId, MediaId, RunId, SessionId, TargetId, UserId};
use warest_model::jid::Jid;
use warest_model::job::SendJob;
use warest_model::plan::{Effect, MessageKey, Path as StepPath, Plan};
use warest_model::reactor::{Flow, Plugin, PluginBinding, ReactorRef};
use warest_model::run::{Run, RunCause, RunState, Step, StepState};
use warest_model::session::Session;
use warest_model::target::{Target, TargetHealth, TargetOptions};
use warest_model::user::User;
use warest_store::media::{MediaFile, MediaRows, MediaShelf, ObjectShelf, ShelfOptions, object_name};
use warest_store::secret::{Cipher, MasterKey};
use warest_store::sqlite::SqliteStore;
use warest_store::{EventLog, History, NewEvent, NewRun, Reactors, Registry, Runs, SendQueue, Targets};

const NOW: i64 = 1_700_000_000_000;
const KEY: &str = "0707070707070707070707070707070707070707070707070707070707070707";
const OTHER_KEY: &str = "0808080808080808080808080808080808080808080808080808080808080808";

fn id<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().unwrap()
}

fn job(name: &str, step: Option<&RunId>) -> SendJob {
    let effect = Effect::text(Jid::parse("628111", "62").unwrap(), "hi");
    SendJob {
        chat: None,
        step: step.map(|run| (run.clone(), StepPath::from_text("0"))),
        ..SendJob::new(id::<JobId>(&format!("job_{name:0>26}")), id("shop"), effect, NOW)
    }
}

fn run(name: &str, wake_ms: Option<i64>, job_name: Option<&str>) -> NewRun {
    let run = Run {
        id: id(&format!("run_{name:0>26}")),
        session: id("shop"),
        chat: None,
        cause: RunCause { by: "api".to_owned(), event: None },
        plan: Plan::default(),
        state: RunState::Active,
        fault: None,
        created_ms: NOW,
        ended_ms: None,
    };
    let step = Step {
        path: StepPath::from_text("0"),
        action: "text".to_owned(),
        state: StepState::Queued,
        attempts: 0,
        message_id: None,
        due_ms: None,
        fault: None,
        started_ms: NOW,
        ended_ms: None,
    };
    let jobs = job_name.map(|name| job(name, Some(&run.id))).into_iter().collect();
    NewRun { run, steps: vec![step], jobs, wake_ms }
}

/// A store with something of everything.
async fn sound(folder: &Path) {
    write_key(folder, KEY);
    let key = MasterKey::from_hex(KEY).unwrap();
    let store = SqliteStore::open(folder.join("warest.sqlite"), Cipher::new(&key)).await.unwrap();
    let owner: UserId = id("usr_00000000000000000000000001");
    let user = User { id: owner.clone(), username: "admin".to_owned(), is_admin: true, created_ms: NOW };
    store.add_user(&user, [7; 32]).await.unwrap();
    for name in ["shop", "desk"] {
        let session = Session {
            id: id::<SessionId>(name),
            owner: owner.clone(),
            label: String::new(),
            enabled: true,
            me: None,
            created_ms: NOW,
        };
        store.add_session(&session).await.unwrap();
    }
    let flow = Flow {
        id: id::<FlowId>("flw_00000000000000000000000001"),
        owner: owner.clone(),
        name: "f".to_owned(),
        session: None,
        on: vec![EventKind::MessageReceived],
        script: "reply(\"hi\");".to_owned(),
        enabled: true,
        created_ms: NOW,
        updated_ms: NOW,
    };
    store.put_flow(&flow).await.unwrap();
    let component = include_bytes!("../../../plugins/echo/echo.wasm");
    let plugin = Plugin {
        name: "echo".to_owned(),
        owner,
        version: "1".to_owned(),
        on: vec![EventKind::MessageReceived],
        sha256: hex::encode(Sha256::digest(component)),
        size: component.len() as u64,
        created_ms: NOW,
    };
    store.put_plugin(&plugin, component).await.unwrap();
    let binding =
        PluginBinding { session: id("shop"), plugin: "echo".to_owned(), enabled: true, config: serde_json::json!({}) };
    store.put_binding(&binding).await.unwrap();
    for (session, target) in [("shop", 1), ("desk", 2)] {
        let target = Target {
            id: id::<TargetId>(&format!("tgt_{target:0>26}")),
            session: id(session),
            url: "https://example.com/".to_owned(),
            secret: "secret".to_owned(),
            old_secret: None,
            is_default: false,
            options: TargetOptions::default(),
            health: TargetHealth::default(),
        };
        store.set_targets(&target.session.clone(), &[target], NOW).await.unwrap();
    }
    let event = Event {
        id: id::<EventId>("evt_00000000000000000000000001"),
        session: id("shop"),
        kind: EventKind::MessageReceived,
        chat: Some(Jid::parse("628111", "62").unwrap()),
        ts_ms: NOW,
        data: serde_json::json!({"text": "hi"}),
    };
    let owed = vec![
        ReactorRef::Flow(id("flw_00000000000000000000000001")),
        ReactorRef::Plugin("echo".to_owned()),
        ReactorRef::Target(id("tgt_00000000000000000000000001")),
    ];
    store
        .append(vec![NewEvent { event, dedup: Some("k".to_owned()), owed, consent: None, changes: Vec::new() }])
        .await
        .unwrap();
    store.start_run(run("1", None, Some("1"))).await.unwrap();
    store.start_run(run("2", Some(NOW), None)).await.unwrap();
    store.queue_job(job("2", None)).await.unwrap();
    let (media, chat) = (picture(), Jid::parse("628111", "62").unwrap());
    let message = Message {
        key: MessageKey { remote_jid: chat.clone(), from_me: false, id: "M".to_owned(), participant: None },
        sender: chat,
        push_name: None,
        ts_ms: NOW,
        content_type: "image".to_owned(),
        text: "look".to_owned(),
        body: b"look".to_vec(),
        media: Some(media.clone()),
        quoted: None,
        mentions: Vec::new(),
        status: MessageStatus::Received,
        starred: false,
        edited_ms: None,
        revoked_ms: None,
        pinned_until_ms: None,
    };
    store.apply(&id("shop"), vec![Change::Message { message: Box::new(message), live: true }]).await.unwrap();
    let options = ShelfOptions { seal: true, ..ShelfOptions::default() };
    let shelf = ObjectShelf::in_folder(&folder.join(STORAGE), &Cipher::new(&key), &options).unwrap();
    let bytes = futures::stream::once(async { Ok("a picture".into()) }).boxed();
    let shelved = shelf.put(&object_name(&id("shop"), &media.id, NOW), bytes, 100).await.unwrap();
    let file = MediaFile {
        object: shelved.object,
        size: shelved.size,
        sha256: shelved.sha256,
        mimetype: None,
        width: None,
        height: None,
        seconds: None,
    };
    store.media_stored(&media.id, &file).await.unwrap();
    store.close().await.unwrap();
}

/// Where files are kept in a data folder.
const STORAGE: &str = "private/storages";

fn picture() -> Media {
    Media {
        id: id::<MediaId>("med_01HF5QZVQSK3T1SH4Z2RCB2DQB"),
        kind: "image".to_owned(),
        mimetype: "image/png".to_owned(),
        size: 9,
        sha256: String::new(),
        file_name: None,
        width: None,
        height: None,
        seconds: None,
    }
}

/// The one file in the storage.
fn stored_file(folder: &Path) -> PathBuf {
    let name = object_name(&id("shop"), &picture().id, NOW);
    folder.join(STORAGE).join(format!("{name}.sealed"))
}

fn write_key(folder: &Path, key: &str) {
    let file = folder.join("master.key");
    fs::write(&file, key).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A folder that nobody else enters.
fn private() -> tempfile::TempDir {
    tempfile::Builder::new().permissions(fs::Permissions::from_mode(0o700)).tempdir().unwrap()
}

/// A private copy of a store.
fn copy(of: &Path) -> tempfile::TempDir {
    let folder = private();
    copy_files(of, folder.path());
    folder
}

fn copy_files(from: &Path, to: &Path) {
    for file in fs::read_dir(from).unwrap() {
        let (file, there) = (file.as_ref().unwrap(), to.join(file.as_ref().unwrap().file_name()));
        if file.file_type().unwrap().is_dir() {
            fs::create_dir(&there).unwrap();
            copy_files(&file.path(), &there);
        } else {
            fs::copy(file.path(), there).unwrap();
        }
    }
}

/// Does to a store what nothing in the engine would.
async fn spoil(folder: &Path, sql: &str) {
    let mut database =
        SqliteConnectOptions::new().filename(folder.join("warest.sqlite")).foreign_keys(false).connect().await.unwrap();
    let done = database.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    database.close().await.unwrap();
}

/// Exit code and what was said.
fn doctor(folder: &Path, flags: &[&str]) -> (i32, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_warest"));
    command.args(["doctor", "--json", "--data-dir"]).arg(folder).args(flags);
    if !flags.contains(&"--free-mib") {
        // However full this machine's disk is.
        command.args(["--free-mib", "0"]);
    }
    command.env_remove("WAREST_MASTER_KEY").env_remove("WAREST_DB_SQLITE_PATH");
    let output = command.output().unwrap();
    let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output.status.code().unwrap(), said)
}

fn names(said: &Value) -> Vec<&str> {
    said["findings"].as_array().unwrap().iter().map(|finding| finding["check"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_sound_store_has_no_finding() {
    let folder = private();
    sound(folder.path()).await;
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!((code, &said["sound"]), (0, &Value::Bool(true)), "{said}");
    assert!(said["checks"].as_u64().unwrap() >= 25, "{said}");
    let (code, _) = doctor(folder.path(), &["--fix"]);
    assert_eq!(code, 0);
}

/// How a finding is repaired.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fix {
    /// It is not.
    No,
    /// That many rows, and then all is well.
    Rows(u64),
}

#[tokio::test]
async fn each_thing_that_is_wrong_is_found_and_repaired_if_that_is_safe() {
    use Fix::{No, Rows};
    let whole = private();
    sound(whole.path()).await;
    let deliver = |event: &str, session: &str, target: &str| {
        format!(
            "INSERT INTO deliveries (id, event, session, chat, target, state, attempts, due_ms, created_ms)
             VALUES ('dlv_00000000000000000000000009', '{event}', '{session}', '', '{target}', 'pending', 0, 0, 0)"
        )
    };
    let owe = |reactor: &str, session: &str, event: &str| {
        format!(
            "INSERT INTO dispatches (reactor, session, chat, event) VALUES ('{reactor}', '{session}', '', '{event}')"
        )
    };
    let (event, flow) = ("evt_00000000000000000000000001", "flow:flw_00000000000000000000000001");
    let cases: Vec<(&str, String, Fix)> = vec![
        ("dispatch_event", owe(flow, "shop", "evt_gone"), Rows(1)),
        ("dispatch_reactor", owe("plugin:gone", "shop", event), Rows(1)),
        ("dispatch_reactor", owe("flow:flw_gone", "shop", event), Rows(1)),
        ("dispatch_session", owe(flow, "gone", event), Rows(1)),
        ("delivery_event", deliver("evt_gone", "shop", "tgt_00000000000000000000000001"), Rows(1)),
        ("delivery_target", deliver(event, "shop", "tgt_gone"), Rows(1)),
        ("delivery_session", deliver(event, "gone", "tgt_00000000000000000000000002"), Rows(1)),
        ("job_session", "UPDATE jobs SET session = 'gone' WHERE id LIKE '%2'".into(), Rows(1)),
        ("run_session", "UPDATE runs SET session_no = 99 WHERE id LIKE '%2'".into(), Rows(1)),
        ("step_run", "INSERT INTO steps (run, path, record) VALUES ('run_gone', '0', x'')".into(), Rows(1)),
        ("session_owner", "UPDATE sessions SET owner = 'usr_gone' WHERE id = 'desk'".into(), No),
        ("binding", "INSERT INTO bindings VALUES ('gone', 'echo', 1, '{}'), ('desk', 'gone', 1, '{}')".into(), Rows(2)),
        ("target_session", "UPDATE targets SET session = 'gone' WHERE session = 'desk'".into(), Rows(1)),
        ("state_session", "INSERT INTO reactor_state VALUES ('plugin:echo', 'gone', '', 'k', 'v')".into(), Rows(1)),
        ("dedup_session", "INSERT INTO event_dedup (session, key) VALUES ('gone', 'k')".into(), Rows(1)),
        ("keys_session", "INSERT INTO wa_stores (session) VALUES ('gone')".into(), No),
        ("keys_store", "INSERT INTO wa_kv (store, kind, key) VALUES (99, 1, x'01')".into(), Rows(1)),
        ("book_session", "INSERT INTO command_books VALUES ('gone', '{}')".into(), Rows(1)),
        (
            "chat_session",
            "INSERT INTO chats (session_no, jid, created_ms, updated_ms) VALUES (99, '1@lid', 0, 0)".into(),
            Rows(1),
        ),
        (
            "message_chat",
            "INSERT INTO messages (seq, session_no, chat_no, id, from_me, sender, ts_ms, content_type, text, status,
                                   starred, body)
             VALUES (5, 1, 99, 'X', 0, '1@lid', 0, 'text', 'hi', 0, 0, x'')"
                .into(),
            Rows(1),
        ),
        ("chat_counts", "UPDATE chats SET messages = 7".into(), Rows(1)),
        ("chat_counts", "UPDATE chats SET last_seq = NULL".into(), Rows(1)),
        ("message_file", "UPDATE messages SET media = 'med_gone'".into(), Rows(1)),
        (
            "file_message",
            "INSERT INTO media (id, session_no, direction, kind, mime, size, sha256, state, attempts, due_ms, created_ms)
             VALUES ('med_X', 1, 'received', 'image', '', 0, '', 'remote', 0, 0, 0)"
                .into(),
            Rows(1),
        ),
        ("jobs", "UPDATE jobs SET record = x'ff' WHERE id LIKE '%2'".into(), No),
        ("jobs", "DELETE FROM runs WHERE id LIKE '%1'; DELETE FROM steps WHERE run LIKE '%1'".into(), No),
        ("runs", "DELETE FROM jobs WHERE id LIKE '%1'".into(), Rows(1)),
        ("events", "UPDATE events SET record = x'ff'".into(), No),
        ("plugins", "UPDATE plugin_components SET component = x'00'".into(), No),
        ("plugins", "DELETE FROM plugin_components".into(), No),
        ("secrets", "UPDATE targets SET secret = x'01' WHERE session = 'desk'".into(), No),
        (
            "secrets",
            "INSERT INTO wa_stores (no, session) VALUES (1, 'shop');
             INSERT INTO wa_kv (store, kind, key, value) VALUES (1, 1, x'01', zeroblob(64))"
                .into(),
            No,
        ),
        ("flows", "UPDATE flows SET script = 'let'".into(), No),
        ("clock", "UPDATE events SET ts_ms = 99999999999999".into(), No),
        ("master_key", "DELETE FROM meta WHERE key = 'canary'".into(), No),
    ];
    for (check, sql, fix) in cases {
        let folder = copy(whole.path());
        spoil(folder.path(), &sql).await;
        let (code, said) = doctor(folder.path(), &[]);
        assert_eq!((code, names(&said)), (1, vec![check]), "{sql}: {said}");
        let finding = &said["findings"][0];
        assert!(finding["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{finding}");
        assert_eq!(finding["repaired"], Value::Null, "nothing is repaired unasked");
        let (code, said) = doctor(folder.path(), &["--fix"]);
        assert_eq!((code, names(&said)), (1, vec![check]), "{sql}: {said}");
        let again = doctor(folder.path(), &[]);
        match fix {
            No => {
                assert_eq!(said["findings"][0]["repaired"], Value::Null, "{sql}");
                assert_eq!((again.0, names(&again.1)), (1, vec![check]), "{sql}");
            }
            Rows(rows) => {
                assert_eq!(said["findings"][0]["repaired"], rows, "{sql}");
                assert_eq!(again.0, 0, "{sql}: {}", again.1);
            }
        }
    }
}

#[tokio::test]
async fn files_are_compared_with_the_list_of_them() {
    let whole = private();
    sound(whole.path()).await;
    for (case, spoil) in [
        ("it is gone", (|file: &Path| fs::remove_file(file).unwrap()) as fn(&Path)),
        ("it was cut", |file| fs::File::options().write(true).open(file).unwrap().set_len(50).unwrap()),
        ("the folder is gone", |file| fs::remove_dir_all(file.ancestors().nth(7).unwrap()).unwrap()),
    ] {
        let folder = copy(whole.path());
        spoil(&stored_file(folder.path()));
        let (code, said) = doctor(folder.path(), &[]);
        assert_eq!((code, names(&said)), (1, vec!["file_object"]), "{case}: {said}");
        let (code, said) = doctor(folder.path(), &["--fix"]);
        assert_eq!((code, &said["findings"][0]["repaired"]), (1, &Value::from(1)), "{case}");
        let (_, said) = doctor(folder.path(), &[]);
        assert!(!names(&said).contains(&"file_object"), "{case}: it is fetched again on demand: {said}");
    }

    // As after a crash between the file and its row.
    let folder = copy(whole.path());
    let left = stored_file(folder.path()).with_file_name("med_01HF5QZVQSK3T1SH4Z2RCB2DQC.sealed");
    fs::copy(stored_file(folder.path()), &left).unwrap();
    assert_eq!(doctor(folder.path(), &[]).0, 0, "it may be about to be listed");
    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(7_200);
    fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!((code, names(&said)), (1, vec!["object_file"]), "{said}");
    assert!(left.exists(), "nothing is removed unasked");
    assert_eq!(doctor(folder.path(), &["--fix"]).1["findings"][0]["repaired"], 1);
    assert!(!left.exists() && stored_file(folder.path()).exists());
    assert_eq!(doctor(folder.path(), &[]).0, 0);
}

#[tokio::test]
async fn what_surrounds_the_store_is_looked_at() {
    let whole = private();
    sound(whole.path()).await;
    let found = |folder: &Path, flags: &[&str], check: &str| {
        let (code, said) = doctor(folder, flags);
        assert_eq!((code, names(&said)), (1, vec![check]), "{said}");
    };
    found(whole.path(), &["--free-mib", "1000000000"], "free_space");

    let folder = copy(whole.path());
    let log = fs::File::create(folder.path().join("warest.sqlite-wal")).unwrap();
    log.set_len(300 << 20).unwrap();
    found(folder.path(), &[], "log_size");

    let folder = copy(whole.path());
    let (key, database) = (folder.path().join("master.key"), folder.path().join("warest.sqlite"));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    found(folder.path(), &[], "permissions");
    assert_eq!(mode(&key), 0o644, "nothing is repaired unasked");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    found(folder.path(), &["--fix"], "permissions");
    assert_eq!((mode(&key), mode(&database)), (0o600, 0o640));
    assert_eq!(doctor(folder.path(), &[]).0, 0);

    let folder = copy(whole.path());
    write_key(folder.path(), OTHER_KEY);
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!((code, names(&said)), (1, vec!["master_key", "secrets"]), "{said}");
    fs::remove_file(folder.path().join("master.key")).unwrap();
    found(folder.path(), &[], "master_key");
    assert!(!folder.path().join("master.key").exists(), "none is made");

    // A damaged file: the rest is looked at all the same.
    let folder = copy(whole.path());
    let file = fs::OpenOptions::new().write(true).open(folder.path().join("warest.sqlite")).unwrap();
    // Within the plugin's component, which came last.
    let near_the_end = file.metadata().unwrap().len() - 10 * 4_096;
    file.write_all_at(&[0xff; 4_096], near_the_end).unwrap();
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!((code, names(&said)[0]), (1, "integrity"), "{said}");
}

#[tokio::test]
async fn what_is_no_store_cannot_be_looked_at() {
    let folder = private();
    let (code, said) = doctor(folder.path(), &[]);
    assert_eq!((code, &said["sound"]), (2, &Value::Null), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is made");
    fs::write(folder.path().join("warest.sqlite"), "not a database at all").unwrap();
    assert_eq!(doctor(folder.path(), &[]).0, 2);

    let folder = private();
    sound(folder.path()).await;
    spoil(folder.path(), "UPDATE _sqlx_migrations SET checksum = x'00' WHERE version = 1").await;
    let (code, said) = doctor(folder.path(), &[]);
    assert!(code == 2 && said["error"].as_str().unwrap().contains("another version"), "{said}");
}

#[tokio::test]
async fn a_backup_is_sound_with_its_files_and_says_what_is_missing_without_them() {
    let (whole, apart) = (private(), private());
    sound(whole.path()).await;
    let warest = |arguments: &[&str], folder: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_warest"));
        command.args(arguments).arg("--data-dir").arg(folder);
        command.env_remove("WAREST_MASTER_KEY").env_remove("WAREST_DB_SQLITE_PATH");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for (name, flags, findings) in [("with", vec![], vec![]), ("without", vec!["--no-files"], vec!["file_object"])] {
        let backup = apart.path().join(name);
        let said = warest(&[vec!["backup", backup.to_str().unwrap()], flags].concat(), whole.path());
        let manifest: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((&manifest["counts"]["messages"], &manifest["counts"]["storedFiles"]), (&1.into(), &1.into()));
        let files = findings.is_empty().then_some(1);
        assert_eq!(manifest["files"]["files"].as_u64(), files, "{manifest}");
        let elsewhere = private();
        write_key(elsewhere.path(), KEY);
        warest(&["restore", backup.to_str().unwrap()], elsewhere.path());
        let (_, said) = doctor(elsewhere.path(), &[]);
        assert_eq!(names(&said), findings, "{name}: {said}");
        assert_eq!(stored_file(elsewhere.path()).exists(), files.is_some());
    }
}
