//! A server in this process: pools of an instance that adds and echoes, behind the routes.

use std::collections::{BTreeMap, HashMap};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::{App, HttpRequest, HttpServer};
use async_trait::async_trait;
use timeloom_domain::inference::{ElementType, Provider, Signature, TensorSpec};
use timeloom_inference::pool::{Ask, MachineClock, Policy, Pool, Spec, zeros};
use timeloom_inference::{Inputs, Instance, InstanceFacts, Ran, RunError, Stop, Tensor};
use timeloom_inference_front::v2::{
    Computed, Described, Gathering, IndexEntry, IndexState, LoadRequest, ModelStatistics, Purpose, Refusal,
    RefusalKind, Serving, routes,
};

/// The key that is let in.
pub const KEY: &str = "a-key";
/// Its model adds `INPUT0` and `INPUT1` into `SUM`, and gives `TEXT` back as `ECHO`.
pub const MODEL: &str = "sum";

const DRAIN: Duration = Duration::from_secs(10);

struct Sum;

/// What `INPUT0` begins with for a run that ends by being stopped alone.
pub const ENDLESS: f32 = -12345.0;

impl Instance for Sum {
    fn run(&mut self, batch: &[Inputs], stop: &Stop) -> Result<Ran, RunError> {
        if batch.iter().any(|inputs| inputs.tensors[0].data().starts_with(&ENDLESS.to_le_bytes())) {
            while !stop.is_stopped() {
                std::thread::yield_now();
            }
            return Err(RunError::Stopped);
        }
        let outputs = batch.iter().map(|inputs| {
            let [left, right, text] = &inputs.tensors[..] else { unreachable!("the pool checks them") };
            let numbers = |tensor: &Tensor| {
                let numbers = tensor.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
                numbers.collect::<Vec<f32>>()
            };
            let sums =
                numbers(left).into_iter().zip(numbers(right)).flat_map(|(left, right)| (left + right).to_le_bytes());
            let sum = Tensor::new(ElementType::F32, left.shape().to_vec(), sums.collect::<Vec<u8>>().into()).unwrap();
            vec![sum, text.clone()]
        });
        let rows = batch.iter().map(|inputs| inputs.rows).sum();
        Ok(Ran { outputs: outputs.collect(), bucket: rows })
    }

    fn facts(&self) -> InstanceFacts {
        InstanceFacts { provider: Provider::Cpu, rows_max: 64 }
    }
}

pub fn signature() -> Signature {
    let spec =
        |name: &str, element, width| TensorSpec { name: name.to_owned(), element, shape: vec![None, Some(width)] };
    Signature {
        inputs: vec![
            spec("INPUT0", ElementType::F32, 4),
            spec("INPUT1", ElementType::F32, 4),
            spec("TEXT", ElementType::Bytes, 1),
        ],
        outputs: vec![spec("SUM", ElementType::F32, 4), spec("ECHO", ElementType::Bytes, 1)],
    }
}

fn spec(policy: Policy) -> Spec {
    let factory = |_: usize| Ok(Box::new(Sum) as Box<dyn Instance>);
    let warm_up = zeros(&signature(), 1).into_iter().collect();
    Spec { name: MODEL.to_owned(), signature: signature(), factory: Arc::new(factory), policy, warm_up }
}

/// Pools behind the port, a version each. What was brought along to be loaded is kept for the test to look at.
pub struct TestServing {
    pools: Mutex<BTreeMap<String, Arc<Pool>>>,
    pub brought: Mutex<HashMap<String, LoadRequest>>,
}

impl TestServing {
    /// The pool of a model, of which there is version 1 alone.
    pub fn pool(&self, model: &str, version: Option<&str>) -> Result<Arc<Pool>, Refusal> {
        let found =
            self.pools.lock().unwrap().get(model).filter(|_| version.is_none_or(|version| version == "1")).cloned();
        found.ok_or_else(|| Refusal::new(RefusalKind::NotFound, format!("'{model}' is not loaded")))
    }

    async fn load_with(&self, model: &str, policy: Policy) {
        let pool = Pool::load(spec(policy), Arc::new(MachineClock::default())).await.unwrap();
        self.pools.lock().unwrap().insert(model.to_owned(), Arc::new(pool));
    }
}

