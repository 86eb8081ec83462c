//! Compression: packs attachments into a ZIP archive or GZIP files, and unpacks them.
//!
//! An archive's own word about its size is not believed: what comes out is counted while it comes, and bounded in bytes,
//! in files, and in how much it may grow.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write as _};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde_json::Value;
use timeloom_domain::catalogue::{Choice, Condition, NodeDefinition, NodeGroup, NodeRole, ParameterDefinition};
use timeloom_domain::item::{BinaryData, Item};
use timeloom_engine::node::{
    Behaviour, Binaries, NodeError, NodeOutput, NodeRun, NodeType, PureNode, WHOLE_BYTES_MAX, blocking,
};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter};

use crate::describe::{ONE_TO_ONE, choice, is, options, palette, text, told};
use crate::files::attached;
use crate::files::kinds;

/// Most bytes that the archives of one item give together.
const UNPACKED_BYTES_MAX: u64 = 256 << 20;
/// Most files in one archive.
const ENTRIES_MAX: usize = 10_000;
/// Most bytes for each byte of the archive, once there are more than [`RATIO_FREE_BYTES`].
const RATIO_MAX: u64 = 200;
/// Bytes that come out whatever the ratio: short files of one letter are no attack.
const RATIO_FREE_BYTES: u64 = 8 << 20;
/// Bytes that are unpacked at a time.
const PIECE_BYTES: usize = 256 << 10;

const PACKS: &[Condition] = &[is("operation", &["compress"])];
const UNPACKS: &[Condition] = &[is("operation", &["decompress"])];
const ZIP: &[Condition] = &[is("outputFormat", &["zip"])];
const GZIP: &[Condition] = &[is("outputFormat", &["gzip"])];

const FORMATS: &[Choice] =
    &[told("gzip", "Gzip", "A file for each attachment."), told("zip", "Zip", "One archive of all attachments.")];

const PARAMETERS: &[ParameterDefinition] = &[
    options("operation", &[choice("compress", "Compress"), choice("decompress", "Decompress")], "Which way.")
        .or_text("decompress"),
    text("binaryPropertyName", "Names of the attachments, with commas between.")
        .called("Input binary fields")
        .or_text("data"),
    options("outputFormat", FORMATS, "What is made.").when(PACKS).until(1.0),
    options("outputFormat", FORMATS, "What is made.").or_text("zip").when(PACKS).since(1.1),
    text("fileName", "Name of the archive.").or_text("data.zip").when(ZIP),
    text("fileName", "Name of the file, without its ending; that of the attachment when empty.")
        .like("data.txt")
        .or_text("")
        .when(GZIP)
        .since(1.1),
    text("binaryPropertyOutput", "Attachment that gets the archive.")
        .called("Put output file in field")
        .or_text("data")
        .when(ZIP),
    text("binaryPropertyOutput", "Attachment that gets the file.")
        .called("Put output file in field")
        .or_text("data")
        .when(GZIP)
        .since(1.1),
    text("outputPrefix", "What the names of the attachments that come out begin with.")
        .or_text("data")
        .when(GZIP)
        .until(1.0),
    text("outputPrefix", "What the names of the attachments that come out begin with.").or_text("file_").when(UNPACKS),
];

/// The Compression node.
pub(crate) struct Compression;

impl NodeType for Compression {
    fn definition(&self) -> NodeDefinition {
        NodeDefinition {
            node_type: "n8n-nodes-base.compression",
            display_name: "Compression",
            description: "Packs attachments as ZIP or GZIP, and unpacks them.",
            versions: &[1.0, 1.1],
            role: NodeRole::Pure,
            ports: ONE_TO_ONE,
            parameters: PARAMETERS,
            palette: palette(NodeGroup::HttpAndFiles, "file-archive", &["zip", "gzip", "unzip", "archive", "compress"]),
            ..NodeDefinition::BLANK
        }
    }

    fn behaviour(&self) -> Behaviour<'_> {
        Behaviour::Pure(self)
    }
}

