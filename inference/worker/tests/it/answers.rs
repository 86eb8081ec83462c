//! Questions to real models: what is answered is in the log, with everything by which it can be traced.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use timeloom_domain::ids::FIRST_TENANT;
use timeloom_domain::inference::{
    FailureClass, Gpu, InferenceEvent, InferenceWorkerEvent, Provider, RejectedCounts, RejectionClass, TensorContent,
};
use timeloom_domain::model::{ModelRefusal, ModelSettings, Recording, RolloutArm};
use timeloom_inference_worker::{NotInferred, Question};
use timeloom_store::conformance::{Fault, FaultRates, FaultyLog};
use timeloom_store::{MemoryLog, SystemClock};

use crate::world::{World, floats, question, slug};

#[tokio::test]
async fn an_answer_is_in_the_log_with_the_model_and_the_inputs_that_it_came_of() {
    let world = World::new();
    let version = world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker().await;
    let inferred = worker.infer(question("mood", 1)).await.unwrap();
    assert_eq!((inferred.version, inferred.provider), (version, Provider::Cpu));
    assert_eq!(inferred.outputs[0].1.shape()[0], 1);

    let loads = world.events::<InferenceWorkerEvent>().await;
    let InferenceWorkerEvent::InferenceWorkerStarted { machine } = &loads[0] else { panic!("{loads:?}") };
    assert!(machine.runtime.as_ref().unwrap().starts_with("ONNX Runtime 1."), "{machine:?}");
    assert_eq!(machine.runtime_digest.as_ref().unwrap().len(), 64);
    let InferenceWorkerEvent::ModelLoaded(load) = &loads[1] else { panic!("{loads:?}") };
    assert_eq!((load.load, load.provider, load.gpu), (inferred.load, Provider::Cpu, Gpu::None));
    assert!(
        load.runtime.starts_with("ONNX Runtime 1.") && load.runtime.ends_with(machine.runtime_digest.as_ref().unwrap())
    );
    assert!(load.nodes["CPUExecutionProvider"] > 0 && load.on_cpu.is_empty(), "{load:?}");

    let events = world.events::<InferenceEvent>().await;
    let [InferenceEvent::InferenceCompleted { inference, request: Some(request), answer }] = &*events else {
        panic!("{events:?}")
    };
    assert_eq!((*inference, answer.load, &answer.fingerprint), (inferred.inference, load.load, &inferred.fingerprint));
    assert_eq!((&request.digest, request.version, &*request.asked), (&load.digest, version, "mood"));
    assert_eq!(request.deadline_ms - request.at_ms, 30_000);
    assert!(matches!(request.inputs[0].content, TensorContent::Inline(_)));
    let read = timeloom_inference_worker::read(&answer.outputs[0], &*world.blobs).await.unwrap();
    assert_eq!(read, inferred.outputs[0].1);
    worker.close().await;
    let ended = world.events::<InferenceWorkerEvent>().await;
    let names: Vec<&str> = ended.iter().map(timeloom_domain::event::Event::event_type).collect();
    let story =
        ["InferenceWorkerStarted", "ModelLoaded", "InferenceWorkerDraining", "ModelUnloaded", "InferenceWorkerStopped"];
    assert_eq!(names, story);
    assert!(matches!(worker.infer(question("mood", 1)).await, Err(NotInferred::Draining)));
}

#[tokio::test]
async fn the_same_question_has_the_same_fingerprint_and_answer_alone_and_among_others() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker().await;
    let alone = worker.infer(question("mood", 3)).await.unwrap();
    let many = (0..64).map(|seed| {
        let worker = worker.clone();
        async move { worker.infer(question("mood", seed % 8)).await.unwrap() }
    });
    let many = futures::future::join_all(many).await;
    for (seed, inferred) in many.iter().enumerate() {
        let is_same = inferred.fingerprint == alone.fingerprint;
        assert_eq!(is_same, seed % 8 == 3, "question {seed}");
        if is_same {
            assert_eq!(inferred.outputs[0].1, alone.outputs[0].1);
        }
    }
    worker.close().await;
}

