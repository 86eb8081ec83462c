//! The web app: where it is served, how it is kept, and what it may load.

use reqwest::StatusCode;
use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};

use crate::support::TestServer;

/// The style sheet that the page asks for: the only one of its files that is never small, however the scripts are cut.
fn style_of(page: &str) -> &str {
    let mut addresses = page.split("href=\"").skip(1).filter_map(|rest| Some(rest.split_once('"')?.0));
    addresses.find(|address| address.ends_with(".css")).unwrap()
}

#[tokio::test]
async fn every_place_of_the_app_is_its_page_and_nothing_else_is() {
    let server = TestServer::start();
    let places = [
        "/",
        "/workflows",
        "/workflows/1/versions",
        "/executions/x",
        "/data-tables/x",
        "/gateway/calls/x",
        "/admin/accounts",
        "/api",
    ];
    for place in places {
        let response = server.client.get(server.url(place)).send().await.unwrap();
        assert_eq!(response.status(), 200, "{place}");
        let headers = response.headers();
        assert_eq!(headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(headers[CACHE_CONTROL], "no-cache");
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[REFERRER_POLICY], "no-referrer");
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = response.text().await.unwrap();
        assert!(page.contains("<div id=\"app\">") && !page.contains("//"), "nothing from elsewhere: {page}");
    }
    for unknown in
        ["/apis", "/api/x", "/graphql/x", "/assets/none.js", "/assets/index.html", "/icons/none.png", "/index.html"]
    {
        assert_eq!(server.client.get(server.url(unknown)).send().await.unwrap().status(), 404, "{unknown}");
    }
    let posted = server.client.post(server.url("/workflows")).send().await.unwrap();
    assert_eq!(posted.status(), StatusCode::METHOD_NOT_ALLOWED);
    server.stop().await;
}

#[tokio::test]
async fn files_are_compressed_for_who_takes_it_and_kept_for_good() {
    let server = TestServer::start();
    let page = server.client.get(server.url("/")).send().await.unwrap().text().await.unwrap();
    let style = server.url(style_of(&page));
    // One that shows what came, instead of unpacking it.
    let client = reqwest::Client::builder().no_gzip().no_proxy().build().unwrap();
    let get = |encodings: &'static str| client.get(&style).header(ACCEPT_ENCODING, encodings);
    let plain = get("identity").send().await.unwrap();
    assert_eq!(plain.headers()[CONTENT_TYPE], "text/css; charset=utf-8");
    assert_eq!(plain.headers()[CACHE_CONTROL], "public, max-age=31536000, immutable");
    assert_eq!(plain.headers()[VARY], "accept-encoding");
    assert!(plain.headers().get(CONTENT_ENCODING).is_none());
    let plain_tag = plain.headers()[ETAG].clone();
    let whole = plain.bytes().await.unwrap().len();
    for (accepted, encoding) in [("gzip, deflate, br", "br"), ("gzip, br;q=0", "gzip")] {
        let response = get(accepted).send().await.unwrap();
        assert_eq!(response.headers()[CONTENT_ENCODING], encoding);
        assert_ne!(response.headers()[ETAG], plain_tag, "each form has a tag of its own");
        assert!(response.bytes().await.unwrap().len() < whole / 2, "{encoding}");
    }
    let known = get("identity").header(IF_NONE_MATCH, plain_tag).send().await.unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
    assert_eq!(known.bytes().await.unwrap().len(), 0);
    server.stop().await;
}