impl PureNode for Compression {
    fn run(&self, run: &mut NodeRun<'_>) -> Result<NodeOutput, NodeError> {
        let items = run.items();
        let mut output = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let operation = run.text("operation", index, "decompress")?;
            let made = if operation == "compress" { pack(run, item, index) } else { unpack(run, item, index) };
            match made {
                Ok(made) => output.push(made.paired_with(index)),
                Err(error) if run.continues_on_fail() => output.push(run.failed_item(index, &error)),
                Err(error) => return Err(error.at_item(index)),
            }
        }
        Ok(NodeOutput::single(output))
    }
}

/// The attachments that the node names, in that order.
fn chosen(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Vec<(String, BinaryData)>, NodeError> {
    let names = run.text("binaryPropertyName", index, "data")?;
    let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
    let named = |name: &str| Ok((name.to_owned(), attached(item, index, name)?.clone()));
    names.map(named).collect()
}

fn unpack(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
    let chosen = chosen(run, item, index)?;
    // Version 1 had no such parameter for packing, but always this one for unpacking.
    let prefix = run.text("outputPrefix", index, "file_")?;
    let binaries = run.binaries();
    let mut made = Item::new(item.json.clone());
    // The archive does not come along.
    let mut attachments = BTreeMap::new();
    let mut limits = Limits { left: UNPACKED_BYTES_MAX };
    let mut number = 0;
    for (name, attachment) in chosen {
        let content = binaries.read_blocking(&attachment)?;
        let ending =
            attachment.file_extension.clone().or_else(|| attachment.file_name.as_deref().and_then(kinds::ending_of));
        if is_zip(&content) {
            for (file_name, file) in unzip(&content, &binaries, &mut limits)? {
                attachments.insert(format!("{prefix}{number}"), described(file, file_name));
                number += 1;
            }
        } else if is_gzip(&content) {
            let file_name = attachment.file_name.as_deref().map(without_gz);
            let file = limits.unpack(MultiGzDecoder::new(&*content), content.len() as u64, &binaries)?;
            let about = kinds::described(file_name.map(str::to_owned), "");
            let file = blocking(file.finish(about))?;
            attachments.insert(format!("{prefix}{number}"), file);
            number += 1;
        } else {
            let ending = ending.unwrap_or_default();
            return Err(NodeError::operation(format!("the attachment '{name}' is neither ZIP nor GZIP ('{ending}')"))
                .described("give an archive in one of these formats"));
        }
    }
    made.binary = Some(attachments);
    Ok(made)
}

type Unfinished = timeloom_engine::node::BinaryWriter;

/// What may still come out.
struct Limits {
    left: u64,
}

impl Limits {
    /// Reads to the end what `packed_bytes` bytes unpack to.
    fn unpack(
        &mut self,
        mut content: impl Read,
        packed_bytes: u64,
        binaries: &Binaries,
    ) -> Result<Unfinished, NodeError> {
        let allowed = packed_bytes.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES);
        let mut writer = binaries.writer(usize::try_from(UNPACKED_BYTES_MAX).unwrap_or(usize::MAX));
        let mut unpacked = 0;
        loop {
            let mut piece = Vec::new();
            let read = content.by_ref().take(PIECE_BYTES as u64).read_to_end(&mut piece);
            read.map_err(|error| NodeError::operation(format!("the archive is damaged: {error}")))?;
            if piece.is_empty() {
                return Ok(writer);
            }
            let bytes = piece.len() as u64;
            unpacked += bytes;
            self.left = self.left.checked_sub(bytes).ok_or_else(|| too_much(UNPACKED_BYTES_MAX))?;
            if unpacked > allowed {
                return Err(too_much(allowed));
            }
            blocking(writer.write(Bytes::from(piece)))?;
        }
    }
}

fn too_much(bytes: u64) -> NodeError {
    NodeError::operation(format!("the archive unpacks to more than {bytes} bytes: it was refused"))
        .described("an archive that grows so much is an attack as a rule; unpack it elsewhere")
}

