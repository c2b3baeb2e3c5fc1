//! Where an API key is read from.

use axum::http::{HeaderMap, header};

const HEADERS: [&str; 3] = ["x-warest-api-key", "x-api-key", "api-key"];
const SCHEMES: [&str; 3] = ["Bearer ", "Token ", "APIKey "];

/// The key that a request presents, if it presents one.
pub fn presented(headers: &HeaderMap) -> Option<&str> {
    HEADERS
        .iter()
        .filter_map(|name| headers.get(*name))
        .filter_map(|value| value.to_str().ok())
        .map(str::trim)
        .find(|key| !key.is_empty())
        .or_else(|| {
            let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
            SCHEMES.iter().find_map(|scheme| value.strip_prefix(scheme)).map(str::trim).filter(|key| !key.is_empty())
        })
}

/// Whether a query string holds a key.
pub fn in_query(query: &str) -> bool {
    query.split('&').any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        ["api_key", "apikey", "api-key"].iter().any(|key| name.eq_ignore_ascii_case(key))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn presented_by(name: &'static str, value: &str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        presented(&headers).map(str::to_owned)
    }

    #[test]
    fn a_key_is_read_from_each_header_that_clients_use() {
        for (name, value) in [
            ("x-warest-api-key", "k"),
            ("x-api-key", " k "),
            ("api-key", "k"),
            ("authorization", "Bearer k"),
            ("authorization", "Token k"),
            ("authorization", "APIKey k"),
        ] {
            assert_eq!(presented_by(name, value).as_deref(), Some("k"), "{name}: {value}");
        }
        assert_eq!(presented_by("authorization", "Basic k"), None);
        assert_eq!(presented_by("authorization", "Bearer "), None);
        assert_eq!(presented_by("x-api-key", ""), None);
    }

    #[test]
    fn a_key_in_the_query_is_noticed() {
        assert!(in_query("a=b&api_key=k"));
        assert!(in_query("ApiKey=k"));
        assert!(!in_query("sessionId=api_key"));
    }
}
