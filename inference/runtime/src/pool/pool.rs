//! One loaded model: who asks goes in here.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use timeloom_domain::inference::Signature;
use tokio::sync::{oneshot, watch};

use super::ask::{Answer, Ask, NotComputed, Reason};
use super::clock::Clock;
use super::counts::Counts;
use super::desk::Request;
use super::fit;
use super::job::Job;
use super::policy::{InvalidPolicy, Policy};
use super::queue::Place;
use super::shared::{Life, Shared, send};
use crate::instance::{Inputs, Instance, RunError};

/// Makes instances of a model, each on the thread that will own it.
pub trait Factory: Send + Sync + 'static {
    /// Makes one that computes with so many threads.
    ///
    /// # Errors
    /// When it cannot be made.
    fn make(&self, intra_threads: usize) -> Result<Box<dyn Instance>, RunError>;
}

impl<F> Factory for F
where
    F: Fn(usize) -> Result<Box<dyn Instance>, RunError> + Send + Sync + 'static,
{
    fn make(&self, intra_threads: usize) -> Result<Box<dyn Instance>, RunError> {
        self(intra_threads)
    }
}

/// What a pool is made of.
#[derive(Clone)]
pub struct Spec {
    /// The model's name, for threads and logs.
    pub name: String,
    /// What goes in and comes out.
    pub signature: Signature,
    /// Makes its instances.
    pub factory: Arc<dyn Factory>,
    /// How it queues, gathers and grows.
    pub policy: Policy,
    /// What each instance computes before it is given anything else. Inputs that are known to be good: an instance that
    /// fails too often must still compute the first of them.
    pub warm_up: Vec<Inputs>,
}

/// Why a pool was not loaded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LoadError {
    /// The policy cannot be.
    #[error("the policy cannot be: {0}")]
    Policy(#[from] InvalidPolicy),
    /// No thread could be started.
    #[error("no thread could be started: {0}")]
    NoThread(Arc<std::io::Error>),
    /// An instance could not be made or warmed up.
    #[error("the model could not be made ready: {0}")]
    Instance(RunError),
    /// It took too long.
    #[error("the model was not ready in time: give it more, or less to warm up with")]
    TooLong,
}

/// How a pool ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Instances that did not stop for all that they were told to: their threads end with what they compute.
    pub stuck: usize,
}

/// One loaded model. When it is dropped it stops at once; [`Pool::close`] lets those who are there be computed.
pub struct Pool {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// An ask that was let in. Dropping it takes it back.
#[derive(Debug)]
pub struct Pending {
    shared: Arc<Shared>,
    place: Option<Place>,
    answer: oneshot::Receiver<Result<Answer, NotComputed>>,
}

/// An ask that was not let in, and its inputs.
#[derive(Debug)]
pub struct Refused {
    /// What was to be computed.
    pub inputs: Inputs,
    /// Why it is not.
    pub why: NotComputed,
}

impl Spec {
    /// Whether the inputs of several callers are computed together.
    pub fn batches(&self) -> bool {
        self.signature.batches()
    }

    /// The beginning of its threads' names, of which an operating system keeps fifteen bytes.
    pub(super) fn thread_name(&self) -> String {
        self.name.chars().filter(char::is_ascii_alphanumeric).take(11).collect()
    }
}

impl fmt::Debug for Spec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Spec").field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}

impl Pool {
    /// Loads a model: makes its first instances and warms them up.
    ///
    /// # Errors
    /// When the policy cannot be, or an instance does not get ready.
    pub async fn load(spec: Spec, clock: Arc<dyn Clock>) -> Result<Self, LoadError> {
        spec.policy.check()?;
        let shared = Arc::new(Shared::new(spec, Arc::clone(&clock)));
        let jumped = Arc::downgrade(&shared);
        clock.on_jump(Box::new(move || {
            if let Some(shared) = jumped.upgrade() {
                shared.jumped();
            }
        }));
        let pool = Self { shared, keeper: Mutex::default() };
        pool.start().map_err(|error| LoadError::NoThread(Arc::new(error)))?;
        let mut life = pool.shared.life.subscribe();
        match wait_for(&mut life, |life| !matches!(life, Life::Loading)).await {
            Life::Ready => Ok(pool),
            Life::Failed(error) => Err(error),
            Life::Loading | Life::Ended { .. } => Err(LoadError::TooLong),
        }
    }

    fn start(&self) -> std::io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let name = format!("{}-keep", shared.spec.thread_name());
        let keeper = thread::Builder::new().name(name).spawn(move || shared.keep())?;
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
        for _ in 0..self.shared.spec.policy.instances_min {
            let made = self.shared.desk().make();
            made.map_or(Ok(()), |instance| self.shared.start(instance))?;
        }
        Ok(())
    }

