//! What can happen to a tenant.

use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::ids::TenantId;

/// A fact about one tenant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TenantEvent {
    /// It was made.
    TenantCreated {
        /// Its number.
        tenant: TenantId,
        /// What it is called.
        name: String,
    },
    /// It is called otherwise now.
    TenantRenamed {
        /// What it is called.
        name: String,
    },
    /// Nobody of it is let in, and nothing of it is started.
    TenantSuspended {},
    /// Not any more.
    TenantResumed {},
    /// Programs of others may append to streams of a category by themselves.
    CategoryOpened {
        /// The category.
        category: String,
    },
    /// Not any more; what they appended stays.
    CategoryClosed {
        /// The category.
        category: String,
    },
}

impl Event for TenantEvent {
    const CATEGORY: &'static str = "tenant";
    const TYPES: &'static [(&'static str, u16)] = &[
        ("TenantCreated", 1),
        ("TenantRenamed", 1),
        ("TenantSuspended", 1),
        ("TenantResumed", 1),
        ("CategoryOpened", 1),
        ("CategoryClosed", 1),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::TenantCreated { .. } => "TenantCreated",
            Self::TenantRenamed { .. } => "TenantRenamed",
            Self::TenantSuspended {} => "TenantSuspended",
            Self::TenantResumed {} => "TenantResumed",
            Self::CategoryOpened { .. } => "CategoryOpened",
            Self::CategoryClosed { .. } => "CategoryClosed",
        }
    }
}