fn unzip(content: &Bytes, binaries: &Binaries, limits: &mut Limits) -> Result<Vec<(String, BinaryData)>, NodeError> {
    let damaged = |error: zip::result::ZipError| NodeError::operation(format!("the archive is damaged: {error}"));
    let mut archive = ZipArchive::new(Cursor::new(content)).map_err(damaged)?;
    if archive.len() > ENTRIES_MAX {
        return Err(NodeError::operation(format!("the archive has more than {ENTRIES_MAX} files")));
    }
    let mut files = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(damaged)?;
        let name = entry.name().to_owned();
        if entry.is_dir() || name.starts_with("__MACOSX/") {
            continue;
        }
        let packed = entry.compressed_size().min(content.len() as u64);
        let written = limits.unpack(entry, packed, binaries)?;
        let bare = name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        files.push((name, blocking(written.finish(kinds::described(Some(bare), "")))?));
    }
    Ok(files)
}

/// A file of an archive: where it lay in a folder there, that is said too, and never used as a path.
fn described(mut file: BinaryData, path: String) -> BinaryData {
    if let Some((folder, _)) = path.rsplit_once('/') {
        file.extra.insert("directory".to_owned(), Value::String(folder.to_owned()));
    }
    file
}

fn pack(run: &mut NodeRun<'_>, item: &Item, index: usize) -> Result<Item, NodeError> {
    let chosen = chosen(run, item, index)?;
    let version = run.version();
    let binaries = run.binaries();
    let mut made = Item::new(item.json.clone());
    let mut packages = BTreeMap::new();
    let read = |attachments: Vec<(String, BinaryData)>| {
        let mut left = WHOLE_BYTES_MAX;
        let mut contents = Vec::with_capacity(attachments.len());
        for (_, attachment) in attachments {
            let content = binaries.read_blocking(&attachment)?;
            left = left.checked_sub(content.len()).ok_or_else(|| {
                NodeError::operation(format!("the attachments have more than {WHOLE_BYTES_MAX} bytes together"))
            })?;
            contents.push((attachment, content));
        }
        Ok::<_, NodeError>(contents)
    };
    let format = run.text("outputFormat", index, if version < 1.1 { "" } else { "zip" })?;
    if format == "gzip" {
        let newer = version >= 1.1;
        let prefix = run.text(if newer { "binaryPropertyOutput" } else { "outputPrefix" }, index, "data")?;
        let chosen_name = if newer { run.text("fileName", index, "")? } else { String::new() };
        for (number, (attachment, content)) in read(chosen)?.into_iter().enumerate() {
            let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
            let packed = encoder.write_all(&content).and_then(|()| encoder.finish());
            let packed = packed.map_err(|error| NodeError::operation(format!("the file cannot be packed: {error}")))?;
            let about = kinds::described(Some(gzip_name(&attachment, &chosen_name, newer)), "application/gzip");
            let property = if newer && number == 0 { prefix.clone() } else { format!("{prefix}{number}") };
            packages.insert(property, binaries.keep_blocking(packed, about)?);
        }
    } else {
        let name = run.text("fileName", index, "data.zip")?;
        let output = run.text("binaryPropertyOutput", index, "data")?;
        let packed = zip_of(read(chosen)?)?;
        let about = kinds::described(Some(name), "application/zip");
        packages.insert(output, binaries.keep_blocking(packed, about)?);
    }
    // What was packed does not come along.
    made.binary = Some(packages);
    Ok(made)
}

/// The name of a packed file: from version 1.1 its ending is kept before that of the package.
fn gzip_name(file: &BinaryData, chosen: &str, newer: bool) -> String {
    let own = file.file_name.as_deref().and_then(|name| name.split('.').next()).unwrap_or("file");
    if !newer {
        return format!("{own}.gzip");
    }
    let name = if chosen.is_empty() { own.to_owned() } else { chosen.replacen(".gz", "", 1) };
    let ending = file.file_extension.as_deref().map(|ending| format!(".{}", ending.to_lowercase()));
    format!("{name}{}.gz", ending.unwrap_or_default())
}