#[async_trait]
impl Serving for TestServing {
    type Who = ();

    fn who(&self, request: &HttpRequest, _purpose: Purpose) -> Result<(), Refusal> {
        let known = request.headers().get("authorization").is_some_and(|header| header == &format!("Bearer {KEY}"));
        known.then_some(()).ok_or_else(|| Refusal::new(RefusalKind::Unauthenticated, "send a key that is known here"))
    }

    fn is_ready(&self) -> bool {
        true
    }

    async fn describe(&self, (): &(), model: &str, version: Option<&str>) -> Result<Described, Refusal> {
        let pool = self.pool(model, version)?;
        let gathering =
            Gathering { max_batch_size: pool.spec().policy.batch_rows_max, instances: 1, ..Gathering::default() };
        Ok(Described {
            versions: vec!["1".to_owned()],
            platform: "onnxruntime_onnx".to_owned(),
            signature: Arc::new(pool.spec().signature.clone()),
            gathering,
            ready: pool.is_ready(),
        })
    }

    async fn infer(
        &self,
        (): &(),
        model: &str,
        version: Option<&str>,
        inputs: Vec<(String, Tensor)>,
        ask: Ask,
        _key: Option<String>,
    ) -> Result<Computed, Refusal> {
        let pool = self.pool(model, version)?;
        let answer = pool.infer(Inputs::named(&pool.spec().signature, &inputs)?, ask).await?;
        let names = pool.spec().signature.outputs.iter().map(|spec| spec.name.clone());
        Ok(Computed { version: "1".to_owned(), outputs: names.zip(answer.outputs).collect() })
    }

    async fn index(&self, (): &()) -> Result<Vec<IndexEntry>, Refusal> {
        let entry = |name: &String| IndexEntry {
            name: name.clone(),
            version: "1".to_owned(),
            state: IndexState::Ready,
            reason: String::new(),
        };
        let unloaded = IndexEntry {
            name: "other".to_owned(),
            version: "1".to_owned(),
            state: IndexState::Unavailable,
            reason: "it was never loaded".to_owned(),
        };
        Ok(self.pools.lock().unwrap().keys().map(entry).chain([unloaded]).collect())
    }

    async fn load(&self, (): &(), model: &str, request: LoadRequest) -> Result<(), Refusal> {
        self.brought.lock().unwrap().insert(model.to_owned(), request);
        if self.pool(model, None).is_ok() {
            return Err(Refusal::new(RefusalKind::Conflict, format!("'{model}' is loaded already")));
        }
        self.load_with(model, Policy::default()).await;
        Ok(())
    }

    async fn unload(&self, (): &(), model: &str) -> Result<(), Refusal> {
        let pool = self.pool(model, None)?;
        self.pools.lock().unwrap().remove(model);
        pool.close(DRAIN).await;
        Ok(())
    }

    async fn statistics(&self, (): &(), model: Option<&str>, _: Option<&str>) -> Result<Vec<ModelStatistics>, Refusal> {
        let pools = self.pools.lock().unwrap();
        let all = pools.iter().filter(|(name, _)| model.is_none_or(|model| model == *name));
        let told = all.map(|(name, pool)| ModelStatistics::new(name.clone(), "1".to_owned(), &pool.counts()));
        Ok(told.collect())
    }
}

/// A server on loopback; it ends with the test.
pub struct TestServer {
    pub address: String,
    pub serving: Arc<TestServing>,
    handle: actix_web::dev::ServerHandle,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl TestServer {
    pub fn start(policy: Policy) -> Self {
        let serving = Arc::new(TestServing { pools: Mutex::default(), brought: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (tell, told) = std::sync::mpsc::channel();
        let given = Arc::clone(&serving);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async move {
                given.load_with(MODEL, policy).await;
                let factory = move || App::new().configure(routes(Arc::clone(&given)));
                let server = HttpServer::new(factory).workers(1).disable_signals().h1_allow_half_closed(false);
                let server = server.listen(listener).unwrap().run();
                tell.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        Self { address, serving, handle: told.recv().unwrap(), thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/v2{path}", self.address)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        // Sent at once; what it returns only waits for the end, as the thread does.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}
