//! Inferences, sums over them, workers and loads as rows: now, and as of every earlier position.

use std::collections::BTreeMap;

use timeloom_domain::ids::{InferenceId, InferenceWorkerId, ModelLoadId};
use timeloom_domain::inference::{
    ElementType, FailureClass, Gpu, InferenceAnswer, InferenceEvent, InferenceRequest, InferenceWindow,
    InferenceWorkerEvent, ModelLoad, Provider, RejectedCounts, RejectionClass, TensorContent, TensorRecord,
    WorkerMachine,
};
use timeloom_projections::{
    AsOf, InferenceFilter, InferenceStatus, InferenceWindowFilter, InferenceWorkerFilter, ModelLoadFilter, Page,
    ReadModels, Unanswered,
};
use uuid::Uuid;

use crate::places::Place;
use crate::world::{TENANT, Told, caught_up, execution_id, log_of, position, slug, told};

pub fn inference_id(number: usize) -> InferenceId {
    InferenceId(Uuid::from_u128(0x1F00 + number as u128))
}

pub fn worker_id(number: usize) -> InferenceWorkerId {
    InferenceWorkerId(Uuid::from_u128(0x3000 + number as u128))
}

pub fn load_id(number: usize) -> ModelLoadId {
    ModelLoadId(Uuid::from_u128(0x10AD_0000 + number as u128))
}

fn tensor(name: &str) -> TensorRecord {
    let (element, shape) = (ElementType::F32, vec![1, 2]);
    let content = TensorContent::Inline("AAAAAAAAAAA=".to_owned());
    TensorRecord { name: name.to_owned(), element, shape, digest: "d".repeat(64), content }
}

pub fn request(model: usize) -> Box<InferenceRequest> {
    Box::new(InferenceRequest {
        model: slug(model),
        asked: format!("{}@prod", slug(model).as_str()),
        version: 1 + model as u32 % 2,
        arm: None,
        digest: format!("{model:064x}"),
        inputs: vec![tensor("x")],
        workflow: None,
        execution: model.is_multiple_of(2).then(|| execution_id(model)),
        node: model.is_multiple_of(2).then(|| "Score".to_owned()),
        agent: None,
        key: None,
        shadow_of: None,
        at_ms: 1_000,
        deadline_ms: 31_000,
    })
}

pub fn answer(load: usize) -> Box<InferenceAnswer> {
    Box::new(InferenceAnswer {
        outputs: vec![tensor("y")],
        provider: if load.is_multiple_of(2) { Provider::Cpu } else { Provider::Cuda },
        load: load_id(load),
        queue_us: 40,
        compute_us: 250,
        batch_rows: 3,
        bucket: 4,
        fingerprint: format!("{:064x}", load % 3),
        compared: None,
    })
}

pub fn window(model: usize) -> InferenceEvent {
    InferenceEvent::InferenceWindowClosed(Box::new(InferenceWindow {
        model: slug(model),
        version: 1,
        load: load_id(model),
        from_ms: 1_000,
        until_ms: 61_000,
        completed: 9_999,
        cancelled: 1,
        rejected: RejectedCounts { queue_full: 3, deadline_missed: 2, draining: 0 },
        compute_us: 1_000_000,
        queue_us: 5_000,
        latency_log2_us: vec![0, 4, 9_995],
        chain: "c".repeat(64),
    }))
}

/// What may happen to an inference next, as a number.
pub fn inference_event(number: usize, how: usize) -> InferenceEvent {
    let (inference, asked) = (inference_id(number), request(how % 3));
    let with = how.is_multiple_of(2).then_some(asked.clone());
    match how % 8 {
        0 | 1 => InferenceEvent::InferenceRequested { inference, request: asked },
        2 => InferenceEvent::InferenceStarted { inference, queue_us: 7 },
        3 | 4 => InferenceEvent::InferenceCompleted { inference, request: with, answer: answer(how % 5) },
        5 => {
            let reason = "a zero \0 in it".to_owned();
            InferenceEvent::InferenceFailed { inference, request: Some(asked), class: FailureClass::Unfit, reason }
        }
        6 => {
            let (class, retry_after_ms) = (RejectionClass::QueueFull, Some(20));
            InferenceEvent::InferenceRejected { inference, request: with, class, retry_after_ms }
        }
        _ if how > 128 => window(how % 3),
        _ => InferenceEvent::InferenceCancelled { inference, request: with },
    }
}