fn zip_of(files: Vec<(BinaryData, Bytes)>) -> Result<Vec<u8>, NodeError> {
    let refused =
        |error: &dyn std::fmt::Display| NodeError::operation(format!("the archive cannot be written: {error}"));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    // The same files give the same archive: a node reads no clock.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    let mut names: Vec<String> = Vec::new();
    for (attachment, content) in files {
        let ending = attachment.file_extension.map(|ending| format!(".{ending}")).unwrap_or_default();
        let wanted = attachment.file_name.unwrap_or_else(|| format!("file_{}{ending}", names.len()));
        let mut name = wanted.clone();
        let mut number = 1;
        while names.contains(&name) {
            number += 1;
            name = format!("{number}_{wanted}");
        }
        writer.start_file(name.as_str(), options).map_err(|error| refused(&error))?;
        writer.write_all(&content).map_err(|error| refused(&error))?;
        names.push(name);
    }
    Ok(writer.finish().map_err(|error| refused(&error))?.into_inner())
}

fn is_zip(content: &[u8]) -> bool {
    content.starts_with(b"PK\x03\x04") || content.starts_with(b"PK\x05\x06")
}

fn is_gzip(content: &[u8]) -> bool {
    content.starts_with(&[0x1f, 0x8b])
}

fn without_gz(name: &str) -> &str {
    name.strip_suffix(".gz").or_else(|| name.strip_suffix(".gzip")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use timeloom_domain::item::JsonObject;

    use super::*;
    use crate::testing::Bench;

    fn file(bench: &Bench<'_>, name: &str, content: &[u8]) -> Value {
        let about = kinds::described(Some(name.to_owned()), "");
        json!(bench.services.binaries.keep_blocking(content.to_vec(), about).unwrap())
    }

    /// The item that comes out when the node runs on files.
    fn run(parameters: Value, files: &[(&str, &str, &[u8])]) -> (Item, Binaries) {
        let mut bench = Bench::new(&Compression, 1.1, parameters);
        let binary: JsonObject = files
            .iter()
            .map(|(property, name, content)| ((*property).to_owned(), file(&bench, name, content)))
            .collect();
        bench = bench.input(json!([{"json": {"n": 1}, "binary": binary}]));
        let output = bench.run().unwrap();
        (output.outputs[0][0].clone(), bench.services.binaries.clone())
    }

    fn content(item: &Item, name: &str, binaries: &Binaries) -> Vec<u8> {
        binaries.read_blocking(&item.binary.as_ref().unwrap()[name]).unwrap().to_vec()
    }

    fn unpacked(packed: Vec<u8>, name: &str) -> Result<Item, NodeError> {
        let mut bench = Bench::new(&Compression, 1.1, json!({"operation": "decompress"}));
        let archive = file(&bench, name, &packed);
        bench = bench.input(json!([{"json": {}, "binary": {"data": archive}}]));
        Ok(bench.run()?.outputs[0][0].clone())
    }

    #[test]
    fn several_files_go_into_an_archive_and_come_out() {
        let long = vec![b'x'; 100_000];
        let pack = json!({"operation": "compress", "binaryPropertyName": "a, b", "fileName": "all.zip",
            "binaryPropertyOutput": "archive"});
        let (packed, binaries) = run(pack, &[("a", "a.txt", b"first"), ("b", "b.csv", &long)]);
        let archive = &packed.binary.as_ref().unwrap()["archive"];
        assert_eq!((archive.file_name.as_deref(), archive.mime_type.as_str()), (Some("all.zip"), "application/zip"));
        let bytes = content(&packed, "archive", &binaries);
        assert!(bytes.len() < 1_000, "{} bytes", bytes.len());
        let mut bench = Bench::new(&Compression, 1.1, json!({"binaryPropertyName": "archive", "outputPrefix": "f"}));
        bench.services.binaries = binaries.clone();
        bench = bench.input(json!([packed]));
        let output = bench.run().unwrap();
        let item = &output.outputs[0][0];
        let names: Vec<&String> = item.binary.as_ref().unwrap().keys().collect();
        assert_eq!(names, ["f0", "f1"], "the archive does not come along");
        assert_eq!((content(item, "f0", &binaries), content(item, "f1", &binaries)), (b"first".to_vec(), long));
        let second = &item.binary.as_ref().unwrap()["f1"];
        assert_eq!((second.file_name.as_deref(), second.mime_type.as_str()), (Some("b.csv"), "text/csv"));
        assert!(second.data.is_empty(), "it is long: a blob");
    }

    #[test]
    fn gzip_packs_each_file_alone() {
        let pack = json!({"operation": "compress", "binaryPropertyName": "a,b", "outputFormat": "gzip", "binaryPropertyOutput": "z"});
        let (packed, binaries) = run(pack, &[("a", "a.txt", b"first"), ("b", "b.txt", b"second")]);
        let names: Vec<&String> = packed.binary.as_ref().unwrap().keys().collect();
        assert_eq!(names, ["z", "z1"], "what was packed does not come along");
        assert_eq!(packed.binary.as_ref().unwrap()["z1"].file_name.as_deref(), Some("b.txt.gz"));
        let item = unpacked(content(&packed, "z1", &binaries), "b.txt.gz").unwrap();
        let file = &item.binary.as_ref().unwrap()["file_0"];
        assert_eq!((file.file_name.as_deref(), file.data.as_str()), (Some("b.txt"), "c2Vjb25k"));
    }

    #[test]
    fn a_packed_file_is_named_after_its_content() {
        let of = |file_name: &str, ending: Option<&str>| BinaryData {
            file_name: Some(file_name.to_owned()),
            file_extension: ending.map(str::to_owned),
            ..BinaryData::default()
        };
        assert_eq!(gzip_name(&of("a.TXT", Some("TXT")), "", true), "a.txt.gz");
        assert_eq!(gzip_name(&of("a.txt", Some("txt")), "other.gz", true), "other.txt.gz");
        assert_eq!(gzip_name(&of("a.txt", None), "", true), "a.gz");
        assert_eq!(gzip_name(&of("a.txt", Some("txt")), "other", false), "a.gzip");
    }

    #[test]
    fn what_grows_without_measure_is_refused() {
        let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::best());
        let zeros = vec![0; 1 << 20];
        (0..64).for_each(|_| encoder.write_all(&zeros).unwrap());
        let bomb = encoder.finish().unwrap();
        let refused = unpacked(bomb, "bomb.gz").unwrap_err();
        assert!(refused.message.starts_with("the archive unpacks to more than"), "{}", refused.message);
    }

    #[test]
    fn many_files_and_damaged_ones_are_refused() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for number in 0..=ENTRIES_MAX {
            writer.start_file(number.to_string(), SimpleFileOptions::default()).unwrap();
        }
        let many = writer.finish().unwrap().into_inner();
        assert_eq!(unpacked(many, "many.zip").unwrap_err().message, "the archive has more than 10000 files");
        let message = |bytes: &[u8]| unpacked(bytes.to_vec(), "x.zip").unwrap_err().message;
        assert!(message(b"PK\x03\x04 and no more").starts_with("the archive is damaged"));
        assert_eq!(message(b"text"), "the attachment 'data' is neither ZIP nor GZIP ('zip')");
    }

    #[test]
    fn names_in_an_archive_are_never_paths() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("../../etc/passwd", SimpleFileOptions::default()).unwrap();
        writer.write_all(b"x").unwrap();
        let item = unpacked(writer.finish().unwrap().into_inner(), "x.zip").unwrap();
        assert_eq!(item.binary.as_ref().unwrap()["file_0"].file_name.as_deref(), Some("passwd"));
    }
}
