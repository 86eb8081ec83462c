//! The operations of the node, as commands of the server.

use serde_json::{Number, Value};
use timeloom_domain::item::{Item, JsonObject};
use timeloom_engine::node::{NodeError, NodeRun};
use timeloom_nodes::values;

use super::Session;
use super::resp::Reply;

/// Most keys that one run gives.
const KEYS_MAX: usize = 100_000;
/// Most steps in which keys are looked for.
const STEPS_MAX: usize = 100_000;
/// About how many keys the server looks at in one step.
const SCAN_COUNT: &[u8] = b"1000";

/// What an operation gives for one item.
pub(super) async fn carry_out(
    run: &mut NodeRun<'_>,
    session: &mut Session,
    item: &Item,
    index: usize,
) -> Result<Vec<Item>, NodeError> {
    let passed_on = || vec![item.clone().paired_with(index)];
    match run.text("operation", index, "info")?.as_str() {
        "delete" => {
            let key = run.text("key", index, "")?;
            session.ask(&[b"DEL", key.as_bytes()]).await?;
            Ok(passed_on())
        }
        "get" => {
            let (key, of) = (run.text("key", index, "")?, run.text("keyType", index, "automatic")?);
            let value = value_of(session, &key, &of).await?;
            let fields = placed(run, index, value)?;
            Ok(vec![session.keep(fields, index)?])
        }
        "incr" => increment(run, session, index).await,
        "info" => {
            let told = session.ask(&[b"INFO"]).await?.text().unwrap_or_default();
            Ok(vec![session.keep(info(&told), index)?])
        }
        "keys" => keys(run, session, index).await,
        "pop" => {
            let list = run.text("list", index, "")?;
            let command: &[u8] = if run.boolean("tail", index, false)? { b"RPOP" } else { b"LPOP" };
            let popped = session.ask(&[command, list.as_bytes()]).await?.text();
            let value = popped.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
            let fields = placed(run, index, value.unwrap_or_default())?;
            Ok(vec![session.keep(fields, index)?])
        }
        "publish" => {
            let (channel, message) = (run.text("channel", index, "")?, run.text("messageData", index, "")?);
            session.ask(&[b"PUBLISH", channel.as_bytes(), message.as_bytes()]).await?;
            Ok(passed_on())
        }
        "push" => {
            let (list, message) = (run.text("list", index, "")?, run.text("messageData", index, "")?);
            let command: &[u8] = if run.boolean("tail", index, false)? { b"RPUSH" } else { b"LPUSH" };
            session.ask(&[command, list.as_bytes(), message.as_bytes()]).await?;
            Ok(passed_on())
        }
        "set" => {
            set(run, session, index).await?;
            Ok(passed_on())
        }
        other => Err(NodeError::operation(format!("the operation '{other}' is not known"))),
    }
}

/// The value in the field that the parameters name.
fn placed(run: &mut NodeRun<'_>, index: usize, value: Value) -> Result<JsonObject, NodeError> {
    let name = run.text("propertyName", index, "propertyName")?;
    let dots = run.boolean("options.dotNotation", index, true)?;
    let mut fields = JsonObject::new();
    values::set(&mut fields, &name, value, dots);
    Ok(fields)
}

async fn value_of(session: &mut Session, key: &str, of: &str) -> Result<Value, NodeError> {
    let found = match of {
        "automatic" => session.ask(&[b"TYPE", key.as_bytes()]).await?.text().unwrap_or_default(),
        "sets" => "set".to_owned(),
        other => other.to_owned(),
    };
    let key = key.as_bytes();
    let texts = |reply: Reply| Value::Array(reply.texts().into_iter().map(Value::String).collect());
    Ok(match found.as_str() {
        "none" => Value::Null,
        "string" => session.ask(&[b"GET", key]).await?.text().map_or(Value::Null, Value::String),
        "list" => texts(session.ask(&[b"LRANGE", key, b"0", b"-1"]).await?),
        "set" => texts(session.ask(&[b"SMEMBERS", key]).await?),
        "hash" => {
            let told = session.ask(&[b"HGETALL", key]).await?.texts();
            let mut parts = told.into_iter();
            let mut fields = JsonObject::new();
            while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                fields.insert(name, Value::String(value));
            }
            Value::Object(fields)
        }
        other => {
            return Err(NodeError::operation(format!(
                "keys of the type '{other}' cannot be read: only strings, hashes, lists and sets"
            ))
            .described("known types of a key are automatic, hash, list, sets and string"));
        }
    })
}

async fn increment(run: &mut NodeRun<'_>, session: &mut Session, index: usize) -> Result<Vec<Item>, NodeError> {
    let key = run.text("key", index, "")?;
    let reply = session.ask(&[b"INCR", key.as_bytes()]).await?;
    expire(run, session, &key, index).await?;
    let value = match reply {
        Reply::Number(number) => Value::from(number),
        other => other.text().map_or(Value::Null, Value::String),
    };
    Ok(vec![session.keep(JsonObject::from_iter([(key, value)]), index)?])
}

async fn expire(run: &mut NodeRun<'_>, session: &mut Session, key: &str, index: usize) -> Result<(), NodeError> {
    if run.boolean("expire", index, false)? {
        let seconds = run.number("ttl", index, 60.0)?;
        session.ask(&[b"EXPIRE", key.as_bytes(), format!("{seconds:.0}").as_bytes()]).await?;
    }
    Ok(())
}

