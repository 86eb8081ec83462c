//! A clock to wind, and instances that compute `2x + 1` when and as the test lets them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use timeloom_domain::inference::{ElementType, Provider, Signature, TensorSpec};
use timeloom_inference::pool::{Answer, Clock, Policy, Pool, Spec};
use timeloom_inference::{Inputs, Instance, InstanceFacts, Ran, RunError, Stop, Tensor};

/// Longest that a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that goes on when it is told to.
#[derive(Default)]
pub struct HandClock {
    now: Mutex<Duration>,
    wakes: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl HandClock {
    pub fn advance(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
        for wake in self.wakes.lock().unwrap().iter() {
            wake();
        }
    }
}

/// Winds the clock for ever, step by step.
pub async fn wind(clock: &HandClock, step: Duration) {
    loop {
        clock.advance(step);
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

impl Clock for HandClock {
    fn now(&self) -> Duration {
        *self.now.lock().unwrap()
    }

    fn on_jump(&self, wake: Box<dyn Fn() + Send + Sync>) {
        self.wakes.lock().unwrap().push(wake);
    }
}

/// How a run goes.
#[derive(Debug, Clone)]
pub enum Turn {
    Computes,
    Panics,
    Fails,
    /// Memory suffices for so many rows.
    Holds(usize),
    /// It computes nothing until it is told to stop.
    WaitsForStop,
    /// It gives no answers at all.
    Forgets,
}

/// What the test and all instances of a pool share.
#[derive(Default)]
pub struct Stage {
    gate: Mutex<Gate>,
    changed: Condvar,
    /// Runs that began.
    pub begun: AtomicUsize,
    /// Instances that were made.
    pub made: AtomicUsize,
}

#[derive(Default)]
struct Gate {
    closed: bool,
    waiting: usize,
    turns: VecDeque<Turn>,
    /// How runs go when nothing else is planned.
    always: Option<Turn>,
    batches: Vec<Vec<f32>>,
    making_fails: usize,
}

impl Stage {
    /// Runs stop at their beginning until it is opened.
    pub fn close(&self) {
        self.gate.lock().unwrap().closed = true;
    }

    pub fn open(&self) {
        self.gate.lock().unwrap().closed = false;
        self.changed.notify_all();
    }

    pub fn plan(&self, turns: impl IntoIterator<Item = Turn>) {
        self.gate.lock().unwrap().turns.extend(turns);
    }

    pub fn always(&self, turn: Turn) {
        self.gate.lock().unwrap().always = Some(turn);
    }

    pub fn making_fails(&self, times: usize) {
        self.gate.lock().unwrap().making_fails = times;
    }

    /// What was computed, batch by batch: the first number of each row.
    pub fn batches(&self) -> Vec<Vec<f32>> {
        self.gate.lock().unwrap().batches.clone()
    }

    /// Waits until so many runs stand at the gate.
    pub fn wait_for_runs(&self, count: usize) {
        let gate = self.gate.lock().unwrap();
        let waited = self.changed.wait_timeout_while(gate, PATIENCE, |gate| gate.waiting < count).unwrap();
        assert!(!waited.1.timed_out(), "{count} runs did not begin");
    }

    fn turn(&self) -> Turn {
        let mut gate = self.gate.lock().unwrap();
        gate.waiting += 1;
        self.changed.notify_all();
        gate = self.changed.wait_while(gate, |gate| gate.closed).unwrap();
        gate.waiting -= 1;
        gate.turns.pop_front().or_else(|| gate.always.clone()).unwrap_or(Turn::Computes)
    }
}

struct Doubler(Arc<Stage>);

/// The number that no instance can compute.
pub const POISON: f32 = -666.0;

impl Instance for Doubler {
    fn run(&mut self, batch: &[Inputs], stop: &Stop) -> Result<Ran, RunError> {
        self.0.begun.fetch_add(1, Ordering::SeqCst);
        let rows: usize = batch.iter().map(|inputs| inputs.rows).sum();
        let turn = self.0.turn();
        let firsts =
            batch.iter().flat_map(|inputs| numbers(&inputs.tensors[0]).into_iter().step_by(2)).collect::<Vec<_>>();
        if firsts.contains(&POISON) {
            return Err(RunError::Failed("that number cannot be computed".to_owned()));
        }
        match turn {
            Turn::Panics => panic!("the instance was told to"),
            Turn::Fails => return Err(RunError::Failed("it was told to".to_owned())),
            Turn::Holds(most) if rows > most => {
                return Err(RunError::OutOfMemory { rows, detail: "it was told to".to_owned() });
            }
            Turn::WaitsForStop => {
                while !stop.is_stopped() {
                    std::thread::yield_now();
                }
                return Err(RunError::Stopped);
            }
            Turn::Forgets => return Ok(Ran { outputs: Vec::new(), bucket: rows }),
            Turn::Computes | Turn::Holds(_) => {}
        }
        self.0.gate.lock().unwrap().batches.push(firsts);
        let outputs = batch.iter().map(|inputs| {
            let computed: Vec<f32> = numbers(&inputs.tensors[0]).into_iter().map(|number| 2.0 * number + 1.0).collect();
            vec![tensor(&computed)]
        });
        Ok(Ran { outputs: outputs.collect(), bucket: rows.next_power_of_two() })
    }

    fn facts(&self) -> InstanceFacts {
        InstanceFacts { provider: Provider::Cpu, rows_max: 1 << 20 }
    }
}

fn tensor(numbers: &[f32]) -> Tensor {
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    Tensor::new(ElementType::F32, vec![numbers.len() / 2, 2], bytes.into()).unwrap()
}

pub fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

/// Rows that begin with these numbers.
pub fn rows(firsts: &[f32]) -> Inputs {
    let numbers: Vec<f32> = firsts.iter().flat_map(|first| [*first, 0.5]).collect();
    Inputs { tensors: vec![tensor(&numbers)], rows: firsts.len() }
}

/// Asserts that `answer` is what rows with these numbers give.
pub fn assert_computed(answer: &Answer, firsts: &[f32]) {
    let wanted: Vec<f32> = firsts.iter().flat_map(|first| [2.0 * first + 1.0, 2.0]).collect();
    assert_eq!(numbers(&answer.outputs[0]), wanted);
}

pub fn signature() -> Signature {
    let spec = |name: &str| TensorSpec { name: name.to_owned(), element: ElementType::F32, shape: vec![None, Some(2)] };
    Signature { inputs: vec![spec("numbers")], outputs: vec![spec("doubled")] }
}

pub fn spec(stage: &Arc<Stage>, policy: Policy) -> Spec {
    let stage = Arc::clone(stage);
    let factory = move |_: usize| {
        stage.made.fetch_add(1, Ordering::SeqCst);
        let mut gate = stage.gate.lock().unwrap();
        if gate.making_fails > 0 {
            gate.making_fails -= 1;
            return Err(RunError::Failed("it cannot be made".to_owned()));
        }
        drop(gate);
        Ok(Box::new(Doubler(Arc::clone(&stage))) as Box<dyn Instance>)
    };
    Spec { name: "doubler".to_owned(), signature: signature(), factory: Arc::new(factory), policy, warm_up: Vec::new() }
}

/// A pool with its clock and its stage.
pub struct House {
    pub pool: Arc<Pool>,
    pub clock: Arc<HandClock>,
    pub stage: Arc<Stage>,
}

pub async fn house(policy: Policy) -> House {
    let (clock, stage) = (Arc::new(HandClock::default()), Arc::new(Stage::default()));
    let pool = Pool::load(spec(&stage, policy), Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    House { pool: Arc::new(pool), clock, stage }
}

impl House {
    /// Waits until so many runs are in their instances. One that only counts as running may still be refused for its
    /// deadline before it gets there, and its turn would fall to the next.
    pub async fn begun(&self, runs: usize) {
        self.until(|_| self.stage.begun.load(Ordering::SeqCst) >= runs).await;
    }

    /// Waits until `is` holds of the pool's numbers.
    pub async fn until(&self, is: impl Fn(&timeloom_inference::pool::Counts) -> bool) {
        let waited = async {
            while !is(&self.pool.counts()) {
                tokio::task::yield_now().await;
            }
        };
        let counts = || self.pool.counts();
        tokio::time::timeout(PATIENCE, waited)
            .await
            .unwrap_or_else(|_| panic!("it did not come to it: {:?}", counts()));
    }
}

/// A waker that counts, and tells of each wake.
pub struct CountingWaker {
    pub wakes: AtomicUsize,
    tell: Sender<()>,
}

impl Wake for CountingWaker {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::SeqCst);
        let _ = self.tell.send(());
    }
}

/// Polls `future` on this thread, each time it is woken; tells how often it was.
pub fn count_wakes<F: Future>(future: F) -> (F::Output, usize) {
    let (tell, told): (Sender<()>, Receiver<()>) = channel();
    let counting = Arc::new(CountingWaker { wakes: AtomicUsize::new(0), tell });
    let waker = Waker::from(Arc::clone(&counting));
    let (mut future, mut context) = (pin!(future), Context::from_waker(&waker));
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return (output, counting.wakes.load(Ordering::SeqCst));
        }
        told.recv_timeout(PATIENCE).expect("it was never woken");
    }
}
