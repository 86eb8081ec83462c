//! A credential as its events tell it, and what it decides.

use serde::{Deserialize, Serialize};

use super::{
    CredentialCommand, CredentialEvent, CredentialRefusal, FIELD_NAME_CHARACTERS_MAX, FIELDS_MAX, NAME_CHARACTERS_MAX,
    Sealed, TYPE_CHARACTERS_MAX,
};
use crate::event::Aggregate;

/// A credential as its events tell it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// Its name.
    pub name: String,
    /// Its type.
    pub credential_type: String,
    /// The names of its fields.
    pub fields: Vec<String>,
    /// Its fields; `None` before it was saved and after it was deleted.
    pub sealed: Option<Sealed>,
    /// How often it was saved.
    pub version: u64,
}

impl Credential {
    /// The version that the next save makes.
    pub fn next_version(&self) -> u64 {
        self.version.saturating_add(1)
    }
}

/// Whether `sealed` was made for that version.
fn is_for(sealed: &Sealed, version: u64) -> bool {
    sealed.data_key.as_ref().is_some_and(|data_key| data_key.version == version)
}

impl Aggregate for Credential {
    const FOLD_VERSION: u32 = 2;

    type Event = CredentialEvent;
    type Command = CredentialCommand;
    type Refusal = CredentialRefusal;

    fn apply(&mut self, event: &CredentialEvent) {
        match event {
            CredentialEvent::CredentialSaved { name, credential_type, fields, sealed } => {
                *self = Self {
                    name: name.clone(),
                    credential_type: credential_type.clone(),
                    fields: fields.clone(),
                    sealed: Some(sealed.clone()),
                    version: self.next_version(),
                };
            }
            CredentialEvent::CredentialResealed { sealed } => self.sealed = Some(sealed.clone()),
            CredentialEvent::CredentialDeleted {} => self.sealed = None,
        }
    }

    fn decide(&self, command: &CredentialCommand) -> Result<Vec<CredentialEvent>, CredentialRefusal> {
        let event = match command {
            CredentialCommand::Save { name, credential_type, fields, sealed } => {
                check_name(name)?;
                check_type(credential_type)?;
                check_fields(fields)?;
                if self.sealed.as_ref() == Some(sealed) {
                    return Ok(Vec::new());
                }
                if !is_for(sealed, self.next_version()) {
                    return Err(CredentialRefusal::Changed);
                }
                CredentialEvent::CredentialSaved {
                    name: name.clone(),
                    credential_type: credential_type.clone(),
                    fields: fields.clone(),
                    sealed: sealed.clone(),
                }
            }
            CredentialCommand::Reseal { from, sealed } => match &self.sealed {
                None => return Err(CredentialRefusal::NotFound),
                Some(now) if now == sealed => return Ok(Vec::new()),
                Some(now) if now != from || !is_for(sealed, self.version) => return Err(CredentialRefusal::Changed),
                Some(_) => CredentialEvent::CredentialResealed { sealed: sealed.clone() },
            },
            CredentialCommand::Delete if self.name.is_empty() => return Err(CredentialRefusal::NotFound),
            CredentialCommand::Delete if self.sealed.is_none() => return Ok(Vec::new()),
            CredentialCommand::Delete => CredentialEvent::CredentialDeleted {},
        };
        Ok(vec![event])
    }
}

fn check_name(name: &str) -> Result<(), CredentialRefusal> {
    let count = name.chars().count();
    let allowed = (1..=NAME_CHARACTERS_MAX).contains(&count) && !name.chars().any(char::is_control);
    if allowed && name.trim() == name { Ok(()) } else { Err(CredentialRefusal::InvalidName) }
}

fn check_type(credential_type: &str) -> Result<(), CredentialRefusal> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | '/' | '@');
    let fits = (1..=TYPE_CHARACTERS_MAX).contains(&credential_type.len());
    if fits && credential_type.chars().all(allowed) { Ok(()) } else { Err(CredentialRefusal::InvalidType) }
}

fn check_fields(fields: &[String]) -> Result<(), CredentialRefusal> {
    if fields.is_empty() {
        return Err(CredentialRefusal::NoFields);
    }
    let long = fields.iter().any(|field| field.chars().count() > FIELD_NAME_CHARACTERS_MAX);
    if fields.len() > FIELDS_MAX || long { Err(CredentialRefusal::TooManyFields) } else { Ok(()) }
}