/// Keys are looked for step by step, so that the server answers others meanwhile.
async fn keys(run: &mut NodeRun<'_>, session: &mut Session, index: usize) -> Result<Vec<Item>, NodeError> {
    let pattern = run.text("keyPattern", index, "")?;
    let mut found = std::collections::BTreeSet::new();
    let mut cursor = "0".to_owned();
    for _ in 0..STEPS_MAX {
        let step: [&[u8]; 6] = [b"SCAN", cursor.as_bytes(), b"MATCH", pattern.as_bytes(), b"COUNT", SCAN_COUNT];
        let Reply::List(parts) = session.ask(&step).await? else { break };
        let mut parts = parts.into_iter();
        cursor = parts.next().and_then(Reply::text).unwrap_or_default();
        found.extend(parts.next().map(Reply::texts).unwrap_or_default());
        if found.len() > KEYS_MAX {
            return Err(NodeError::operation(format!(
                "more than {KEYS_MAX} keys fit the pattern: give a narrower one"
            )));
        }
        if cursor == "0" || cursor.is_empty() {
            break;
        }
    }
    if !run.boolean("getValues", index, true)? {
        let keys = Value::Array(found.into_iter().map(Value::String).collect());
        return Ok(vec![session.keep(JsonObject::from_iter([("keys".to_owned(), keys)]), index)?]);
    }
    let mut fields = JsonObject::new();
    for key in found {
        let value = value_of(session, &key, "automatic").await?;
        session.budget.take(&JsonObject::from_iter([(key.clone(), value.clone())]))?;
        fields.insert(key, value);
    }
    Ok(vec![Item::new(fields).paired_with(index)])
}

async fn set(run: &mut NodeRun<'_>, session: &mut Session, index: usize) -> Result<(), NodeError> {
    let key = run.text("key", index, "")?;
    let value = run.parameter("value", index)?.unwrap_or_default();
    let of = match (run.text("keyType", index, "automatic")?.as_str(), &value) {
        ("automatic", Value::Array(_)) => "list".to_owned(),
        ("automatic", Value::Object(_)) => "hash".to_owned(),
        ("automatic", _) => "string".to_owned(),
        (other, _) => other.to_owned(),
    };
    match of.as_str() {
        "string" => {
            session.ask(&[b"SET", key.as_bytes(), values::text(&value).as_bytes()]).await?;
        }
        "hash" => {
            let is_json = run.boolean("valueIsJSON", index, true)?;
            send(session, "HSET", &key, &hash_parts(&value, is_json)?).await?;
        }
        // A list takes the place of the one before, all at once: nobody sees half of it.
        "list" => {
            let parts = list_parts(&value);
            session.ask(&[b"MULTI"]).await?;
            let was_sound = std::mem::replace(&mut session.is_sound, false);
            session.ask(&[b"DEL", key.as_bytes()]).await?;
            send(session, "RPUSH", &key, &parts).await?;
            session.ask(&[b"EXEC"]).await?;
            session.is_sound = was_sound;
        }
        "sets" => send(session, "SADD", &key, &list_parts(&value)).await?,
        other => return Err(NodeError::operation(format!("the type of key '{other}' is not known"))),
    }
    expire(run, session, &key, index).await
}

async fn send(session: &mut Session, command: &str, key: &str, parts: &[String]) -> Result<(), NodeError> {
    if parts.is_empty() {
        return Ok(());
    }
    let command = [command, key].into_iter().chain(parts.iter().map(String::as_str)).map(str::as_bytes);
    session.ask(&command.collect::<Vec<_>>()).await.map(drop)
}

/// Names and values, one after the other.
fn hash_parts(value: &Value, is_json: bool) -> Result<Vec<String>, NodeError> {
    let parsed = match value {
        Value::String(text) if is_json => serde_json::from_str(text)
            .map_err(|error| NodeError::operation(format!("the value is no JSON: {error}")))?,
        Value::String(text) => return Ok(text.split_whitespace().map(str::to_owned).collect()),
        other => other.clone(),
    };
    let Value::Object(fields) = parsed else {
        return Err(NodeError::operation("the value of a hash is to be an object: names with values"));
    };
    Ok(fields.into_iter().flat_map(|(name, value)| [name, values::text(&value)]).collect())
}

fn list_parts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(parts) => parts.iter().map(values::text).collect(),
        Value::String(text) => match serde_json::from_str(text) {
            Ok(Value::Array(parts)) => parts.iter().map(values::text).collect(),
            _ => vec![text.clone()],
        },
        other => vec![values::text(other)],
    }
}

/// What the server tells of itself: lines of a name and a value, some of them with several of both.
fn info(told: &str) -> JsonObject {
    let value = |text: &str| match text.parse::<Number>() {
        Ok(number) => Value::Number(number),
        Err(_) => Value::String(text.to_owned()),
    };
    let lines = told.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, text)| {
            let told = match text.contains('=') {
                false => value(text),
                true => {
                    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
                    Value::Object(pairs.map(|(name, text)| (name.to_owned(), value(text))).collect())
                }
            };
            (name.to_owned(), told)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_server_tells_is_read_line_by_line() {
        let told = "# Server\r\nredis_version:7.0.15\r\nhz:10\r\n\r\ndb0:keys=2,expires=0\r\n";
        let expected = json!({"redis_version": "7.0.15", "hz": 10, "db0": {"keys": 2, "expires": 0}});
        assert_eq!(Value::Object(info(told)), expected);
    }

    #[test]
    fn the_fields_of_a_hash_are_those_of_an_object() {
        assert_eq!(hash_parts(&json!(r#"{"a": 1, "b": "x"}"#), true).unwrap(), ["a", "1", "b", "x"]);
        assert_eq!(hash_parts(&json!("a 1"), false).unwrap(), ["a", "1"]);
        assert!(hash_parts(&json!("a 1"), true).is_err() && hash_parts(&json!([1]), true).is_err());
    }
}