#[tokio::test]
async fn where_everything_is_recorded_each_step_is_an_event() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings { recording: Recording::Full, ..ModelSettings::default() }).await;
    let worker = world.worker().await;
    worker.infer(question("mood", 1)).await.unwrap();
    let events = world.events::<InferenceEvent>().await;
    assert!(
        matches!(
            &*events,
            [
                InferenceEvent::InferenceRequested { .. },
                InferenceEvent::InferenceStarted { .. },
                InferenceEvent::InferenceCompleted { request: None, .. }
            ]
        ),
        "{events:?}"
    );
    worker.close().await;
}

#[tokio::test]
async fn where_samples_are_recorded_the_others_are_summed_and_nothing_is_forgotten() {
    let world = World::new();
    let recording = Recording::Sampled { one_in: 10 };
    world.serve("mood", "mlp.onnx", ModelSettings { recording, ..ModelSettings::default() }).await;
    let worker = world.worker().await;
    for seed in 0..200 {
        worker.infer(question("mood", seed)).await.unwrap();
    }
    let wrong = worker.infer(crate::world::question_with("mood", floats(&[1, 3], &[0.0; 3]))).await;
    assert!(wrong.is_err());
    worker.close().await;
    let events = world.events::<InferenceEvent>().await;
    let single = events.iter().filter(|event| matches!(event, InferenceEvent::InferenceCompleted { .. })).count();
    let failed = events.iter().filter(|event| matches!(event, InferenceEvent::InferenceFailed { .. })).count();
    let windows: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            InferenceEvent::InferenceWindowClosed(window) => Some(window),
            _ => None,
        })
        .collect();
    let summed: u64 = windows.iter().map(|window| window.completed).sum();
    assert_eq!(single as u64 + summed, 200);
    assert!((5..=45).contains(&single), "{single} of 200 were recorded one by one");
    assert_eq!(failed, 1, "failures are always recorded");
    let counted: u64 = windows.iter().flat_map(|window| &window.latency_log2_us).sum();
    assert_eq!(counted, summed);
}

#[tokio::test]
async fn what_a_model_does_not_take_is_refused_in_words() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker().await;
    let told = async |question| worker.infer(question).await.unwrap_err().to_string();
    let mut named = question("mood", 1);
    named.inputs[0].0 = "y2".to_owned();
    assert_eq!(told(named).await, "the model has no input 'y2': it has x");
    let mut twice = question("mood", 1);
    twice.inputs.push(twice.inputs[0].clone());
    assert_eq!(told(twice).await, "the input 'x' is given twice");
    let mut none = question("mood", 1);
    none.inputs.clear();
    assert_eq!(told(none).await, "the input 'x' is missing: the model wants x");
    let shape = told(crate::world::question_with("mood", floats(&[1, 3], &[0.0; 3]))).await;
    assert!(shape.contains("do not fit the model"), "{shape}");

    let nobody = told(question("nobody", 1)).await;
    assert!(nobody.starts_with("there is no model 'nobody': register it first"), "{nobody}");
    let unknown = worker.infer(question("mood@7", 1)).await;
    assert!(matches!(unknown, Err(NotInferred::Refused(ModelRefusal::UnknownVersion(7)))));
    let mut late = question("mood", 1);
    late.within = Some(Duration::ZERO);
    assert!(worker.infer(late).await.unwrap_err().to_string().contains("deadline"));
    let events = world.events::<InferenceEvent>().await;
    let classes: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            InferenceEvent::InferenceFailed { class, .. } => Some(format!("{class:?}")),
            InferenceEvent::InferenceRejected { class, .. } => Some(format!("{class:?}")),
            _ => None,
        })
        .collect();
    // Four that do not fit, by their names or shapes, and one that was late: each is written down.
    let unfit = format!("{:?}", FailureClass::Unfit);
    let late = format!("{:?}", RejectionClass::DeadlineMissed);
    assert_eq!(classes, [unfit.clone(), unfit.clone(), unfit.clone(), unfit, late]);
    worker.close().await;
}

