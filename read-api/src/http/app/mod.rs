//! The web app: files that were built from `web/` and are in the binary, compressed when they were built.
//!
//! Names of files under `/assets/` change with their content, so that browsers keep them for good; all others they ask for
//! again, and are told when nothing changed. Every place of the app is answered with the same page, which looks at the address.

#[cfg(debug_assertions)]
mod folder;

use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

/// A file of the app, in each form in which it can be sent.
struct File {
    path: &'static str,
    content_type: &'static str,
    /// What its content is known by.
    tag: &'static str,
    plain: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/app_files.rs"));

/// Where the app has pages. What is not here stays unknown, so that a wrong address of the API is no page.
pub(super) const PLACES: [&str; 26] = [
    "/",
    "/workflows",
    "/workflows/{rest:.*}",
    "/executions",
    "/executions/{rest:.*}",
    "/compare",
    "/capsule",
    "/data-tables",
    "/data-tables/{rest:.*}",
    "/agents",
    "/agents/{rest:.*}",
    "/agent-runs/{rest:.*}",
    "/models",
    "/models/{rest:.*}",
    "/inferences/{rest:.*}",
    "/evaluation-sets",
    "/evaluation-sets/{rest:.*}",
    "/evaluations/{rest:.*}",
    "/gateway",
    "/gateway/{rest:.*}",
    "/events",
    "/events/{rest:.*}",
    "/audit",
    "/admin",
    "/admin/{rest:.*}",
    "/api",
];

/// Where its files are.
pub(super) const FILES: [&str; 4] = ["/assets/{name}", "/icons/{name}", "/manifest.webmanifest", "/sw.js"];

/// Nothing from anywhere else, nothing that is not in a file of ours, and no frame around it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; \
                      connect-src 'self'; worker-src 'self'; manifest-src 'self'; font-src 'self'; base-uri 'none'; \
                      form-action 'self'; frame-ancestors 'none'";

/// The page, at each of [`PLACES`].
pub(super) async fn page(request: HttpRequest) -> HttpResponse {
    answer(&request, "/index.html")
}

/// A file, at one of [`FILES`].
pub(super) async fn file(request: HttpRequest) -> HttpResponse {
    answer(&request, request.path())
}

fn answer(request: &HttpRequest, path: &str) -> HttpResponse {
    #[cfg(debug_assertions)]
    if let Some(found) = folder::read(path) {
        return from_folder(path, found);
    }
    let Ok(place) = APP_FILES.binary_search_by(|file| file.path.cmp(path)) else {
        return HttpResponse::NotFound().finish();
    };
    let file = &APP_FILES[place];
    let (bytes, encoding) = encoded(file, &text(request, &header::ACCEPT_ENCODING));
    let tag = format!("\"{}{}\"", file.tag, encoding.map(|encoding| format!("-{encoding}")).unwrap_or_default());
    let keep = if path.starts_with("/assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let is_known = text(request, &header::IF_NONE_MATCH).split(',').any(|known| known.trim() == tag);
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    response
        .insert_header((header::CACHE_CONTROL, keep))
        .insert_header((header::ETAG, tag))
        .insert_header((header::VARY, "accept-encoding"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"));
    if is_known {
        return response.finish();
    }
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, HeaderValue::from_static(encoding)));
    }
    response.content_type(file.content_type).body(bytes)
}

#[cfg(debug_assertions)]
fn from_folder(path: &str, found: Option<Vec<u8>>) -> HttpResponse {
    let Some(bytes) = found else { return HttpResponse::NotFound().finish() };
    // Names differ from those in the program, kinds do not.
    let ending = |path: &str| path.rsplit('.').next().map(str::to_owned);
    let alike = APP_FILES.iter().find(|file| ending(file.path) == ending(path));
    let content_type = alike.map_or("application/octet-stream", |file| file.content_type);
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    response.content_type(content_type).body(bytes)
}

/// The form in which a client gets a file: the smallest that it takes.
fn encoded(file: &'static File, accepted: &str) -> (&'static [u8], Option<&'static str>) {
    let forms = [(file.brotli, "br"), (file.gzip, "gzip")];
    let smallest = forms.into_iter().find_map(|(bytes, name)| bytes.filter(|_| takes(accepted, name)).zip(Some(name)));
    smallest.map_or((file.plain, None), |(bytes, name)| (bytes, Some(name)))
}

/// Whether a client takes an encoding. One that it refuses with a weight of nothing counts as refused.
fn takes(accepted: &str, name: &str) -> bool {
    accepted.split(',').any(|entry| {
        let mut parts = entry.split(';').map(str::trim);
        let is_it = parts.next().is_some_and(|found| found.eq_ignore_ascii_case(name));
        let weight = parts.find_map(|part| part.strip_prefix("q=")).and_then(|weight| weight.parse::<f32>().ok());
        is_it && weight.is_none_or(|weight| weight > 0.0)
    })
}

/// A header's text; several lines of it are one list.
fn text(request: &HttpRequest, name: &HeaderName) -> String {
    let lines: Vec<&str> = request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect();
    lines.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_taken_as_they_are_offered() {
        assert!(takes("gzip, deflate, br", "br") && takes("BR;q=0.5", "br"));
        assert!(!takes("gzip;q=0, br;q=0.0", "gzip") && !takes("gzip;q=0, br;q=0.0", "br"));
        assert!(!takes("", "br") && !takes("brotli", "br"));
    }

    #[test]
    fn the_app_has_its_page_and_its_files_in_order() {
        assert!(APP_FILES.is_sorted_by(|one, other| one.path < other.path));
        for path in ["/index.html", "/manifest.webmanifest", "/sw.js", "/icons/timeloom.svg"] {
            assert!(APP_FILES.iter().any(|file| file.path == path), "{path}");
        }
        let page = APP_FILES.iter().find(|file| file.path == "/index.html").unwrap();
        let text = std::str::from_utf8(page.plain).unwrap();
        assert!(
            !text.contains("<style") && !text.contains("<script>"),
            "what is in the page itself is not run: {text}"
        );
    }
}
