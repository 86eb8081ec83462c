//! Tensors come back as they were written down, or not at all.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use timeloom_domain::inference::{ElementType, TensorContent};
use timeloom_inference::Tensor;
use timeloom_inference_worker::{INLINE_BYTES_MAX, NotRead, known, read, to_records};
use timeloom_store::{BlobStore, MemoryBlobs};

fn bytes(length: usize) -> Tensor {
    let data: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).unwrap()).collect();
    Tensor::new(ElementType::U8, vec![length], Bytes::from(data)).unwrap()
}

fn named(name: &str, tensor: &Tensor) -> (String, Tensor) {
    (name.to_owned(), tensor.clone())
}

#[tokio::test]
async fn small_tensors_are_in_the_event_and_others_in_blobs() {
    let blobs = MemoryBlobs::new();
    let (small, large) = (bytes(INLINE_BYTES_MAX), bytes(INLINE_BYTES_MAX + 1));
    let tensors = [small, large];
    let records = to_records(&[named("small", &tensors[0]), named("large", &tensors[1])], &*blobs).await.unwrap();
    assert!(matches!(&records[0].content, TensorContent::Inline(_)));
    assert!(matches!(&records[1].content, TensorContent::Blob(id) if id.starts_with("blob:")));
    for (record, tensor) in records.iter().zip(&tensors) {
        assert_eq!(&read(record, &*blobs).await.unwrap(), tensor);
    }
    let elsewhere: Arc<dyn BlobStore> = MemoryBlobs::new();
    assert!(matches!(read(&records[1], &*elsewhere).await, Err(NotRead::Missing { .. })));
}

#[tokio::test]
async fn where_nothing_can_be_stored_large_tensors_are_known_by_their_digest_alone() {
    let blobs = MemoryBlobs::new();
    let tensors = [bytes(10), bytes(INLINE_BYTES_MAX + 1)];
    let records = [known("small", &tensors[0]), known("large", &tensors[1])];
    assert_eq!(read(&records[0], &*blobs).await.unwrap(), tensors[0]);
    assert!(matches!(read(&records[1], &*blobs).await, Err(NotRead::Omitted(name)) if name == "large"));
    assert_eq!(records[1].digest.len(), 64);
}

#[tokio::test]
async fn what_was_changed_is_not_read() {
    let blobs = MemoryBlobs::new();
    let record = known("x", &bytes(3));
    let changes: [&dyn Fn(&mut timeloom_domain::inference::TensorRecord); 5] = [
        &|record| record.content = TensorContent::Inline("AAEC".replace('C', "D")),
        &|record| record.content = TensorContent::Inline("not base64".to_owned()),
        &|record| record.content = TensorContent::Blob("file:/etc/passwd".to_owned()),
        &|record| record.shape = vec![1, 3],
        &|record| record.element = ElementType::I8,
    ];
    for change in changes {
        let mut changed = record.clone();
        change(&mut changed);
        assert!(matches!(read(&changed, &*blobs).await, Err(NotRead::Damaged { .. })), "{changed:?}");
    }
}

proptest! {
    #[test]
    fn any_tensor_comes_back(lengths in prop::collection::vec(0..5_usize, 0..4), seed in any::<u8>()) {
        let elements: usize = lengths.iter().product();
        let data: Vec<u8> = (0..elements * 4).map(|at| seed.wrapping_add(u8::try_from(at % 256).unwrap())).collect();
        let tensor = Tensor::new(ElementType::F32, lengths, Bytes::from(data)).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let blobs = MemoryBlobs::new();
            let records = to_records(&[named("x", &tensor)], &*blobs).await.unwrap();
            assert_eq!(read(&records[0], &*blobs).await.unwrap(), tensor);
        });
    }
}