pub fn loaded(load: usize, model: usize) -> InferenceWorkerEvent {
    InferenceWorkerEvent::ModelLoaded(Box::new(ModelLoad {
        load: load_id(load),
        model: slug(model),
        version: 1,
        digest: format!("{model:064x}"),
        gpu: Gpu::Optional,
        provider: Provider::Cpu,
        nodes: BTreeMap::from([("CPUExecutionProvider".to_owned(), 4)]),
        on_cpu: Vec::new(),
        options: "threads=1".to_owned(),
        runtime: "ONNX Runtime 1.32.0".to_owned(),
        machine: "x86_64 avx2".to_owned(),
        instances: 2,
        threads: 1,
        rows_max: 32,
        load_ms: 5,
        warm_up_ms: 9,
    }))
}

fn started() -> InferenceWorkerEvent {
    let machine = WorkerMachine { architecture: "x86_64".to_owned(), cores: 4, ..WorkerMachine::default() };
    InferenceWorkerEvent::InferenceWorkerStarted { machine: Box::new(machine) }
}

/// What may happen to a worker next, as a number; its loads are its own.
pub fn worker_event(worker: usize, how: usize) -> InferenceWorkerEvent {
    let (number, model, version) = (worker * 10 + how / 16 % 3, slug(how % 2), 1);
    let (load, reason) = (load_id(number), format!("because {how}"));
    match how % 9 {
        0 => started(),
        1 | 2 => loaded(number, how % 2),
        3 => {
            let (digest, code) = ("d".repeat(64), "NO_GPU".to_owned());
            InferenceWorkerEvent::ModelLoadFailed { model, version, digest, code, reason }
        }
        4 => {
            let (wanted, got) = (Provider::Cuda, Provider::Cpu);
            InferenceWorkerEvent::ProviderFellBack { load, model, version, wanted, got, reason }
        }
        5 => InferenceWorkerEvent::ModelDegraded { load, model, version, rows_max: 8, reason },
        6 => InferenceWorkerEvent::ModelRecovered { load, model, version, rows_max: 32 },
        7 => InferenceWorkerEvent::ModelUnloaded { load, model, version, reason: "idle".to_owned() },
        _ if how > 200 => InferenceWorkerEvent::InferenceWorkerStopped {},
        _ => InferenceWorkerEvent::InferenceWorkerDraining {},
    }
}

fn completed(number: usize, model: usize) -> Told {
    let (inference, request) = (inference_id(number), Some(request(model)));
    told(worker_id(0), &InferenceEvent::InferenceCompleted { inference, request, answer: answer(number) })
}

