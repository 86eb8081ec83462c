//! The operations of the node, as requests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use reqwest::Method;
use serde_json::{Value, json};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_nodes::aws_signature::escaped;
use timeloom_nodes::described_file;

use super::client::{Request, Sent, Service};
use super::xml::{elements, text_of};

/// Most files that one item lists.
const LISTED_MAX: usize = 100_000;
/// Most files that are listed by one request.
const PAGE_MAX: usize = 1_000;

/// What an operation gives for one item.
pub(super) async fn carry_out(
    run: &mut NodeRun<'_>,
    service: &Service,
    item: &Item,
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    let resource = run.text("resource", index, "file")?;
    let usual = if resource == "file" { "download" } else { "create" };
    let operation = run.text("operation", index, usual)?;
    match (resource.as_str(), operation.as_str()) {
        ("bucket", "create") => create_bucket(run, service, index).await,
        ("bucket", "delete") => {
            let name = run.text("name", index, "")?;
            service.send(&Request::new(Method::DELETE, &checked(&name)?, "")).await?;
            Ok(succeeded(index))
        }
        ("bucket", "getAll") => list_buckets(run, service, index).await,
        ("bucket", "search") => {
            let (bucket, prefix) =
                (run.text("bucketName", index, "")?, run.text("additionalFields.prefix", index, "")?);
            let limit = limit(run, index)?;
            Ok(told(list(service, &bucket, &prefix, limit).await?, index))
        }
        ("file", "copy") => copy(run, service, index).await,
        ("file", "delete") => delete(run, service, index).await,
        ("file", "download") => download(run, service, item, index).await,
        ("file", "getAll") => {
            let (bucket, limit) = (run.text("bucketName", index, "")?, limit(run, index)?);
            let prefix = run.text("options.folderKey", index, "")?;
            let files = list(service, &bucket, &prefix, limit).await?;
            Ok(told(files.into_iter().filter(|file| !is_folder(file)).collect(), index))
        }
        ("file", "upload") => upload(run, service, item, index).await,
        ("folder", "create") => create_folder(run, service, index).await,
        ("folder", "delete") => delete_folder(run, service, index).await,
        ("folder", "getAll") => {
            let (bucket, limit) = (run.text("bucketName", index, "")?, limit(run, index)?);
            let prefix = run.text("options.folderKey", index, "")?;
            let mut folders = list(service, &bucket, &prefix, LISTED_MAX).await?;
            folders.retain(is_folder);
            folders.truncate(limit);
            Ok(told(folders, index))
        }
        (resource, operation) => {
            Err(NodeError::operation(format!("the operation '{operation}' of '{resource}' is not known")))
        }
    }
}

fn checked(bucket: &str) -> Result<String, NodeError> {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if bucket.is_empty() || bucket.len() > 255 || !bucket.chars().all(is_name) || bucket.contains("..") {
        return Err(NodeError::operation(format!("'{bucket}' is no name of a bucket")));
    }
    Ok(bucket.to_owned())
}

fn key(written: &str) -> Result<String, NodeError> {
    let key = written.trim_start_matches('/');
    if key.is_empty() || key.split('/').any(|part| part == "." || part == "..") {
        return Err(NodeError::operation(format!("'{written}' is no key of a file: give a name without '..'")));
    }
    Ok(key.to_owned())
}

fn succeeded(index: usize) -> Vec<Item> {
    vec![Item::new(JsonObject::from_iter([("success".to_owned(), Value::Bool(true))])).paired_with(index)]
}

fn told(rows: Vec<JsonObject>, index: usize) -> Vec<Item> {
    rows.into_iter().map(|row| Item::new(row).paired_with(index)).collect()
}

fn is_folder(file: &JsonObject) -> bool {
    let is = |name: &str| file.get(name).and_then(Value::as_str).unwrap_or_default();
    is("Key").ends_with('/') && is("Size") == "0"
}

