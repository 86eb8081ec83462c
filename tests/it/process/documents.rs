//! Documents read in processes of their own: what is in a PDF file, and files that mean harm.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compress, Compression, FlushCompress};
use serde_json::{Value, json};

use super::server::{chain, verb_json};

/// A file with these objects, numbered from 1; the first is the catalogue, and the last says what the file is about.
fn file(objects: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b"%PDF-1.4\n".to_vec();
    let mut places = Vec::new();
    for (number, object) in (1..).zip(objects) {
        places.push(file.len());
        writeln!(file, "{number} 0 obj").unwrap();
        file.extend_from_slice(object);
        file.extend_from_slice(b"\nendobj\n");
    }
    let table = file.len();
    write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1).unwrap();
    for place in places {
        writeln!(file, "{place:010} 00000 n ").unwrap();
    }
    let (size, info) = (objects.len() + 1, objects.len());
    write!(file, "trailer\n<</Size {size}/Root 1 0 R/Info {info} 0 R>>\nstartxref\n{table}\n%%EOF\n").unwrap();
    file
}

fn stream(entries: &str, content: &[u8]) -> Vec<u8> {
    let mut stream = format!("<</Length {}{entries}>>\nstream\n", content.len()).into_bytes();
    stream.extend_from_slice(content);
    stream.extend_from_slice(b"\nendstream");
    stream
}

/// A file whose pages have these contents.
fn pages(contents: Vec<Vec<u8>>) -> Vec<u8> {
    let count = contents.len();
    let kids: Vec<String> = (0..count).map(|page| format!("{} 0 R", 4 + 2 * page)).collect();
    let mut objects: Vec<Vec<u8>> = vec![
        b"<</Type/Catalog/Pages 2 0 R>>".to_vec(),
        format!("<</Type/Pages/Count {count}/Kids[{}]/MediaBox[0 0 300 300]>>", kids.join(" ")).into_bytes(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_vec(),
    ];
    for (page, content) in contents.into_iter().enumerate() {
        let page = format!("<</Type/Page/Parent 2 0 R/Contents {} 0 R/Resources<</Font<</F 3 0 R>>>>>>", 5 + 2 * page);
        objects.extend([page.into_bytes(), content]);
    }
    objects.push(b"<</Title(Two pages)/Author(Ada)>>".to_vec());
    file(&objects)
}

fn text(words: &str) -> Vec<u8> {
    stream("", format!("BT /F 12 Tf 20 200 Td ({words}) Tj ET").as_bytes())
}

/// What a workflow reads from the file: the item, or the message of its failure.
fn read(content: &[u8], options: Value) -> Result<Value, String> {
    let folder = tempfile::tempdir().unwrap();
    let set = json!({
        "name": "Bytes", "type": "n8n-nodes-base.set", "typeVersion": 3.4,
        "parameters": { "mode": "raw", "jsonOutput": json!({ "bytes": STANDARD.encode(content) }), "options": {} }
    });
    let convert = json!({
        "name": "File", "type": "n8n-nodes-base.convertToFile", "typeVersion": 1.1,
        "parameters": { "operation": "toBinary", "sourceProperty": "bytes", "options": {} }
    });
    let extract = json!({
        "name": "Read", "type": "n8n-nodes-base.extractFromFile", "typeVersion": 1.1,
        "parameters": { "operation": "pdf", "options": options }
    });
    let path = folder.path().join("read.json");
    std::fs::write(&path, chain("Reads", &[set, convert, extract]).to_string()).unwrap();
    let result = verb_json(&["workflow", "run", path.to_str().unwrap(), "--json"]);
    if result["status"] == "success" {
        return Ok(result["runData"]["Read"][0]["data"]["main"][0][0]["json"].clone());
    }
    Err(result["error"]["message"].as_str().unwrap_or_else(|| panic!("{result}")).to_owned())
}

#[test]
fn the_text_of_a_pdf_file_is_read_page_by_page() {
    let content = pages(vec![text("First page"), text("Gr\\374\\337e")]);
    let item = read(&content, json!({})).unwrap();
    assert_eq!(item["text"], "First page\n\nGrüße");
    assert_eq!([&item["numpages"], &item["numrender"], &item["version"]], [&json!(2), &json!(2), &json!("1.4")]);
    assert_eq!(item["info"], json!({ "Title": "Two pages", "Author": "Ada" }));
    let first = read(&content, json!({ "joinPages": false, "maxPages": 1 })).unwrap();
    assert_eq!(
        [&first["text"], &first["numpages"], &first["numrender"]],
        [&json!(["First page"]), &json!(2), &json!(1)]
    );
}

#[test]
fn files_that_mean_harm_are_refused_and_nothing_else_suffers() {
    let refused = |content: &[u8]| {
        let message = read(content, json!({})).unwrap_err();
        message
            .strip_prefix("the file is not a PDF that can be read: ")
            .unwrap_or_else(|| panic!("{message}"))
            .to_owned()
    };
    assert!(!refused(b"hello").is_empty());
    let whole = pages(vec![text("First page")]);
    assert!(!refused(&whole[..whole.len() / 2]).is_empty());
    let bomb = pages(vec![stream("/Filter/FlateDecode", &zeros(64))]);
    assert!(bomb.len() < 16 << 20);
    let why = refused(&bomb);
    assert!(why.contains("MiB of address space") || why.contains("seconds"), "{why}");
}

/// As many times 64 MiB of zeros, packed.
fn zeros(times: usize) -> Vec<u8> {
    let block = vec![0; 64 << 20];
    let mut packed = Vec::with_capacity(1 << 20);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&block, &mut packed, FlushCompress::Full).unwrap();
    // A header, the same block again and again, and an empty one at the end.
    [&[0x78, 0x9c][..], &packed.repeat(times), &[3, 0, 0, 0, 0, 0]].concat()
}
