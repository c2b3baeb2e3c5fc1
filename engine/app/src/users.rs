//! The administrator: made at the first start, with a key that is given or made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use warest_model::clock::{Clock, SystemClock};
use warest_model::id::UserId;
use warest_model::user::User;
use warest_store::Store;
use warest_store::secret::api_key_hash;

/// Shortest administrator's key that is taken.
const KEY_CHARS: usize = 12;

/// Makes sure that there is an administrator. Answers the key if it was made
/// here: it is shown once and kept nowhere but as a hash.
pub async fn ensure_admin(store: &dyn Store, name: &str, key: Option<&str>) -> anyhow::Result<Option<String>> {
    if let Some(key) = key.filter(|key| key.len() < KEY_CHARS) {
        anyhow::bail!("WAREST_ADMIN_APIKEY has {} characters; give at least {KEY_CHARS}", key.len());
    }
    if let Some(key) = key
        && let Some(user) = store.user_by_key(api_key_hash(key)).await?.filter(|user| user.username != name)
    {
        anyhow::bail!(
            "WAREST_ADMIN_APIKEY is the key of the user {}; set WAREST_AUTHADMIN_USERNAME to that name, or another key",
            user.username
        );
    }
    match (store.user_by_name(name).await?, key) {
        (Some(user), Some(key)) => {
            store.set_user_key(&user.id, api_key_hash(key)).await?;
            Ok(None)
        }
        (Some(_), None) => Ok(None),
        (None, given) => {
            let made = given.is_none().then(new_key);
            let key = given.map(str::to_owned).or_else(|| made.clone()).unwrap_or_default();
            let now = SystemClock.now_ms();
            let user = User { id: UserId::new(now), username: name.to_owned(), is_admin: true, created_ms: now };
            store.add_user(&user, api_key_hash(&key)).await?;
            Ok(made)
        }
    }
}

/// A key with 192 random bits.
pub fn new_key() -> String {
    format!("wrk_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 24]>()))
}

/// The sandbox's key: kept in its data folder, so that a second start prints
/// the same one.
#[cfg(feature = "sandbox")]
pub fn sandbox_key(data_dir: &std::path::Path) -> anyhow::Result<String> {
    let path = data_dir.join("api-key");
    if let Ok(key) = std::fs::read_to_string(&path) {
        let key = key.trim().to_owned();
        if key.len() >= KEY_CHARS {
            return Ok(key);
        }
    }
    let key = new_key();
    private_file(&path, key.as_bytes()).map_err(|error| anyhow::anyhow!("writing {}: {error}", path.display()))?;
    Ok(key)
}

#[cfg(feature = "sandbox")]
fn private_file(path: &std::path::Path, content: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(path)?.write_all(content)
}
