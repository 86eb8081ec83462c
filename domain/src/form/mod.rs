//! Forms: what a page asks of a person, and what it shows at the end.
//!
//! A form is read from the parameters of a node, see [`Form::read`]. Whoever draws it escapes every text of it: nothing
//! here is HTML, but for [`Form::description`] and [`FieldKind::Html`], of which only harmless elements may be drawn.
//! A form that an execution waits for is part of its history, so its stored shape never changes.

mod address;
mod ending;
mod read;

use serde::{Deserialize, Serialize};

pub use address::web_address;
pub use ending::{Ending, MESSAGE as SUBMITTED};
pub use read::{FormError, LABEL_CHARACTERS_MAX};

/// Most fields of one form.
pub const FIELDS_MAX: usize = 200;
/// Most options of one field.
pub const OPTIONS_MAX: usize = 1_000;
/// Largest form, in bytes of its JSON.
pub const FORM_BYTES_MAX: usize = 512 << 10;

/// The type of the node whose form starts a workflow.
pub const FORM_TRIGGER_TYPE: &str = "n8n-nodes-base.formTrigger";
/// The type of the node that shows a further page, or the last one.
pub const FORM_TYPE: &str = "n8n-nodes-base.form";

/// What a page asks of a person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Form {
    /// Its heading.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// What stands below the heading; simple HTML.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// What its button says; absent where the author left it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<String>,
    /// Style rules of the author, added to those of the page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub css: Option<String>,
    /// What is asked, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<Field>,
}

/// One field of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// What the answer is called in the item; empty for what is shown and not asked.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What stands before it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub label: String,
    /// What it asks for.
    #[serde(flatten)]
    pub kind: FieldKind,
    /// Whether a form without it is refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// What an empty field shows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub placeholder: String,
    /// What is filled in before anybody has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default: Vec<String>,
}

/// What a field asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FieldKind {
    /// A line of text.
    Text,
    /// Several lines of text.
    TextArea,
    /// A number.
    Number,
    /// A mail address.
    Email,
    /// A line of text that is not shown.
    Password,
    /// A day.
    Date {
        /// How the answer writes it (`dd/mm/yyyy`); absent for `yyyy-mm-dd`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        format: Option<String>,
    },
    /// One of a list.
    Dropdown {
        /// What can be chosen.
        options: Vec<String>,
    },
    /// One of a list that is shown whole.
    Radio {
        /// What can be chosen.
        options: Vec<String>,
    },
    /// Any number of a list.
    Checkboxes {
        /// What can be chosen.
        options: Vec<String>,
        /// At least so many; only a field that is left out may have fewer, where it is not required.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_least: Option<usize>,
        /// At most so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at_most: Option<usize>,
    },
    /// A file, or several.
    File {
        /// Whether several are taken.
        #[serde(default, skip_serializing_if = "is_false")]
        multiple: bool,
        /// Which are taken, by extension (`.pdf`) or media type (`image/*`); empty for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        accepts: Vec<String>,
    },
    /// What goes along and is not shown.
    Hidden {
        /// What it is where the address says no other.
        value: String,
    },
    /// Something to read.
    Html {
        /// Simple HTML.
        html: String,
    },
}

impl FieldKind {
    /// What can be chosen, where there is a list.
    pub fn options(&self) -> Option<&[String]> {
        match self {
            Self::Dropdown { options } | Self::Radio { options } | Self::Checkboxes { options, .. } => Some(options),
            _ => None,
        }
    }
}

fn is_false(value: &bool) -> bool {
    !value
}
