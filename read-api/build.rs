//! Checks that the GraphiQL page was bundled, so that a missing bundle is a clear message and not an include error.

use std::path::Path;

fn main() {
    for file in ["graphiql/dist/graphiql.js", "graphiql/dist/graphiql.css"] {
        // Build scripts speak to cargo through their output.
        let line = if Path::new(file).exists() {
            format!("cargo::rerun-if-changed={file}\n")
        } else {
            format!(
                "cargo::error={file} is missing: run `make setup` (or `npm ci && npm run build` in read-api/graphiql)\n"
            )
        };
        let _ = std::io::Write::write_all(&mut std::io::stdout(), line.as_bytes());
    }
}
