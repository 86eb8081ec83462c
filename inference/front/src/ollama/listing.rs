//! What can be asked, and what is known of it.

use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::refusal::response;
use crate::body::{moment, whole_json};
use crate::refused::Refused;
use crate::speaking::{Offered, Skill, Speaking, model_of};

/// What the protocol's clients put after the name of a model that has no other tag.
const LATEST: &str = ":latest";

pub(super) async fn tags<S: Speaking>(speaking: Data<S>, request: HttpRequest) -> HttpResponse {
    listed(&speaking, &request, |_| true).await
}

/// Those that are in memory.
pub(super) async fn running<S: Speaking>(speaking: Data<S>, request: HttpRequest) -> HttpResponse {
    listed(&speaking, &request, |model| model.loaded).await
}

async fn listed<S: Speaking>(
    speaking: &Data<S>,
    request: &HttpRequest,
    is_wanted: impl Fn(&Offered) -> bool,
) -> HttpResponse {
    let listed = async {
        let who = speaking.who(request)?;
        let models = speaking.models(&who).await?;
        let models: Vec<Value> = models.iter().filter(|model| is_wanted(model)).map(described).collect();
        Ok(HttpResponse::Ok().json(json!({ "models": models })))
    };
    listed.await.unwrap_or_else(|refused: Refused| response(&refused))
}

pub(super) async fn show<S: Speaking>(speaking: Data<S>, request: HttpRequest, body: Payload) -> HttpResponse {
    let shown = async {
        let who = speaking.who(&request)?;
        let body = whole_json(body).await?;
        // The name had another field once.
        let name = ["model", "name"].into_iter().find_map(|field| body.get(field)?.as_str());
        let name = name.ok_or_else(|| Refused::invalid("'model' must be a text"))?;
        let name = named(&**speaking, &who, name).await?;
        let model = model_of(&**speaking, &who, &name, "GET /api/tags").await?;
        let capabilities: &[&str] = match model.skill {
            Skill::Any => &["completion", "tools", "vision", "embedding"],
            Skill::Chat => &["completion"],
            Skill::Embedding => &["embedding"],
        };
        Ok(HttpResponse::Ok().json(json!({
            "modelfile": "",
            "parameters": "",
            "template": "",
            "details": details(&model),
            "model_info": { "general.name": model.name },
            "capabilities": capabilities,
            "modified_at": moment(0),
        })))
    };
    shown.await.unwrap_or_else(|refused: Refused| response(&refused))
}

/// The name of a model as it is known here: without the tag that clients put there by themselves.
pub(super) async fn named<S: Speaking>(speaking: &S, who: &S::Who, name: &str) -> Result<String, Refused> {
    let Some(plain) = name.strip_suffix(LATEST) else { return Ok(name.to_owned()) };
    let models = speaking.models(who).await?;
    let is_known = models.iter().any(|model| model.name == name);
    Ok(if is_known { name } else { plain }.to_owned())
}

/// Since when a model is there is not told.
fn described(model: &Offered) -> Value {
    json!({
        "name": model.name,
        "model": model.name,
        "modified_at": moment(0),
        "size": model.bytes.unwrap_or(0),
        "size_vram": 0,
        "digest": model.digest.as_deref().unwrap_or_default(),
        "details": details(model),
    })
}

fn details(model: &Offered) -> Value {
    let format = if model.digest.is_some() { "onnx" } else { "" };
    json!({
        "parent_model": "",
        "format": format,
        "family": "",
        "families": [],
        "parameter_size": "",
        "quantization_level": "",
    })
}
