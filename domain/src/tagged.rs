//! Reads a tagged enum without reading its fields twice. Never decides what is wrong with a payload: who fails here reads
//! it as the enum itself does.
//!
//! An enum with its tag among its fields, as stored payloads have it, is read by keeping every field aside until the tag
//! is known. Our own payloads begin with their tag, so that the variant can be known first.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;

/// What a payload with its tag in front begins with.
const START: &str = r#"{"type":""#;

/// A payload whose variant is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tagged<'de> {
    tag: &'de str,
    text: &'de str,
}

impl<'de> Tagged<'de> {
    /// The payload `text`; `None` when it does not begin with its tag.
    pub(crate) fn split(text: &'de str) -> Option<Self> {
        let (tag, _) = text.strip_prefix(START)?.split_once('"')?;
        Some(Self { tag, text })
    }
}

impl<'de> Deserializer<'de> for Tagged<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("only enums are tagged"))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Tagged<'de> {
    type Error = serde_json::Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Self::Error> {
        let tag: StrDeserializer<'de, Self::Error> = self.tag.into_deserializer();
        Ok((seed.deserialize(tag)?, self))
    }
}

/// The fields of a variant are those of the whole payload, among which the tag is passed over.
impl<'de> VariantAccess<'de> for Tagged<'de> {
    type Error = serde_json::Error;

    fn unit_variant(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Self::Error> {
        let mut fields = serde_json::Deserializer::from_str(self.text);
        let value = seed.deserialize(&mut fields)?;
        fields.end()?;
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, _visitor: V) -> Result<V::Value, Self::Error> {
        Err(de::Error::custom("a tagged enum has no tuples"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        let mut fields = serde_json::Deserializer::from_str(self.text);
        let value = fields.deserialize_struct("", names, visitor)?;
        fields.end()?;
        Ok(value)
    }
}
