//! Attachments of messages that triggers bring.

use timeloom_domain::item::BinaryData;
use timeloom_engine::node::{Listening, NodeError};

/// Most characters of a file's name that a message gives.
const NAME_CHARACTERS_MAX: usize = 255;

/// An attachment with this content.
///
/// # Errors
/// [`NodeError`] when it cannot be stored.
pub(crate) async fn of(
    listening: &Listening,
    content: &[u8],
    file_name: Option<&str>,
    mime_type: Option<&str>,
) -> Result<BinaryData, NodeError> {
    // A name is no path.
    let file_name = file_name.map(|name| {
        let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
        name.chars().filter(|letter| !letter.is_control()).take(NAME_CHARACTERS_MAX).collect::<String>()
    });
    let file_name = file_name.filter(|name| !name.is_empty());
    let file_extension = file_name.as_deref().and_then(|name| name.rsplit_once('.')).map(|(_, end)| end.to_owned());
    let about = BinaryData {
        mime_type: mime_type.filter(|known| !known.is_empty()).unwrap_or("application/octet-stream").to_owned(),
        file_name,
        file_extension,
        ..BinaryData::default()
    };
    listening.binaries().keep(content.to_vec(), about).await
}
