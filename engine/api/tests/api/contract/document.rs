//! The contract's document, read: operations with their fields, and whether an
//! answer has what they promise.

use serde_json::{Map, Value};

/// Deepest schema that is looked into.
const DEPTH: usize = 12;

/// The document.
pub struct Document(Value);

/// An operation.
#[derive(Debug, Clone)]
pub struct Operation {
    /// `GET`, `POST`, …
    pub method: String,
    /// As in `/group/info`, without `/api/v1`.
    pub path: String,
    /// Names of parameters in the path.
    pub in_path: Vec<String>,
    /// Names of parameters in the query, and whether they must be there.
    pub in_query: Vec<(String, bool)>,
    /// Names of the body's fields, and whether they must be there.
    pub in_body: Vec<(String, bool)>,
    /// HTTP statuses that are documented.
    pub statuses: Vec<u16>,
    /// What a success answers.
    pub answer: Value,
}

impl Operation {
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Fields wherever they are, and whether they must be there.
    pub fn fields(&self) -> impl Iterator<Item = &(String, bool)> {
        self.in_query.iter().chain(&self.in_body)
    }
}

impl Document {
    pub fn load() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/contract/rest.json");
        Self(serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
    }

    pub fn operations(&self) -> Vec<Operation> {
        let mut all = Vec::new();
        for (path, operations) in self.0["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                if ["get", "post", "put", "patch", "delete"].contains(&method.as_str()) {
                    all.push(self.operation(path, method, operation));
                }
            }
        }
        all
    }

    fn operation(&self, path: &str, method: &str, operation: &Value) -> Operation {
        let is_required = |value: &Value| value["required"] == true;
        let parameters: Vec<&Value> =
            operation["parameters"].as_array().into_iter().flatten().map(|value| self.followed(value)).collect();
        let named = |place: &str| {
            let there = parameters.iter().filter(move |value| value["in"] == place);
            there.map(|value| (value["name"].as_str().unwrap().to_owned(), is_required(value))).collect::<Vec<_>>()
        };
        let body = self.followed(&operation["requestBody"]);
        let body = self.object(&body["content"]["application/json"]["schema"], 0);
        let in_body = body.properties.keys().map(|name| (name.clone(), body.required.contains(name))).collect();
        let responses = operation["responses"].as_object().unwrap();
        let answer = responses.iter().find(|(status, _)| status.starts_with('2')).unwrap().1;
        Operation {
            method: method.to_uppercase(),
            path: path.strip_prefix("/api/v1").unwrap().to_owned(),
            in_path: named("path").into_iter().map(|(name, _)| name).collect(),
            in_query: named("query"),
            in_body,
            statuses: responses.keys().map(|status| status.parse().unwrap()).collect(),
            answer: self.followed(answer)["content"]["application/json"]["schema"].clone(),
        }
    }

    /// A value behind its references.
    fn followed<'a>(&'a self, mut value: &'a Value) -> &'a Value {
        while let Some(reference) = value["$ref"].as_str() {
            value = self.0.pointer(reference.trim_start_matches('#')).unwrap();
        }
        value
    }

    /// The properties of a schema with all that it is made of.
    fn object(&self, schema: &Value, depth: usize) -> Object {
        assert!(depth < DEPTH);
        let schema = self.followed(schema);
        let mut object = Object::default();
        for part in schema["allOf"].as_array().into_iter().flatten() {
            let part = self.object(part, depth + 1);
            object.properties.extend(part.properties);
            object.required.extend(part.required);
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            object.properties.insert(name.clone(), property.clone());
        }
        object
            .required
            .extend(schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().unwrap().to_owned()));
        object
    }

    /// What an answer lacks of a schema. Null stands for what is not known; a list
    /// without an entry shows nothing of its entries, and that is told, too.
    pub fn lacks(&self, schema: &Value, answer: &Value, at: &str) -> Vec<String> {
        let schema = self.followed(schema);
        if let Some(choices) = schema["oneOf"].as_array().or_else(|| schema["anyOf"].as_array()) {
            let tried: Vec<Vec<String>> = choices.iter().map(|choice| self.lacks(choice, answer, at)).collect();
            return tried.into_iter().min_by_key(Vec::len).unwrap_or_default();
        }
        if answer.is_null() {
            return Vec::new();
        }
        let object = self.object(schema, 0);
        if !object.properties.is_empty() {
            let Some(fields) = answer.as_object() else { return vec![format!("{at} is no object")] };
            return object
                .properties
                .iter()
                .flat_map(|(name, property)| match fields.get(name) {
                    None => vec![format!("{at}.{name} is not there")],
                    Some(value) => self.lacks(property, value, &format!("{at}.{name}")),
                })
                .collect();
        }
        match schema["type"].as_str() {
            Some("array") => match answer.as_array() {
                None => vec![format!("{at} is no list")],
                Some(list) if list.is_empty() => vec![format!("{at} is empty")],
                Some(list) => {
                    list.iter().flat_map(|one| self.lacks(&schema["items"], one, &format!("{at}[]"))).collect()
                }
            },
            Some("string") if !answer.is_string() => vec![format!("{at} is no text")],
            Some("boolean") if !answer.is_boolean() => vec![format!("{at} is no boolean")],
            Some("integer") if !(answer.is_i64() || answer.is_u64()) => vec![format!("{at} is no integer")],
            Some("number") if !answer.is_number() => vec![format!("{at} is no number")],
            _ => Vec::new(),
        }
    }
}

#[derive(Default)]
struct Object {
    properties: Map<String, Value>,
    required: Vec<String>,
}
