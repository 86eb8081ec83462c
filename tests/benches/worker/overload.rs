//! Three times as many requests as can be computed, at fixed times whatever is answered, each of use for a while only.

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::LocalSet;

use crate::process::memory;
use crate::wire::{Connection, Request, closed};
use crate::{BIG, CLIENTS, WARM_UP, binary_request, server};

/// Within which time an answer is of use.
const USEFUL: Duration = Duration::from_millis(200);
/// How long it is measured.
const WINDOW: Duration = Duration::from_secs(10);
/// Most connections. Whoever finds none free is not sent, and counted.
const CONNECTIONS_MAX: usize = 2_000;

/// What became of the requests.
#[derive(Default)]
struct Ends {
    in_time: Cell<u64>,
    too_late: Cell<u64>,
    refused: Cell<u64>,
    broken: Cell<u64>,
}

/// Connections that nobody uses now.
type Free = Rc<RefCell<Vec<Connection>>>;

pub(crate) async fn measure(program: &Path, folder: &Path) {
    println!("overload: rows of {} numbers, {} ms each of use", BIG.width(), USEFUL.as_millis());
    let server = server(program, &folder.join("overload"), &BIG, &[]);
    let id = server.child.id();
    let plain = binary_request(&server.address, &BIG, None);
    closed(&plain, CLIENTS, WARM_UP).await.unwrap();
    let peak = closed(&plain, CLIENTS, WINDOW / 2).await.unwrap().per_second;
    println!("  {CLIENTS} clients, each after its answer   {peak:>7.0} /s");
    let request = binary_request(&server.address, &BIG, Some(USEFUL.as_micros() as u64));
    for times in [1.0, 3.0] {
        let before = memory(id);
        let (ends, unsent) = LocalSet::new().run_until(open(&request, peak * times)).await;
        let goodput = ends.in_time.get() as f64 / WINDOW.as_secs_f64();
        println!(
            "  {times:.0} times as many                      {goodput:>7.0} /s in time ({:.2} of the peak), {} too late, \
             {} refused, {} broken, {unsent} not sent; {before:.0} MiB before, {:.0} MiB after",
            goodput / peak,
            ends.too_late.get(),
            ends.refused.get(),
            ends.broken.get(),
            memory(id)
        );
    }
    println!("  what the server says of it:");
    for line in metrics(&server.address).await.lines() {
        if ["model_requests_total", "model_late", "model_inferences"].iter().any(|name| line.contains(name))
            && !line.starts_with('#')
        {
            println!("    {line}");
        }
    }
}

/// Sends `per_second` requests a second, and tells what became of them and how many found no connection.
async fn open(request: &Request, per_second: f64) -> (Rc<Ends>, u64) {
    let (ends, free): (Rc<Ends>, Free) = Default::default();
    let open = Rc::new(Cell::new(0));
    let began = Instant::now();
    let (mut sent, mut unsent) = (0_u64, 0);
    let mut tasks = tokio::task::JoinSet::new();
    while began.elapsed() < WINDOW {
        let due = (began.elapsed().as_secs_f64() * per_second) as u64;
        while sent + unsent < due {
            let connection = free.borrow_mut().pop();
            if connection.is_none() && open.get() >= CONNECTIONS_MAX {
                unsent += 1;
                continue;
            }
            sent += 1;
            tasks.spawn_local(one(request.clone(), connection, Rc::clone(&ends), Rc::clone(&free), Rc::clone(&open)));
        }
        while tasks.try_join_next().is_some() {}
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tasks.join_all().await;
    (ends, unsent)
}

async fn one(request: Request, free: Option<Connection>, ends: Rc<Ends>, all: Free, open: Rc<Cell<usize>>) {
    let begun = Instant::now();
    let count = |cell: &Cell<u64>| cell.set(cell.get() + 1);
    let connection = match free {
        Some(connection) => Ok(connection),
        None => {
            open.set(open.get() + 1);
            Connection::open(&request.address).await
        }
    };
    let Ok(mut connection) = connection else {
        open.set(open.get() - 1);
        return count(&ends.broken);
    };
    match connection.ask(&request).await {
        Ok(200) if begun.elapsed() <= USEFUL => count(&ends.in_time),
        Ok(200) => count(&ends.too_late),
        Ok(429 | 503 | 504) => count(&ends.refused),
        Ok(_) | Err(_) => {
            open.set(open.get() - 1);
            return count(&ends.broken);
        }
    }
    all.borrow_mut().push(connection);
}

async fn metrics(address: &str) -> String {
    let bytes = format!("GET /metrics HTTP/1.1\r\nhost: {address}\r\n\r\n").into_bytes();
    let request = Request { address: address.to_owned(), bytes };
    let mut connection = Connection::open(address).await.unwrap();
    connection.ask(&request).await.unwrap();
    String::from_utf8_lossy(connection.answer()).into_owned()
}