#[tokio::test]
async fn of_many_who_are_turned_away_at_once_the_first_are_written_down_and_the_others_counted() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker().await;
    // The clock stands still: all of them come in one second.
    for seed in 0..35 {
        let late = Question { within: Some(Duration::ZERO), ..question("mood", seed) };
        assert!(worker.infer(late).await.unwrap_err().to_string().contains("deadline"));
    }
    worker.close().await;
    let events = world.events::<InferenceEvent>().await;
    let alone = events.iter().filter(|event| matches!(event, InferenceEvent::InferenceRejected { .. })).count();
    let sums: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            InferenceEvent::InferenceWindowClosed(window) => Some((window.completed, window.rejected)),
            _ => None,
        })
        .collect();
    assert_eq!(alone, 10);
    assert_eq!(sums, [(0, RejectedCounts { deadline_missed: 25, ..RejectedCounts::default() })]);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_says_why_once_and_is_tried_again_later() {
    let world = World::new();
    world.serve("broken", "cut.onnx", ModelSettings::default()).await;
    world.serve("greedy", "mlp.onnx", ModelSettings { gpu: Gpu::Required, ..ModelSettings::default() }).await;
    let worker = world.worker().await;
    let code = async |model: &str| match worker.infer(question(model, 1)).await {
        Err(NotInferred::NotLoaded { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code("broken").await, "BROKEN_FILE");
    assert_eq!(code("broken").await, "BROKEN_FILE");
    assert_eq!(code("greedy").await, "NO_GPU");
    let failed = world.events::<InferenceWorkerEvent>().await;
    let failed: Vec<_> = failed
        .iter()
        .filter_map(|event| match event {
            InferenceWorkerEvent::ModelLoadFailed { model, code, .. } => Some((model.as_str(), code.as_str())),
            _ => None,
        })
        .collect();
    assert_eq!(failed, [("broken", "BROKEN_FILE"), ("greedy", "NO_GPU")], "a storm of requests is one failed load");
    let asked = world.events::<InferenceEvent>().await;
    assert!(
        asked.len() == 3
            && asked.iter().all(|event| {
                matches!(
                    event,
                    InferenceEvent::InferenceFailed { class: FailureClass::NotLoaded, request: Some(_), .. }
                )
            }),
        "{asked:?}"
    );
    worker.close().await;
}

#[tokio::test]
async fn a_model_that_would_like_a_gpu_falls_back_and_that_is_in_the_log() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings { gpu: Gpu::Optional, ..ModelSettings::default() }).await;
    let worker = world.worker().await;
    let inferred = worker.infer(question("mood", 1)).await.unwrap();
    assert_eq!(inferred.provider, Provider::Cpu);
    let told = world.events::<InferenceWorkerEvent>().await;
    let back = told.iter().find_map(|event| match event {
        InferenceWorkerEvent::ProviderFellBack { load, wanted, got, reason, .. } => {
            Some((*load, *wanted, *got, reason))
        }
        _ => None,
    });
    let (load, wanted, got, reason) = back.unwrap();
    assert_eq!((load, wanted, got), (inferred.load, Provider::Cuda, Provider::Cpu));
    assert!(!reason.is_empty());
    worker.close().await;
}

#[tokio::test]
async fn without_a_runtime_the_worker_lives_and_says_so() {
    let world = World::new();
    world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker_with(Err("ONNX Runtime was not found".to_owned())).await;
    match worker.infer(question("mood", 1)).await {
        Err(NotInferred::NotLoaded { code, reason, .. }) => {
            assert_eq!((code, &*reason), ("NO_RUNTIME", "ONNX Runtime was not found"));
        }
        other => panic!("{other:?}"),
    }
    let told = world.events::<InferenceWorkerEvent>().await;
    let InferenceWorkerEvent::InferenceWorkerStarted { machine } = &told[0] else { panic!("{told:?}") };
    assert_eq!(machine.runtime_missing.as_deref(), Some("ONNX Runtime was not found"));
    worker.close().await;
}

