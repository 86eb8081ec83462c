//! The key that is shown to a server. It is never told, not even when it is none.

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};

/// What somebody who is not known is told to do.
pub const HOW_TO_SHOW: &str = "put a key into the variable TIMELOOM_TOKEN, or into a file that --token-file names";

/// The headers that show a key.
///
/// # Errors
/// When it is none.
pub fn shown(token: Option<&String>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        // What it is instead is nobody's business.
        let mut value =
            value.map_err(|_| anyhow::anyhow!("the key for the server is none: it has other characters"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
