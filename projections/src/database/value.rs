//! Values that both databases hold alike, and rows of them.
//!
//! There are three kinds and nothing: whole numbers of 64 bits, text, bytes. Truth is 0 or 1, an id is its bytes, a list
//! is JSON text. Invariant: what is written to either database and read again is the same value.

use std::borrow::Cow;

use rusqlite::types::{ToSqlOutput, ValueRef};
use serde::Serialize;
use serde::de::DeserializeOwned;
use timeloom_domain::ids::TenantId;
use timeloom_store::{Position, Revision};
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use uuid::Uuid;

use super::StorageError;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Text,
    Blob,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Text(Cow<'a, str>),
    Blob(Cow<'a, [u8]>),
}

/// A number as the databases hold it; beyond that there is none.
pub(crate) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl<'a> Value<'a> {
    /// JSON text.
    pub fn json<T: Serialize>(value: &T) -> Result<Self, StorageError> {
        let text = serde_json::to_string(value).map_err(|error| StorageError::Damaged(error.to_string()))?;
        Ok(Self::Text(Cow::Owned(text)))
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        // PostgreSQL's text holds no zero character. Rows are the same in both databases, so neither gets one.
        if text.contains('\0') {
            return Self::Text(Cow::Owned(text.replace('\0', "\u{fffd}")));
        }
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'static> {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl<'a> From<&'a Uuid> for Value<'a> {
    fn from(id: &'a Uuid) -> Self {
        Self::Blob(Cow::Borrowed(id.as_bytes()))
    }
}

impl From<Uuid> for Value<'static> {
    fn from(id: Uuid) -> Self {
        Self::Blob(Cow::Owned(id.as_bytes().to_vec()))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Integer(stored(number))
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Self::Integer(truth.into())
    }
}

impl From<TenantId> for Value<'_> {
    fn from(tenant: TenantId) -> Self {
        tenant.0.into()
    }
}

impl From<Position> for Value<'_> {
    fn from(position: Position) -> Self {
        position.0.into()
    }
}

impl From<Revision> for Value<'_> {
    fn from(revision: Revision) -> Self {
        revision.0.into()
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(number) => number.to_sql(ty, out),
            Self::Text(text) => text.as_ref().to_sql(ty, out),
            Self::Blob(bytes) => bytes.as_ref().to_sql(ty, out),
        }
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TEXT | Type::BYTEA)
    }

    to_sql_checked!();
}

/// One row of either database.
#[derive(Clone, Copy)]
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

impl<'a> Row<'a> {
    fn value(self, column: usize) -> Result<Value<'a>, StorageError> {
        match self {
            Self::Sqlite(row) => Ok(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Text(text) => Value::Text(Cow::Borrowed(std::str::from_utf8(text).map_err(damaged)?)),
                ValueRef::Blob(bytes) => Value::Blob(Cow::Borrowed(bytes)),
                ValueRef::Real(number) => return Err(damaged(format!("the number {number} is not whole"))),
            }),
            Self::Postgres(row) => {
                let ty = row.columns().get(column).map(tokio_postgres::Column::type_);
                Ok(match ty {
                    Some(&Type::INT8) => row.try_get::<_, Option<i64>>(column)?.into(),
                    Some(&Type::TEXT) => {
                        row.try_get::<_, Option<&str>>(column)?.map_or(Value::Null, |text| Value::Text(text.into()))
                    }
                    Some(&Type::BYTEA) => {
                        row.try_get::<_, Option<&[u8]>>(column)?.map_or(Value::Null, |bytes| Value::Blob(bytes.into()))
                    }
                    other => return Err(damaged(format!("a column {column} of type {other:?} is not known"))),
                })
            }
        }
    }
}

/// The values of a row, taken one after the other.
pub(crate) struct Cells<'a> {
    row: Row<'a>,
    next: usize,
}

impl<'a> Cells<'a> {
    /// Those from the column `first` on.
    pub fn from(row: Row<'a>, first: usize) -> Self {
        Self { row, next: first }
    }

    /// The next.
    pub fn take<T: FromValue>(&mut self) -> Result<T, StorageError> {
        let column = self.next;
        self.next += 1;
        let value = self.row.value(column)?;
        T::from_value(value).ok_or_else(|| damaged(format!("column {column} does not hold what was written there")))
    }

    /// The next, which holds JSON text or nothing.
    pub fn take_optional_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, StorageError> {
        let text: Option<String> = self.take()?;
        text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
    }

    /// The next, which holds JSON text.
    pub fn take_json<T: DeserializeOwned>(&mut self) -> Result<T, StorageError> {
        let text: String = self.take()?;
        serde_json::from_str(&text).map_err(damaged)
    }

    /// The next, which holds one of these words.
    pub fn take_word<T: Copy>(&mut self, words: &[(T, &str)]) -> Result<T, StorageError> {
        let text: String = self.take()?;
        let found = words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
        found.ok_or_else(|| damaged(format!("unknown word '{text}'")))
    }

    /// The next, which holds one of these words or nothing.
    pub fn take_optional_word<T: Copy>(&mut self, words: &[(T, &str)]) -> Result<Option<T>, StorageError> {
        let Some(text) = self.take::<Option<String>>()? else { return Ok(None) };
        let found = words.iter().find(|(_, word)| *word == text).map(|(value, _)| *value);
        found.map(Some).ok_or_else(|| damaged(format!("unknown word '{text}'")))
    }
}

/// A column does not hold what this crate wrote there.
pub(crate) fn damaged(detail: impl ToString) -> StorageError {
    StorageError::Damaged(detail.to_string())
}

/// What a value can be read as.
pub(crate) trait FromValue: Sized {
    /// `None` when it is something else.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

impl FromValue for i64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Integer(number) = value { Some(number) } else { None }
    }
}

impl FromValue for u64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        Self::try_from(i64::from_value(value)?).ok()
    }
}

impl FromValue for u32 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        Self::try_from(i64::from_value(value)?).ok()
    }
}

impl FromValue for i32 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        Self::try_from(i64::from_value(value)?).ok()
    }
}

impl FromValue for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match i64::from_value(value)? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl FromValue for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl FromValue for Uuid {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { Self::from_slice(&bytes).ok() } else { None }
    }
}

impl FromValue for Position {
    fn from_value(value: Value<'_>) -> Option<Self> {
        u64::from_value(value).map(Self)
    }
}

impl FromValue for Revision {
    fn from_value(value: Value<'_>) -> Option<Self> {
        u64::from_value(value).map(Self)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}