async fn listed(models: &ReadModels, as_of: AsOf, filter: &InferenceFilter) -> Vec<InferenceId> {
    let mut ids = Vec::new();
    let mut page = Page::first(2);
    loop {
        let found = models.inferences(TENANT, as_of, &page, filter).await.unwrap();
        ids.extend(found.rows.iter().map(|row| row.id));
        if !found.has_next {
            return ids;
        }
        page.after = found.end_cursor;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inference_that_was_written_down_step_by_step_is_seen_at_each() {
    let inference = inference_id(0);
    let story = [
        told(worker_id(0), &InferenceEvent::InferenceRequested { inference, request: request(0) }),
        told(worker_id(0), &InferenceEvent::InferenceStarted { inference, queue_us: 40 }),
        told(worker_id(0), &InferenceEvent::InferenceCompleted { inference, request: None, answer: answer(1) }),
        // Nothing happens to what ended.
        told(worker_id(0), &InferenceEvent::InferenceCancelled { inference, request: None }),
    ];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let at = async |at| models.inferences_by_id(TENANT, &[inference], Some(position(at))).await.unwrap().pop();
        let asked = at(1).await.unwrap();
        assert_eq!((asked.status, asked.worker, asked.version), (InferenceStatus::Requested, worker_id(0), 1));
        assert_eq!((asked.asked.as_str(), asked.execution), ("name-0@prod", Some(execution_id(0))));
        assert_eq!((asked.queue_us, asked.answer, asked.ended_position), (None, None, None));
        assert_eq!(at(2).await.unwrap().status, InferenceStatus::Computing);
        let ended = at(4).await.unwrap();
        assert_eq!((ended.status, ended.request_position), (InferenceStatus::Completed, position(1)));
        assert_eq!((ended.ended_position, ended.provenance.updated_position), (Some(position(3)), position(3)));
        let answered = ended.answer.unwrap();
        assert_eq!((answered.provider, answered.load, answered.bucket), (Provider::Cuda, load_id(1), 4));

        let so_far = |status| InferenceFilter { status: Some(status), ..InferenceFilter::default() };
        for (at, status) in [
            (1, InferenceStatus::Requested),
            (2, InferenceStatus::Computing),
            (3, InferenceStatus::Completed),
            (4, InferenceStatus::Completed),
        ] {
            for asked in [InferenceStatus::Requested, InferenceStatus::Computing, InferenceStatus::Completed] {
                let found = listed(&models, Some(position(at)), &so_far(asked)).await;
                assert_eq!(found.len(), usize::from(asked == status), "{asked:?} at {at}");
            }
        }
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn inferences_are_found_by_model_version_execution_status_and_fingerprint() {
    let failed = |number| {
        let (request, class) = (Some(request(1)), FailureClass::OutOfMemory);
        let (inference, reason) = (inference_id(number), "no memory".to_owned());
        told(worker_id(1), &InferenceEvent::InferenceFailed { inference, request, class, reason })
    };
    let rejected = |number| {
        let (inference, class) = (inference_id(number), RejectionClass::DeadlineMissed);
        let event =
            InferenceEvent::InferenceRejected { inference, request: Some(request(0)), class, retry_after_ms: Some(9) };
        told(worker_id(1), &event)
    };
    let story = [completed(0, 0), completed(1, 1), completed(2, 0), failed(3), rejected(4), completed(5, 0)];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let ids = |numbers: &[usize]| numbers.iter().map(|number| inference_id(*number)).collect::<Vec<_>>();
        let all = InferenceFilter::default();
        assert_eq!(listed(&models, None, &all).await, ids(&[5, 4, 3, 2, 1, 0]));
        assert_eq!(listed(&models, Some(position(2)), &all).await, ids(&[1, 0]));
        let of_model = InferenceFilter { model: Some(slug(0)), ..all.clone() };
        assert_eq!(listed(&models, None, &of_model).await, ids(&[5, 4, 2, 0]));
        assert_eq!(listed(&models, None, &InferenceFilter { version: Some(2), ..of_model.clone() }).await, []);
        assert_eq!(listed(&models, None, &InferenceFilter { version: Some(2), ..all.clone() }).await, ids(&[3, 1]));
        let of_status = |status| InferenceFilter { status: Some(status), ..all.clone() };
        assert_eq!(listed(&models, None, &of_status(InferenceStatus::Completed)).await, ids(&[5, 2, 1, 0]));
        assert_eq!(listed(&models, Some(position(4)), &of_status(InferenceStatus::Rejected)).await, []);
        assert_eq!(listed(&models, None, &of_status(InferenceStatus::Failed)).await, ids(&[3]));
        let both = InferenceFilter { status: Some(InferenceStatus::Completed), ..of_model };
        assert_eq!(listed(&models, Some(position(5)), &both).await, ids(&[2, 0]));
        let of_execution = InferenceFilter { execution: Some(execution_id(0)), ..all.clone() };
        assert_eq!(listed(&models, None, &of_execution).await, ids(&[5, 4, 2, 0]));
        let alike = InferenceFilter { fingerprint: Some(answer(2).fingerprint), ..all };
        assert_eq!(listed(&models, None, &alike).await, ids(&[5, 2]));
        assert_eq!(listed(&models, Some(position(5)), &alike).await, ids(&[2]));

        let rows = models.inferences_by_id(TENANT, &ids(&[3, 4, 77]), None).await.unwrap();
        let [failed, rejected] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!(failed.unanswered, Some(Unanswered::Failed(FailureClass::OutOfMemory)));
        assert_eq!((failed.reason.as_deref(), failed.worker), (Some("no memory"), worker_id(1)));
        assert_eq!(rejected.unanswered, Some(Unanswered::Rejected(RejectionClass::DeadlineMissed)));
        assert_eq!((rejected.retry_after_ms, rejected.ended_position), (Some(9), Some(position(5))));
        let pages = models.inference_pages(TENANT, None, &[(Page::first(1), alike), (Page::last(1), both)]).await;
        let pages: Vec<_> = pages.unwrap().into_iter().map(|page| (page.rows[0].id, page.has_next)).collect();
        assert_eq!(pages, [(inference_id(5), true), (inference_id(0), false)]);
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_over_inferences_are_rows_of_their_own() {
    let story = [told(worker_id(0), &window(0)), completed(0, 0), told(worker_id(1), &window(1))];
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let listed = async |filter: InferenceWindowFilter, as_of| {
            let found = models.inference_windows(TENANT, as_of, &Page::first(10), &filter).await.unwrap();
            found.rows.into_iter().map(|row| (row.position, row.worker)).collect::<Vec<_>>()
        };
        let (first, second) = ((position(1), worker_id(0)), (position(3), worker_id(1)));
        assert_eq!(listed(InferenceWindowFilter::default(), None).await, [second, first]);
        assert_eq!(listed(InferenceWindowFilter::default(), Some(position(2))).await, [first]);
        let of_model = InferenceWindowFilter { model: Some(slug(1)), version: Some(1) };
        assert_eq!(listed(of_model, None).await, [second]);
        let row = models.inference_window(TENANT, position(1), None).await.unwrap().unwrap();
        assert_eq!((row.window.completed, row.window.load), (9_999, load_id(0)));
        assert_eq!(models.inference_window(TENANT, position(2), None).await.unwrap(), None);
        models.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_load_is_in_memory_until_it_is_put_away_and_is_known_afterwards() {
    let (load, model, version) = (load_id(0), slug(0), 1);
    let events = [
        started(),
        loaded(0, 0),
        InferenceWorkerEvent::ModelDegraded {
            load,
            model: model.clone(),
            version,
            rows_max: 8,
            reason: "full".to_owned(),
        },
        InferenceWorkerEvent::ModelUnloaded { load, model, version, reason: "stopping".to_owned() },
        InferenceWorkerEvent::InferenceWorkerStopped {},
    ];
    let story: Vec<Told> = events.iter().map(|event| told(worker_id(0), event)).collect();
    for place in Place::both().await {
        let models = caught_up(place.store(), &log_of(&story).await).await;
        let in_memory = async |at| {
            let filter = ModelLoadFilter { model: Some(slug(0)), in_memory: Some(true), worker: None };
            let pages = models.model_load_pages(TENANT, Some(position(at)), &[(Page::first(10), filter)]).await;
            pages.unwrap().remove(0).rows
        };
        assert_eq!(in_memory(1).await, []);
        assert_eq!(in_memory(2).await[0].load.rows_max, 32);
        let degraded = in_memory(3).await.remove(0);
        assert_eq!((degraded.load.rows_max, degraded.degraded.as_deref()), (8, Some("full")));
        assert_eq!(in_memory(4).await, []);
        let known = models.model_loads_by_id(TENANT, &[load], None).await.unwrap().remove(0);
        assert_eq!((known.unloaded.as_deref(), known.worker), (Some("stopping"), worker_id(0)));

        let workers = async |stopped, at| {
            let filter = InferenceWorkerFilter { stopped };
            models.inference_workers(TENANT, Some(position(at)), &Page::first(10), filter).await.unwrap().rows
        };
        assert_eq!(workers(Some(true), 4).await, []);
        let worker = workers(Some(false), 4).await.remove(0);
        assert_eq!((worker.id, worker.worker.machine.unwrap().cores), (worker_id(0), 4));
        assert_eq!(workers(None, 3).await[0].worker.loads.len(), 1);
        assert!(workers(Some(true), 5).await[0].worker.stopped);
        models.close().await.unwrap();
    }
}
