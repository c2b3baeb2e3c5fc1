//! The wire contract: every operation of its document is there, takes its fields,
//! answers its fields, and refuses as it says.

mod document;
mod samples;

use crate::links::waiting_for_scan;
use crate::misc::remember;
use crate::world::{ALICE, Answer, World};
use document::{Document, Operation};
use samples::{COVERED, EMPTY, EXCUSED, LATER, MISSING, NEEDED, OPTIONAL, asks_an_account, sample};
use serde_json::{Map, Value};
use url::form_urlencoded::Serializer;

fn covered(document: &Document) -> Vec<Operation> {
    let mut operations = document.operations();
    let is_covered = |path: &str| COVERED.iter().any(|prefix| path.starts_with(prefix));
    operations.retain(|one| is_covered(&one.path) && !LATER.contains(&one.name().as_str()));
    assert!(operations.len() > 30, "the document was not read");
    operations
}

/// The fields of a request: all of them, or those that must be there.
fn request(operation: &Operation, all: bool) -> Map<String, Value> {
    let name = operation.name();
    let needed = NEEDED.iter().find(|(one, _)| *one == name).map_or(&[][..], |(_, fields)| *fields);
    let is_needed = |field: &str| needed.contains(&field);
    let fields = operation.fields().filter(|(field, required)| all || *required || is_needed(field));
    let fields = fields.map(|(field, _)| field).chain(&operation.in_path);
    fields.map(|field| (field.clone(), sample(&name, field))).collect()
}

async fn call(world: &World, key: &str, operation: &Operation, fields: &Map<String, Value>) -> Answer {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut path = operation.path.clone();
    for name in &operation.in_path {
        path = path.replace(&format!("{{{name}}}"), &text(&fields[name]));
    }
    let mut query = Serializer::new(String::new());
    for (name, _) in &operation.in_query {
        if let Some(value) = fields.get(name) {
            query.append_pair(name, &text(value));
        }
    }
    let query = query.finish();
    let path = if query.is_empty() { path } else { format!("{path}?{query}") };
    let body = operation.in_body.iter().filter_map(|(name, _)| Some((name.clone(), fields.get(name)?.clone())));
    let body = (!operation.in_body.is_empty()).then(|| Value::Object(body.collect()));
    world.call(key, &operation.method, &path, body).await
}

#[tokio::test]
async fn every_operation_takes_and_answers_what_the_contract_says() {
    let document = Document::load();
    let mut wrong = Vec::new();
    for operation in covered(&document) {
        let name = operation.name();
        for all in [true, false] {
            let world = World::new().await;
            remember(&world).await;
            let answer = call(&world, ALICE, &operation, &request(&operation, all)).await;
            if !operation.statuses.contains(&answer.status.as_u16()) || answer.body["status"] != true {
                wrong.push(format!("{name}: {} {}", answer.status, answer.body));
                continue;
            }
            let lacks = document.lacks(&operation.answer, &answer.body, "");
            let is_meant = |lack: &str| {
                EXCUSED.contains(&format!("{name} {lack}").as_str())
                    || lack.strip_suffix(" is empty").is_some_and(|at| EMPTY.contains(&format!("{name} {at}").as_str()))
            };
            wrong.extend(
                lacks
                    .into_iter()
                    .filter(|lack| !is_meant(lack))
                    .map(|lack| format!("{name}: {lack} in {}", answer.body)),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_operation_refuses_as_the_contract_says() {
    let document = Document::load();
    let world = World::new().await;
    let before = world.written().await;
    let mut wrong = Vec::new();
    for operation in covered(&document) {
        let (name, fields) = (operation.name(), request(&operation, true));
        let mut expect = |what: &str, answer: Answer, codes: (u16, u64)| {
            let shown = answer.body["status"] == false && answer.body["message"].is_string();
            if answer.codes() != codes || !shown {
                wrong.push(format!("{name}: {what}: {codes:?} is due, not {} {}", answer.status, answer.body));
            }
        };
        expect("no key", call(&world, "", &operation, &fields).await, (401, 2200));
        expect("a wrong key", call(&world, "wrong", &operation, &fields).await, (401, 2204));
        let is_optional = |field: &str| OPTIONAL.contains(&(name.as_str(), field));
        for (field, _) in operation.fields().filter(|(field, required)| *required && !is_optional(field)) {
            let mut less = fields.clone();
            less.remove(field);
            let usual = if field == "sessionId" { 1100 } else { 2001 };
            let own = MISSING.iter().find(|(one, missing, _)| *one == name && missing == field);
            let code = own.map_or(usual, |(_, _, code)| *code);
            expect(field, call(&world, ALICE, &operation, &less).await, (400, code));
        }
        if !fields.contains_key("sessionId") {
            continue;
        }
        let with_session = |session: &str| {
            let mut fields = fields.clone();
            fields.insert("sessionId".to_owned(), session.into());
            fields
        };
        expect("theirs", call(&world, ALICE, &operation, &with_session("theirs")).await, (403, 2201));
        if operation.statuses.contains(&404) {
            expect("unknown", call(&world, ALICE, &operation, &with_session("unknown")).await, (404, 1101));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.written().await, before);
}

#[tokio::test]
async fn an_account_is_not_asked_while_its_session_is_closed() {
    let document = Document::load();
    let world = World::new().await;
    world.links.put("main", waiting_for_scan(i64::MAX / 2));
    for operation in covered(&document).into_iter().filter(|one| asks_an_account(&one.path)) {
        let answer = call(&world, ALICE, &operation, &request(&operation, true)).await;
        assert_eq!(answer.codes(), (409, 1106), "{}: {}", operation.name(), answer.body);
        assert_eq!(answer.body["message"], "Login required (scan QR or pairing)");
    }
    assert!(world.links.account.changed.lock().unwrap().is_empty());
}
