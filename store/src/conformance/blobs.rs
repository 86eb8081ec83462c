//! What holds for blobs.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::join_all;

use super::Fresh;
use crate::blobs::{BLOB_BYTES_MAX, BLOB_PART_BYTES, BlobError, BlobHash, BlobReader, BlobStore, WrittenBlob};

/// A blob is found by its hash, twice the same is one, and what is not there is said to be missing.
pub async fn blobs_come_back_and_are_missed(fresh: Fresh) {
    let blobs = &*fresh.blobs;
    let content = Bytes::from(vec![7; 200_000]);
    let hash = blobs.put(content.clone()).await.unwrap();
    assert_eq!(hash, BlobHash::of(&content));
    assert_eq!(blobs.put(content.clone()).await.unwrap(), hash);
    assert_eq!(blobs.get(hash).await.unwrap(), content);
    let empty = blobs.put(Bytes::new()).await.unwrap();
    assert_eq!(blobs.get(empty).await.unwrap(), Bytes::new());
    let missing = BlobHash::of(b"never stored");
    assert!(matches!(blobs.get(missing).await, Err(BlobError::Missing(hash)) if hash == missing));
}

/// Content of `bytes` bytes in which no two parts are the same.
fn content_of(bytes: usize) -> Vec<u8> {
    (0..bytes.div_ceil(4)).flat_map(|number| (number as u32).to_le_bytes()).take(bytes).collect()
}

async fn write_in_pieces(blobs: &dyn BlobStore, content: &[u8], piece_bytes: usize) -> WrittenBlob {
    let mut writer = blobs.writer().await.unwrap();
    for piece in content.chunks(piece_bytes) {
        writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    writer.finish().await.unwrap()
}

/// What was written in pieces is the blob that it would be as a whole, and is read in parts to its end.
pub async fn blobs_are_written_in_pieces_and_read_in_parts(fresh: Fresh) {
    let blobs = &*fresh.blobs;
    for bytes in [0, 1, BLOB_PART_BYTES, 2 * BLOB_PART_BYTES + 77] {
        let content = content_of(bytes);
        let written = write_in_pieces(blobs, &content, 300_001).await;
        assert_eq!(written, WrittenBlob { hash: BlobHash::of(&content), bytes: bytes as u64 });
        assert!(blobs.get(written.hash).await.unwrap() == content, "the content of {bytes} bytes is another");
        let mut reader = BlobReader::new(Arc::clone(&fresh.blobs), written.hash);
        let mut read = Vec::new();
        while let Some(part) = reader.next().await.unwrap() {
            assert!(part.len() <= BLOB_PART_BYTES);
            read.extend_from_slice(&part);
        }
        assert!(read == content, "the parts of {bytes} bytes are others");
        assert!(reader.next().await.unwrap().is_none());
    }
    let content = content_of(100_000);
    let hash = blobs.put(content.clone().into()).await.unwrap();
    assert_eq!(write_in_pieces(blobs, &content, 1_000).await.hash, hash, "it was there already");
    assert_eq!(blobs.part(hash, 99_990, 7).await.unwrap(), content[99_990..99_997]);
    assert_eq!(blobs.part(hash, 99_999, 7).await.unwrap(), content[99_999..]);
    assert!(blobs.part(hash, 100_000, 7).await.unwrap().is_empty());
    assert!(blobs.part(hash, u64::MAX, 7).await.unwrap().is_empty());
    let missing = BlobHash::of(b"never stored");
    assert!(matches!(blobs.part(missing, 0, 1).await, Err(BlobError::Missing(hash)) if hash == missing));
}

/// The same content from many at once is one blob, and each of them finds it there.
pub async fn a_blob_that_many_write_is_whole(fresh: Fresh) {
    let blobs = &*fresh.blobs;
    let content = content_of(300_000);
    let written = join_all((1..=8).map(|number| {
        let content = &content;
        async move {
            let written = write_in_pieces(blobs, content, number * 10_000).await;
            assert!(blobs.get(written.hash).await.unwrap() == *content);
            written.hash
        }
    }))
    .await;
    assert!(written.iter().all(|hash| *hash == BlobHash::of(&content)));
}

/// Who stops in the middle has stored nothing.
pub async fn an_unfinished_blob_leaves_nothing(fresh: Fresh) {
    let content = content_of(200_000);
    let mut writer = fresh.blobs.writer().await.unwrap();
    writer.write(content.clone().into()).await.unwrap();
    drop(writer);
    let found = fresh.blobs.get(BlobHash::of(&content)).await;
    assert!(matches!(found, Err(BlobError::Missing(_))));
}

/// A content that never ends is refused once it is over the bound.
pub async fn a_blob_over_the_bound_is_refused_on_its_way(fresh: Fresh) {
    let mut writer = fresh.blobs.writer().await.unwrap();
    let piece = Bytes::from(vec![0; 8 << 20]);
    let mut pieces = 0;
    let refused = loop {
        match writer.write(piece.clone()).await {
            Ok(()) => pieces += 1,
            Err(refused) => break refused,
        }
        assert!(pieces <= BLOB_BYTES_MAX / piece.len(), "nothing is refused");
    };
    assert!(matches!(refused, BlobError::TooLarge(bytes) if bytes > BLOB_BYTES_MAX), "{refused}");
    assert_eq!(pieces, BLOB_BYTES_MAX / piece.len());
}