    /// Computes `inputs`. Dropping the future takes the ask back: what waits is not computed, and a run that only it waits
    /// for is told to stop.
    ///
    /// # Errors
    /// When nothing was computed.
    pub async fn infer(&self, inputs: Inputs, ask: Ask) -> Result<Answer, NotComputed> {
        match self.admit(inputs, ask) {
            Ok(pending) => pending.await,
            Err(refused) => {
                if refused.why == NotComputed::Unloaded {
                    self.shared.desk().refused(Reason::Unloaded);
                }
                Err(refused.why)
            }
        }
    }

    /// Lets an ask in. What comes when the pool is closed already is given back uncounted: a newer version may take it.
    ///
    /// # Errors
    /// When the inputs do not fit, there is no room, or the pool is closed.
    pub fn admit(&self, inputs: Inputs, ask: Ask) -> Result<Pending, Refused> {
        let (spec, together) = (&self.shared.spec, self.shared.spec.batches());
        let bytes = fit::bytes(&inputs);
        // Only whoever sends too many rows needs to know how many would do.
        let rows_max = if inputs.rows > 1 { self.shared.desk().rows_max() } else { 1 };
        let fits = fit::check(&inputs, &spec.signature, together, rows_max).and_then(|()| {
            let most = spec.policy.queue_bytes_max;
            (bytes <= most).then_some(()).ok_or_else(|| format!("{bytes} bytes are too much: {most} at most may wait"))
        });
        if let Err(why) = fits {
            self.shared.desk().refused(Reason::Unfit);
            return Err(Refused { inputs, why: NotComputed::Unfit(why) });
        }
        let (reply, answer) = oneshot::channel();
        let (rows, shape) = (inputs.rows, fit::shape(&inputs, together));
        let request = Request { rows, bytes, shape, ask, payload: Job { inputs, reply } };
        let admitted = self.shared.desk().ask(self.shared.clock.now(), request);
        match admitted {
            Ok(admitted) => {
                self.shared.wake(admitted.wake);
                if admitted.wake_keeper {
                    self.shared.wake_keeper();
                }
                for (job, why) in admitted.displaced {
                    send(job, why);
                }
                Ok(Pending { shared: Arc::clone(&self.shared), place: Some(admitted.place), answer })
            }
            Err((job, why)) => Err(Refused { inputs: job.inputs, why }),
        }
    }

    /// The numbers, as they are now.
    pub fn counts(&self) -> Counts {
        self.shared.desk().counts()
    }

    /// Whether an instance can compute now.
    pub fn is_ready(&self) -> bool {
        matches!(*self.shared.life.borrow(), Life::Ready) && self.shared.desk().can_compute()
    }

    /// What it was made of.
    pub fn spec(&self) -> &Spec {
        &self.shared.spec
    }

    /// Lets nobody in any more. [`Self::close`] waits for the end.
    pub fn begin_close(&self, within: Duration) {
        self.shared.close(within);
    }

    /// Lets nobody in any more, has those who are there computed `within` that time, and ends.
    pub async fn close(&self, within: Duration) -> Closed {
        self.shared.close(within);
        let mut life = self.shared.life.subscribe();
        let ended = wait_for(&mut life, |life| matches!(life, Life::Ended { .. } | Life::Failed(_))).await;
        let stuck = if let Life::Ended { stuck } = ended { stuck } else { 0 };
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        // It said that it is at its end, so this takes no time.
        if keeper.is_some_and(|keeper| keeper.join().is_err()) {
            tracing::error!(model = self.shared.spec.name, "the keeper of a pool broke down");
        }
        Closed { stuck }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.close(Duration::ZERO);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("name", &self.shared.spec.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Shared").field("name", &self.spec.name).finish_non_exhaustive()
    }
}

async fn wait_for(life: &mut watch::Receiver<Life>, until: impl FnMut(&Life) -> bool) -> Life {
    // The sender lives in what the pool shares, so the wait does not fail.
    life.wait_for(until).await.map_or(Life::Ended { stuck: 0 }, |life| life.clone())
}

impl Future for Pending {
    type Output = Result<Answer, NotComputed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = std::task::ready!(Pin::new(&mut self.answer).poll(context));
        self.place = None;
        Poll::Ready(
            answer.unwrap_or_else(|_| Err(NotComputed::Failed("the thread that computed it broke down".to_owned()))),
        )
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After the answer was fetched there is nothing to take back.
        if let Some(place) = self.place.take() {
            let job = self.shared.desk().cancel(place);
            drop(job);
        }
    }
}