#[tokio::test]
async fn nothing_is_answered_that_could_not_be_written_down() {
    let inner = MemoryLog::new(Arc::new(SystemClock));
    let log = FaultyLog::new(inner, 1, FaultRates::none());
    let world = World::over(Arc::clone(&log) as _);
    world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let worker = world.worker().await;
    worker.infer(question("mood", 1)).await.unwrap();
    log.set_rates(FaultRates::none().with(Fault::LateRequest, 1_000));
    assert!(matches!(worker.infer(question("mood", 2)).await, Err(NotInferred::NotRecorded(_))));
    log.set_rates(FaultRates::none());
    worker.infer(question("mood", 3)).await.unwrap();
    worker.close().await;
}

#[tokio::test]
async fn a_trial_answers_its_part_and_the_event_tells_which_version_did() {
    let world = World::new();
    let first = world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let second = world.add("mood", "identity.onnx").await;
    assert_ne!(first, second);
    let start =
        timeloom_commands::StartModelRollout { version: second, percent: 50, shadow: false, alias: None, guard: None };
    let started = world.commands.start_model_rollout(&world.context(), slug("mood"), start).await.unwrap();
    world.commands.models().wait_for(started.position).await.unwrap();
    let model = Arc::clone(world.commands.models().now().model(FIRST_TENANT, &slug("mood")).unwrap());
    let worker = world.worker().await;
    for key in 0..20 {
        let mut asked = question("mood", 1);
        asked.key = Some(format!("order {key}"));
        let expected = model.resolve(&asked.model.version, Some(&format!("order {key}"))).unwrap().version;
        if expected == second {
            asked.inputs = vec![("x".to_owned(), floats(&[1, 4], &[1.0; 4]))];
        }
        assert_eq!(worker.infer(asked).await.unwrap().version, expected);
    }
    worker.close().await;
}

/// Names of what happened to the worker, in order.
async fn story(world: &World) -> Vec<&'static str> {
    let told = world.events::<InferenceWorkerEvent>().await;
    told.iter().map(timeloom_domain::event::Event::event_type).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_takes_anothers_place_under_load_and_nobody_is_refused() {
    let world = World::new();
    let first = world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    // The same numbers in another file: what it gives tells nothing of which version it was.
    let second = world.add("mood", "mlp-again.onnx").await;
    let worker = world.worker().await;
    let over = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let mut askers = tokio::task::JoinSet::new();
    for seed in 0..16 {
        let (worker, over) = (worker.clone(), Arc::clone(&over));
        askers.spawn(async move {
            let mut versions = Vec::new();
            while !over.load(std::sync::atomic::Ordering::SeqCst) {
                versions.push(worker.infer(question("mood", seed)).await.unwrap().version);
            }
            versions
        });
    }
    for version in [second, first, second, first, second] {
        let promoted = world.commands.promote_model(&world.context(), slug("mood"), version, None).await.unwrap();
        world.commands.models().wait_for(promoted.position).await.unwrap();
        worker.infer(question("mood", 1)).await.unwrap();
        // What nobody asked since is put away at once, the other one is asked all the time.
        worker.tidy(Duration::from_millis(1)).await;
    }
    over.store(true, std::sync::atomic::Ordering::SeqCst);
    let versions: std::collections::BTreeSet<u32> = askers.join_all().await.into_iter().flatten().collect();
    assert_eq!(versions, [first, second].into(), "both answered");
    let answered = worker.infer(question("mood", 1)).await.unwrap();
    assert_eq!(answered.version, second);
    assert!(story(&world).await.contains(&"ModelUnloaded"), "versions were put away meanwhile");
    worker.close().await;
}

