//! How the records of a batch are packed: the four codecs of Kafka, both ways, with limits. Pure.

use std::borrow::Cow;
use std::io::{Read, Write as _};

use timeloom_engine::node::NodeError;

use super::super::content::MESSAGE_BYTES_MAX;
use super::words::{Reader, wrong};

/// Most bytes of a batch once it is unpacked.
const UNPACKED_BYTES_MAX: usize = 2 * MESSAGE_BYTES_MAX;
/// How hard zstd tries: its own default.
const ZSTD_LEVEL: i32 = 3;
/// What a stream of snappy blocks begins with, as clients in Java write it.
const SNAPPY_STREAM: &[u8] = b"\x82SNAPPY\0";
/// Bytes between that and the first block: two versions of the form.
const SNAPPY_VERSIONS_BYTES: usize = 8;

/// A codec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Packing {
    #[default]
    Nothing,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Packing {
    /// The codecs by which the node packs, by name.
    const NAMED: [(&'static str, Self); 4] =
        [("gzip", Self::Gzip), ("snappy", Self::Snappy), ("lz4", Self::Lz4), ("zstd", Self::Zstd)];

    /// The codec of that name.
    ///
    /// # Errors
    /// [`NodeError`] where there is none.
    pub fn named(name: &str) -> Result<Self, NodeError> {
        let found = Self::NAMED.iter().find(|(known, _)| *known == name).map(|(_, packing)| *packing);
        found.ok_or_else(|| {
            NodeError::operation(format!("the codec '{name}' is not known"))
                .described("use gzip, snappy, lz4 or zstd, or turn Compression off")
        })
    }

    /// The codec with that number in a batch.
    ///
    /// # Errors
    /// [`NodeError`] where there is none.
    pub fn numbered(number: i16) -> Result<Self, NodeError> {
        Ok(match number {
            0 => Self::Nothing,
            1 => Self::Gzip,
            2 => Self::Snappy,
            3 => Self::Lz4,
            4 => Self::Zstd,
            other => {
                let message = format!("the topic's messages are packed by codec {other}, which is not known here");
                return Err(
                    NodeError::operation(message).described("let producers use gzip, snappy, lz4, zstd or nothing")
                );
            }
        })
    }

    /// Its number in a batch.
    pub fn number(self) -> i16 {
        match self {
            Self::Nothing => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The bytes, packed.
    ///
    /// # Errors
    /// [`NodeError`] where the codec fails.
    pub fn pack(self, bytes: Vec<u8>) -> Result<Vec<u8>, NodeError> {
        let packed = match self {
            Self::Nothing => Ok(bytes),
            Self::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(&bytes).and_then(|()| encoder.finish())
            }
            // One block without a stream around it: every client reads that.
            Self::Snappy => snap::raw::Encoder::new().compress_vec(&bytes).map_err(std::io::Error::other),
            Self::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
                encoder.write_all(&bytes).and_then(|()| encoder.finish().map_err(std::io::Error::other))
            }
            Self::Zstd => zstd::stream::encode_all(bytes.as_slice(), ZSTD_LEVEL),
        };
        packed.map_err(|error| NodeError::operation(format!("the message cannot be packed: {error}")))
    }

    /// The bytes, unpacked; as they are where they are not packed.
    ///
    /// # Errors
    /// [`NodeError`] where they are not of that codec, or are too many.
    pub fn unpack(self, bytes: &[u8]) -> Result<Cow<'_, [u8]>, NodeError> {
        let unpacked = match self {
            Self::Nothing => return Ok(Cow::Borrowed(bytes)),
            Self::Gzip => read_whole(flate2::read::MultiGzDecoder::new(bytes))?,
            Self::Snappy => snappy(bytes)?,
            Self::Lz4 => read_whole(lz4_flex::frame::FrameDecoder::new(bytes))?,
            Self::Zstd => read_whole(zstd::stream::read::Decoder::new(bytes).map_err(wrong)?)?,
        };
        Ok(Cow::Owned(unpacked))
    }
}

fn too_much() -> NodeError {
    wrong("a batch unpacks to too much")
}

fn read_whole(decoder: impl Read) -> Result<Vec<u8>, NodeError> {
    let mut bytes = Vec::new();
    let read = decoder.take(UNPACKED_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| wrong(format!("a batch cannot be unpacked: {error}")))?;
    if bytes.len() > UNPACKED_BYTES_MAX { Err(too_much()) } else { Ok(bytes) }
}

/// One block, or a stream of blocks with their lengths.
fn snappy(bytes: &[u8]) -> Result<Vec<u8>, NodeError> {
    let mut unpacked = Vec::new();
    let Some(stream) = bytes.strip_prefix(SNAPPY_STREAM) else {
        snappy_block(bytes, &mut unpacked)?;
        return Ok(unpacked);
    };
    let mut reader = Reader::new(stream);
    reader.take(SNAPPY_VERSIONS_BYTES)?;
    while !reader.rest().is_empty() {
        let length = usize::try_from(reader.i32()?).map_err(|_| wrong("a block has no length"))?;
        snappy_block(reader.take(length)?, &mut unpacked)?;
    }
    Ok(unpacked)
}

fn snappy_block(block: &[u8], unpacked: &mut Vec<u8>) -> Result<(), NodeError> {
    let failed = |error: snap::Error| wrong(format!("a batch cannot be unpacked: {error}"));
    // The block says how long it is before anything is made of it.
    let length = snap::raw::decompress_len(block).map_err(failed)?;
    if unpacked.len().saturating_add(length) > UNPACKED_BYTES_MAX {
        return Err(too_much());
    }
    unpacked.extend(snap::raw::Decoder::new().decompress_vec(block).map_err(failed)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_codec_packs_it_unpacks() {
        let text = b"the same words, the same words, the same words".repeat(10);
        for (name, packing) in Packing::NAMED {
            let packed = packing.pack(text.clone()).unwrap();
            assert!(packed.len() < text.len(), "{name}");
            assert_eq!(Packing::numbered(packing.number()).unwrap().unpack(&packed).unwrap(), text, "{name}");
            assert!(packing.unpack(&packed[..packed.len() / 2]).is_err(), "{name} does not see what is cut off");
            assert!(packing.unpack(b"no such thing").is_err(), "{name}");
        }
    }

    /// The same text as the libraries of C pack it.
    #[test]
    fn what_others_packed_is_unpacked() {
        let hello = b"hello hello hello hello";
        let block = b"\x17\x14hello B\x06\0".as_slice();
        let stream = [b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01\0\0\0\x0b".as_slice(), block].concat();
        let twice = [stream.as_slice(), b"\0\0\0\x0b", block].concat();
        let gzip = b"\x1f\x8b\x08\0\0\0\0\0\x02\x03\xcbH\xcd\xc9\xc9W\xc8@'\x01\xe3Q=\x8d\x17\0\0\0";
        let lz4 = b"\x04\"M\x18h@\x17\0\0\0\0\0\0\x002\x0f\0\0\0hhello \x06\0Phello\0\0\0\0";
        let zstd = b"(\xb5/\xfd \x17e\0\x000hello \x01\0\x99K\x11";
        for (packing, packed) in [
            (Packing::Snappy, block),
            (Packing::Snappy, &stream),
            (Packing::Gzip, gzip),
            (Packing::Lz4, lz4),
            (Packing::Zstd, zstd),
        ] {
            assert_eq!(packing.unpack(packed).unwrap().as_ref(), hello, "{packing:?}");
        }
        assert_eq!(Packing::Snappy.unpack(&twice).unwrap().as_ref(), hello.repeat(2));
        assert!(Packing::Snappy.unpack(&twice[..twice.len() - 3]).is_err());
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused() {
        let zeros = vec![0; UNPACKED_BYTES_MAX + 10];
        for (name, packing) in Packing::NAMED {
            let packed = packing.pack(zeros.clone()).unwrap();
            assert!(packed.len() < zeros.len() / 10, "{name}");
            let refused = packing.unpack(&packed).unwrap_err();
            assert!(refused.message.contains("too much"), "{name}: {refused}");
        }
    }

    #[test]
    fn a_codec_that_nobody_knows_is_told_with_those_that_are_known() {
        let refused = Packing::named("brotli").unwrap_err();
        assert!(refused.message.contains("'brotli'"), "{refused}");
        assert!(refused.description.unwrap().contains("zstd"));
        assert!(Packing::numbered(5).unwrap_err().message.contains("codec 5"));
    }
}
