//! Recorded inferences are computed again to the last bit, however they were batched.

use std::collections::HashMap;
use std::sync::Arc;

use futures::StreamExt as _;
use timeloom_domain::inference::{InferenceEvent, InferenceWorkerEvent, OutputComparison, TensorContent};
use timeloom_domain::model::ModelSettings;
use timeloom_inference_worker::{NotInferred, NotVerified, Recorded, Verified, Verifier};

use crate::world::{World, question, runtime, slug};

/// How many inferences are computed again.
const INFERENCES: u32 = 10_000;

async fn recorded(world: &World) -> Vec<Recorded> {
    let events = world.events::<InferenceEvent>().await;
    let completed = events.into_iter().filter_map(|event| match event {
        InferenceEvent::InferenceCompleted { inference, request: Some(request), answer } => {
            Some(Recorded { inference, request: *request, answer: *answer })
        }
        _ => None,
    });
    completed.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_computed_in_batches_is_the_same_to_the_last_bit_when_it_is_computed_alone() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker().await;
    // As many at once as may wait.
    let asked = futures::stream::iter(0..INFERENCES).map(|seed| {
        let worker = worker.clone();
        async move { worker.infer(question("mood", seed)).await.unwrap() }
    });
    asked.buffer_unordered(512).collect::<Vec<_>>().await;
    worker.close().await;
    let loads: HashMap<_, _> = world
        .events::<InferenceWorkerEvent>()
        .await
        .into_iter()
        .filter_map(|event| match event {
            InferenceWorkerEvent::ModelLoaded(load) => Some((load.load, *load)),
            _ => None,
        })
        .collect();
    let all = recorded(&world).await;
    assert_eq!(all.len(), INFERENCES as usize);
    assert!(all.iter().any(|recorded| recorded.answer.batch_rows > 1), "nothing was batched");
    let verifier = Verifier::new(Ok(runtime()), Arc::clone(&world.files) as _, Arc::clone(&world.blobs) as _);
    for recorded in &all {
        let load = &loads[&recorded.answer.load];
        assert_eq!(verifier.verify(recorded, load, &[]).await.unwrap(), Verified::Same);
    }

    let load = &loads[&all[0].answer.load];
    let mut forged = all[0].clone();
    forged.answer.outputs =
        all.iter().find(|other| other.answer.outputs != forged.answer.outputs).unwrap().answer.outputs.clone();
    assert!(matches!(verifier.verify(&forged, load, &[]).await.unwrap(), Verified::Different { .. }));
    let mut damaged = all[0].clone();
    damaged.request.inputs[0].content = TensorContent::Inline("AAAA".to_owned());
    assert!(matches!(verifier.verify(&damaged, load, &[]).await, Err(NotVerified::NotRead(_))));
    let mut gone = all[0].clone();
    gone.request.digest = "00".repeat(32);
    assert!(matches!(verifier.verify(&gone, load, &[]).await, Err(NotVerified::NoFile(_))));
}

#[tokio::test]
async fn what_is_tried_for_comparison_is_computed_and_is_no_inference() {
    let world = World::new();
    let first = world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let second = world.add("mood", "mlp-again.onnx").await;
    let other = world.add("mood", "identity.onnx").await;
    let worker = world.worker().await;
    let asked = question("mood", 1);
    let answered = worker.infer(asked.clone()).await.unwrap();
    assert_eq!(answered.version, first);
    let tried = worker.tried(&asked.cause, &slug("mood"), second, &asked.inputs).await.unwrap();
    assert!(OutputComparison::of(&answered.outputs, &tried.outputs).is_within(1e-5));
    let unfit = worker.tried(&asked.cause, &slug("mood"), other, &asked.inputs).await;
    assert!(matches!(unfit, Err(NotInferred::NotComputed(_))), "{unfit:?}");
    let missing = worker.tried(&asked.cause, &slug("mood"), 9, &asked.inputs).await;
    assert!(matches!(missing, Err(NotInferred::Refused(_))), "{missing:?}");
    worker.close().await;
    assert_eq!(recorded(&world).await.len(), 1, "only what was answered is recorded");
}