fn limit(run: &mut NodeRun<'_>, index: usize) -> Result<usize, NodeError> {
    if run.boolean("returnAll", index, false)? {
        return Ok(LISTED_MAX);
    }
    let limit = run.number("limit", index, 100.0)?;
    let limit = limit as usize;
    Ok(limit.min(LISTED_MAX))
}

async fn list(service: &Service, bucket: &str, prefix: &str, limit: usize) -> Result<Vec<JsonObject>, NodeError> {
    let bucket = checked(bucket)?;
    let (mut found, mut next) = (Vec::new(), None);
    while found.len() < limit {
        let mut request = Request::new(Method::GET, &bucket, "");
        request.query.push(("list-type", "2".to_owned()));
        request.query.push(("max-keys", (limit - found.len()).min(PAGE_MAX).to_string()));
        if !prefix.is_empty() {
            request.query.push(("prefix", prefix.to_owned()));
        }
        request.query.extend(next.take().map(|token| ("continuation-token", token)));
        let page = service.text(service.send(&request).await?).await?;
        let files = elements(&page, "Contents");
        let is_empty = files.is_empty();
        found.extend(files);
        next = text_of(&page, "NextContinuationToken");
        // A page without files that names a next one would be asked for without end.
        if next.is_none() || is_empty {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

async fn list_buckets(run: &mut NodeRun<'_>, service: &Service, index: usize) -> Result<Vec<Item>, NodeError> {
    let page = service.text(service.send(&Request::new(Method::GET, "", "")).await?).await?;
    let mut buckets = elements(&page, "Bucket");
    buckets.truncate(limit(run, index)?);
    Ok(told(buckets, index))
}

async fn create_bucket(run: &mut NodeRun<'_>, service: &Service, index: usize) -> Result<Vec<Item>, NodeError> {
    let name = checked(&run.text("name", index, "")?)?;
    let region = run.text("additionalFields.region", index, &service.signer.region)?;
    let mut request = Request::new(Method::PUT, &name, "");
    request.headers = access(run, index)?;
    if region != "us-east-1" && !region.is_empty() {
        let region: String = region.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
        request.body = Some(Sent::Text(format!(
            "<CreateBucketConfiguration><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )));
    }
    service.send(&request).await?;
    Ok(succeeded(index))
}

async fn copy(run: &mut NodeRun<'_>, service: &Service, index: usize) -> Result<Vec<Item>, NodeError> {
    let path = |written: String| {
        let path = written.trim_start_matches('/').to_owned();
        let parts = path.split_once('/').map(|(bucket, key)| (bucket.to_owned(), key.to_owned()));
        parts.ok_or_else(|| NodeError::operation(format!("'{written}' is no path of a file: write /bucket/key")))
    };
    let (from, from_key) = path(run.text("sourcePath", index, "")?)?;
    let (to, to_key) = path(run.text("destinationPath", index, "")?)?;
    let (from, from_key, to, to_key) = (checked(&from)?, key(&from_key)?, checked(&to)?, key(&to_key)?);
    let mut request = Request::new(Method::PUT, &to, &to_key);
    request.headers = stored(run, index)?;
    request.headers.push(("x-amz-copy-source".to_owned(), format!("/{from}/{}", escaped(&from_key, true))));
    let page = service.text(service.send(&request).await?).await?;
    // A copy that failed half-way is told in an answer that began with success.
    if let Some(code) = text_of(&page, "Code") {
        let message = text_of(&page, "Message").unwrap_or_else(|| "the file was not copied".to_owned());
        return Err(NodeError { data: Some(json!({"code": code, "retryable": true})), ..NodeError::api(message) });
    }
    Ok(told(elements(&page, "CopyObjectResult"), index))
}

async fn delete(run: &mut NodeRun<'_>, service: &Service, index: usize) -> Result<Vec<Item>, NodeError> {
    let (bucket, key) = (checked(&run.text("bucketName", index, "")?)?, key(&run.text("fileKey", index, "")?)?);
    let version = run.text("options.versionId", index, "")?;
    let mut request = Request::new(Method::DELETE, &bucket, &key);
    if !version.is_empty() {
        request.query.push(("versionId", version));
    }
    service.send(&request).await?;
    Ok(succeeded(index))
}

async fn download(run: &mut NodeRun<'_>, service: &Service, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    let (bucket, key) = (checked(&run.text("bucketName", index, "")?)?, key(&run.text("fileKey", index, "")?)?);
    let field = run.text("binaryPropertyName", index, "data")?;
    let mut response = service.send(&Request::new(Method::GET, &bucket, &key)).await?;
    let content_type = response.headers().get(reqwest::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_owned();
    let mut writer = run.binaries().writer(service.policy.file_bytes_max);
    while let Some(part) = service.part(&mut response).await? {
        writer.write(part).await?;
    }
    let name = key.rsplit('/').next().map(str::to_owned);
    let generic = matches!(media_type.as_str(), "application/octet-stream" | "binary/octet-stream");
    let file = writer.finish(described_file(name, if generic { "" } else { &media_type })).await?;
    let mut given = Item { binary: item.binary.clone(), ..Item::new(item.json.clone()) };
    given.binary.get_or_insert_default().insert(field, file);
    Ok(vec![given.paired_with(index)])
}

async fn upload(run: &mut NodeRun<'_>, service: &Service, item: &Item, index: usize) -> Result<Vec<Item>, NodeError> {
    let bucket = checked(&run.text("bucketName", index, "")?)?;
    let folder = run.text("additionalFields.parentFolderKey", index, "")?;
    let mut name = run.text("fileName", index, "")?;
    let mut headers = stored(run, index)?;
    let body = if run.boolean("binaryData", index, true)? {
        let field = run.text("binaryPropertyName", index, "data")?;
        let file = item.binary.as_ref().and_then(|binary| binary.get(&field)).ok_or_else(|| {
            NodeError::operation(format!("the item has no attachment '{field}'"))
                .described("name another one, or a text")
        })?;
        if name.is_empty() {
            name = file.file_name.clone().unwrap_or_default();
        }
        if !file.mime_type.is_empty() {
            headers.push(("content-type".to_owned(), file.mime_type.clone()));
        }
        Sent::File(Box::new(file.clone()), run.binaries())
    } else {
        headers.push(("content-type".to_owned(), "text/plain".to_owned()));
        Sent::Text(run.text("fileContent", index, "")?)
    };
    let tags = tags_of(run, index)?;
    if !tags.is_empty() {
        headers.push(("x-amz-tagging".to_owned(), tags));
    }
    let folder = folder.trim_end_matches('/');
    let path = if folder.is_empty() { key(&name)? } else { key(&format!("{folder}/{name}"))? };
    let mut request = Request::new(Method::PUT, &bucket, &path);
    request.headers = headers;
    request.body = Some(body);
    service.send(&request).await?;
    Ok(succeeded(index))
}

async fn create_folder(run: &mut NodeRun<'_>, service: &Service, index: usize) -> Result<Vec<Item>, NodeError> {
    let bucket = checked(&run.text("bucketName", index, "")?)?;
    let (name, parent) = (run.text("folderName", index, "")?, run.text("additionalFields.parentFolderKey", index, "")?);
    let parent = parent.trim_end_matches('/');
    let path = if parent.is_empty() { key(&name)? } else { key(&format!("{parent}/{name}"))? };
    let path = format!("{}/", path.trim_end_matches('/'));
    let mut request = Request::new(Method::PUT, &bucket, &path);
    request.headers = stored(run, index)?;
    request.body = Some(Sent::Text(String::new()));
    service.send(&request).await?;
    Ok(succeeded(index))
}

/// Deletes all files of a folder, then itself.
async fn delete_folder(run: &mut NodeRun<'_>, service: &Service, index: usize) -> Result<Vec<Item>, NodeError> {
    let bucket = checked(&run.text("bucketName", index, "")?)?;
    let folder = format!("{}/", key(&run.text("folderKey", index, "")?)?.trim_end_matches('/'));
    let files = list(service, &bucket, &folder, LISTED_MAX).await?;
    if files.is_empty() {
        return Err(NodeError::operation(format!("there is no folder '{folder}'")));
    }
    for some in files.chunks(PAGE_MAX) {
        let keys = some.iter().filter_map(|file| file.get("Key").and_then(Value::as_str));
        let entries: String = keys.map(|key| format!("<Object><Key>{}</Key></Object>", xml_text(key))).collect();
        let body = format!("<Delete><Quiet>true</Quiet>{entries}</Delete>");
        let mut request = Request::new(Method::POST, &bucket, "");
        request.query.push(("delete", String::new()));
        // Every service asks for it where several files are deleted, the older ones in this form.
        request.headers.push(("content-md5".to_owned(), STANDARD.encode(Md5::digest(&body))));
        request.body = Some(Sent::Text(body));
        let page = service.text(service.send(&request).await?).await?;
        if let Some(failed) = elements(&page, "Error").into_iter().next() {
            let message = format!("not all of the folder was deleted: {}", Value::Object(failed));
            return Err(NodeError::api(message).described("run the node again"));
        }
    }
    Ok(succeeded(index))
}

fn xml_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The header that says who may do what.
fn access(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<(String, String)>, NodeError> {
    let acl = run.text("additionalFields.acl", index, "")?;
    Ok(if acl.is_empty() { Vec::new() } else { vec![("x-amz-acl".to_owned(), dashed(&acl))] })
}

/// The headers that say how a file is stored.
fn stored(run: &mut NodeRun<'_>, index: usize) -> Result<Vec<(String, String)>, NodeError> {
    let mut headers = access(run, index)?;
    let class = run.text("additionalFields.storageClass", index, "")?;
    if !class.is_empty() {
        headers.push(("x-amz-storage-class".to_owned(), dashed(&class).replace('-', "_").to_uppercase()));
    }
    let encryption = run.text("additionalFields.serverSideEncryption", index, "")?;
    if !encryption.is_empty() {
        headers.push(("x-amz-server-side-encryption".to_owned(), encryption));
    }
    if run.boolean("additionalFields.requesterPays", index, false)? {
        headers.push(("x-amz-request-payer".to_owned(), "requester".to_owned()));
    }
    Ok(headers)
}

/// `publicRead` as `public-read`, `onezoneIA` as `onezone-ia`.
fn dashed(word: &str) -> String {
    let mut dashed = String::new();
    let mut was_small = false;
    for letter in word.chars() {
        if letter.is_ascii_uppercase() && was_small {
            dashed.push('-');
        }
        was_small = letter.is_ascii_lowercase();
        dashed.push(letter.to_ascii_lowercase());
    }
    dashed
}

fn tags_of(run: &mut NodeRun<'_>, index: usize) -> Result<String, NodeError> {
    let Some(Value::Array(tags)) = run.parameter("tagsUi.tagsValues", index)? else { return Ok(String::new()) };
    let part = |tag: &Value, name: &str| escaped(tag.get(name).and_then(Value::as_str).unwrap_or_default(), false);
    Ok(tags.iter().map(|tag| format!("{}={}", part(tag, "key"), part(tag, "value"))).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_files_become_words_of_the_service() {
        assert_eq!(dashed("publicReadWrite"), "public-read-write");
        assert_eq!(dashed("onezoneIA").replace('-', "_").to_uppercase(), "ONEZONE_IA");
        assert_eq!(dashed("deepArchive").replace('-', "_").to_uppercase(), "DEEP_ARCHIVE");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in ["", "a/b", "a..b", "a b", "a?b"] {
            assert!(checked(name).is_err(), "{name}");
        }
        for name in ["", "/", "../b", "a/../../b", "a/./b"] {
            assert!(key(name).is_err(), "{name}");
        }
        assert_eq!(key("/a/b..c").ok().as_deref(), Some("a/b..c"));
    }
}
