//! What was released under a path stays there: clients of the API by REST are promised it, see `docs/api-versions.md`.

use reqwest::{Method, StatusCode};

use super::server::{Server, client};

/// The methods and paths that were released, in order. A line goes only after the day that its answers told as `Sunset`.
const RELEASED: &str = include_str!("../../released-paths.txt");
/// A part of a path under which nothing is served.
const NOWHERE: &str = "no-such-path-of-ours";

/// A path with something in the place of its named parts.
fn filled(pattern: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "0".to_owned() } else { part.to_owned() };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// The same with another last part, under which nothing is served.
fn beside(path: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap();
    format!("{folder}/{NOWHERE}")
}

/// Status and text of an answer, without the path that was asked for.
async fn answer(server: &Server, method: &Method, path: &str) -> (StatusCode, String) {
    let request = client().request(method.clone(), format!("{}{path}", server.url));
    let response = request.header("content-type", "application/json").body("{}").send().await.unwrap();
    let (status, is_stream) = (response.status(), is_stream(&response));
    let text = if is_stream { String::new() } else { response.text().await.unwrap() };
    (status, text.replace(path, ""))
}

/// Whether it goes on for as long as somebody listens.
fn is_stream(response: &reqwest::Response) -> bool {
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok());
    content_type.is_some_and(|content_type| content_type.starts_with("text/event-stream"))
}

/// What was counted of requests that no route took.
async fn untaken(server: &Server) -> Vec<String> {
    let text = client().get(format!("{}/metrics", server.url)).send().await.unwrap().text().await.unwrap();
    let is_untaken = |line: &&str| line.starts_with("timeloom_http_requests_total{") && line.contains("route=\"none\"");
    text.lines().filter(is_untaken).map(str::to_owned).collect()
}

#[test]
fn the_list_of_released_paths_is_in_order_and_names_each_once() {
    let lines: Vec<&str> = RELEASED.lines().collect();
    assert!(lines.is_sorted_by(|one, next| one < next), "sort tests/released-paths.txt by bytes, without repeats");
    for line in lines {
        let (method, path) = line.split_once(' ').unwrap();
        assert!(method.parse::<Method>().is_ok() && path.starts_with('/'), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_path_that_was_released_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]);
    let mut gone = Vec::new();
    for line in RELEASED.lines() {
        let (method, pattern) = line.split_once(' ').unwrap();
        let (method, path) = (method.parse::<Method>().unwrap(), filled(pattern));
        let before = untaken(&server).await;
        let found = answer(&server, &method, &path).await;
        let was_taken = untaken(&server).await == before;
        // Routes of parts beside the API have no pattern of their own: their answer tells that they are there.
        let differs = found != answer(&server, &method, &beside(&path)).await;
        if found.0 == StatusCode::METHOD_NOT_ALLOWED || !(was_taken || differs) {
            gone.push(format!("{line}: {} {}", found.0, found.1));
        }
    }
    assert_eq!(gone, Vec::<String>::new());
    server.stop();
}
