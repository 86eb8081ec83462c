//! Checks that the pages were built, so that a missing one is a clear message and not an include error, and makes a table
//! of the files of the web app.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

const APP: &str = "../web/dist";

fn main() -> io::Result<()> {
    for file in ["graphiql/dist/graphiql.js", "graphiql/dist/graphiql.css"] {
        if Path::new(file).exists() {
            say(&format!("cargo::rerun-if-changed={file}"))?;
        } else {
            say(&format!(
                "cargo::error={file} is missing: run `make setup` (or `npm ci && npm run build` in read-api/graphiql)"
            ))?;
        }
    }
    say(&format!("cargo::rerun-if-changed={APP}"))?;
    if !Path::new(APP).join("index.html").exists() {
        return say("cargo::error=web/dist is missing: run `make setup` (or `npm ci && npm run build` in web)");
    }
    #[expect(clippy::disallowed_methods, reason = "cargo tells build scripts so where to write")]
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?;
    fs::write(PathBuf::from(out).join("app_files.rs"), table()?)
}

/// The table as Rust, by path.
fn table() -> io::Result<String> {
    let root = fs::canonicalize(APP)?;
    let mut files = Vec::new();
    list(&root, &mut files)?;
    files.sort();
    let mut text = String::from("static APP_FILES: &[File] = &[\n");
    for file in &files {
        let path = file.strip_prefix(&root).map_err(io::Error::other)?;
        let path = format!("/{}", path.to_string_lossy().replace('\\', "/"));
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.starts_with('.') || is_compressed(file) {
            continue;
        }
        let digest = Sha256::digest(fs::read(file)?);
        let tag = digest.iter().take(12).fold(String::new(), |mut tag, byte| {
            let _ = write!(tag, "{byte:02x}");
            tag
        });
        let [brotli, gzip] = ["br", "gz"].map(|ending| {
            let other = PathBuf::from(format!("{}.{ending}", file.display()));
            if other.exists() {
                format!("Some(include_bytes!({:?}))", other.display().to_string())
            } else {
                "None".to_owned()
            }
        });
        let plain = file.display().to_string();
        let content_type = content_type(name);
        let _ = writeln!(
            text,
            "File {{ path: {path:?}, content_type: {content_type:?}, tag: {tag:?}, plain: include_bytes!({plain:?}), \
             brotli: {brotli}, gzip: {gzip} }},"
        );
    }
    text.push_str("];\n");
    Ok(text)
}

/// Whether it is another file in a smaller form.
fn is_compressed(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ending == "br" || ending == "gz")
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Build scripts speak to cargo through their output.
fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