#[tokio::test]
async fn what_nobody_asks_is_put_away_but_for_what_is_kept_and_what_is_withdrawn_at_once() {
    let world = World::new();
    let version = world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let other = world.add("mood", "identity.onnx").await;
    let worker = world.worker().await;
    worker.infer(question("mood", 1)).await.unwrap();
    worker.tidy(Duration::from_secs(3_600)).await;
    assert_eq!(worker.held_of(FIRST_TENANT).len(), 1, "it was asked just now");
    let kept = world.commands.load_model(&world.context(), slug("mood"), version).await.unwrap();
    world.commands.models().wait_for(kept.position).await.unwrap();
    worker.tidy(Duration::ZERO).await;
    assert_eq!(worker.held_of(FIRST_TENANT).len(), 1, "it is to be kept");
    let left = world.commands.unload_model(&world.context(), slug("mood"), version).await.unwrap();
    world.commands.models().wait_for(left.position).await.unwrap();
    worker.tidy(Duration::ZERO).await;
    assert_eq!(worker.held_of(FIRST_TENANT).len(), 0);
    worker.infer(question("mood", 1)).await.unwrap();

    let cause = question("mood", 1).cause;
    worker.describe(&cause, &format!("mood@{other}").parse().unwrap()).await.unwrap();
    let (asked, why) = (world.context(), "wrong".to_owned());
    let withdrawn = world.commands.withdraw_model_version(&asked, slug("mood"), other, why).await.unwrap();
    world.commands.models().wait_for(withdrawn.position).await.unwrap();
    worker.tidy(Duration::from_secs(3_600)).await;
    let held: Vec<u32> = worker.held_of(FIRST_TENANT).into_iter().map(|(_, version, _)| version).collect();
    assert_eq!(held, [version]);
    let told = world.events::<InferenceWorkerEvent>().await;
    let reasons: Vec<_> = told
        .iter()
        .filter_map(|event| match event {
            InferenceWorkerEvent::ModelUnloaded { reason, .. } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(reasons, ["idle", "withdrawn"]);
    worker.close().await;
}

#[tokio::test]
async fn a_shadow_computes_copies_whose_answers_nobody_gets_and_they_say_of_what() {
    let world = World::new();
    let first = world.serve("mood", "mlp.onnx", ModelSettings::default()).await;
    let tried = world.add("mood", "mlp-again.onnx").await;
    let start =
        timeloom_commands::StartModelRollout { version: tried, percent: 100, shadow: true, alias: None, guard: None };
    let started = world.commands.start_model_rollout(&world.context(), slug("mood"), start).await.unwrap();
    world.commands.models().wait_for(started.position).await.unwrap();
    let worker = world.worker().await;
    let answered = worker.infer(question("mood", 1)).await.unwrap();
    assert_eq!(answered.version, first);
    let named = worker.infer(question(&format!("mood@{first}"), 2)).await.unwrap();
    worker.close().await;
    let events = world.events::<InferenceEvent>().await;
    let told: Vec<_> = events
        .iter()
        .map(|event| match event {
            InferenceEvent::InferenceCompleted { inference, request: Some(request), answer } => {
                // The same numbers in another file.
                let same = request.shadow_of.map(|_| true);
                assert_eq!(answer.compared.map(|compared| compared.same), same, "a copy is compared, nothing else");
                let arm = match request.shadow_of {
                    Some(_) => Some(RolloutArm::Shadow),
                    None => (*inference == answered.inference).then_some(RolloutArm::Stable),
                };
                assert_eq!(request.arm, arm);
                (request.version, (request.shadow_of.is_none()).then_some(*inference), request.shadow_of)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told.len(), 3, "who names a version is not copied: {told:?}");
    for (version, own, of) in told {
        match of {
            None => assert!(version == first && [answered.inference, named.inference].contains(&own.unwrap())),
            Some(of) => assert_eq!((version, of), (tried, answered.inference)),
        }
    }
}

#[tokio::test]
async fn who_gives_up_is_counted_where_only_samples_are_written_down() {
    let world = World::new();
    let recording = Recording::Sampled { one_in: 1_000_000 };
    world.serve("mood", "mlp.onnx", ModelSettings { recording, ..ModelSettings::default() }).await;
    let worker = world.worker().await;
    worker.infer(question("mood", 1)).await.unwrap();
    let mut answered = 1;
    loop {
        let asked = worker.infer(question("mood", 2));
        futures::pin_mut!(asked);
        // It is asked, and given up before anybody answered; on a busy machine the answer may be quicker.
        match futures::poll!(&mut asked) {
            Poll::Pending => break,
            Poll::Ready(answer) => drop(answer.unwrap()),
        }
        answered += 1;
    }
    worker.close().await;
    let events = world.events::<InferenceEvent>().await;
    let sums: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            InferenceEvent::InferenceWindowClosed(window) => Some((window.completed, window.cancelled)),
            _ => None,
        })
        .collect();
    assert_eq!(sums, [(answered, 1)]);
}
